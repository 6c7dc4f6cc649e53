"""Where inventory listens: customer orders reserve stock, receipts raise it. Both happen once per event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from restock.core.clock import Clock, timestamp
from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.event import Event
from restock.core.quantity import positive, to_scaled
from restock.engine.database import Transaction
from restock.inventory import store
from restock.inventory.model import Stock
from restock.inventory.service import InventoryService


class InventoryConsumer:
    """Turns events of neighbours into stock changes; runs inside the transaction that also records the event as seen."""

    def __init__(self, service: InventoryService, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def on_orders(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Reserve each item of each order: what is available now, the rest as a backorder."""
        lines = [
            (event, cast("str", line["sku"]), to_scaled(positive(line["quantity"], "quantity")))
            for event in events
            if event.type == "OrderPlaced"
            for line in cast("list[Mapping[str, object]]", event.data["items"])
        ]
        stock = await store.stock_of(tx, [sku for _, sku, _ in lines])
        at = timestamp(self._clock.now())
        changed: dict[store.Place, Stock] = {}
        backorders, changes = [], []
        for event, sku, quantity in lines:
            place = (sku, DEFAULT_WAREHOUSE)
            order_id = str(event.data["order_id"])
            known = place in stock
            before = stock.get(place) or Stock(0)
            after = before.reserve(quantity)
            missing = after.backordered - before.backordered
            if missing:
                reason = "not enough stock" if known else "unknown product"
                backorders.append(_backorder(order_id, place, missing, reason, at))
            if known:
                stock[place] = changed[place] = after
            kind = "StockReserved" if known else "ReservationRefused"
            shown = after if known else before
            changes.append(self._service.stock_event(kind, place, before, shown, at, order_id, event.event_id))
        await store.put_stock(tx, changed, at)
        await store.add_backorders(tx, backorders)
        await store.OUTBOX.add(tx, changes)

    async def on_receipts(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Put received goods on the shelf and serve backorders, oldest first."""
        receipts = [
            (
                event,
                str(line["product_id"]),
                str(line["warehouse_id"]),
                to_scaled(positive(line["quantity"], "quantity")),
            )
            for event in events
            if event.type == "GoodsReceived"
            for line in cast("list[Mapping[str, object]]", event.data["lines"])
        ]
        stock = await store.stock_of(tx, [product for _, product, _, _ in receipts])
        stock |= await store.first_stock(tx, [(product, warehouse) for _, product, warehouse, _ in receipts], stock)
        at = timestamp(self._clock.now())
        changed: dict[store.Place, Stock] = {}
        served: dict[store.Place, int] = {}
        changes = []
        for event, product, warehouse, quantity in receipts:
            place = (product, warehouse)
            before = stock[place]
            after = before.receive(quantity)
            stock[place] = changed[place] = after
            served[place] = served.get(place, 0) + before.backordered - after.backordered
            changes.append(self._service.stock_event("StockReceived", place, before, after, at, "", event.event_id))
        await store.put_stock(tx, changed, at)
        await store.serve_backorders(tx, {place: quantity for place, quantity in served.items() if quantity})
        await store.OUTBOX.add(tx, changes)


def _backorder(order_id: str, place: store.Place, quantity: int, reason: str, at: str) -> dict[str, object]:
    product, warehouse = place
    return {
        "order_id": order_id,
        "product_id": product,
        "warehouse_id": warehouse,
        "quantity": quantity,
        "reason": reason,
        "at": at,
    }
