"""Where inventory listens: customer orders reserve stock, receipts raise it. Both happen once per event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from restock.core.clock import Clock, timestamp
from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import InvalidInput
from restock.core.event import Event
from restock.core.quantity import ONE, positive, to_scaled
from restock.engine.database import Transaction
from restock.inventory import store
from restock.inventory.model import Place, Stock
from restock.inventory.news import RECEIVED, REFUSED, TAKEN
from restock.inventory.service import InventoryService

ORDERS_BATCH = 1000
"""Orders in one unit: when many wait, each product is read and written once for all of them; about 15 ms of work."""

MOST_WHOLE = 1_000_000
"""Whole quantities up to this are read without a second look; any other takes the careful way."""


class InventoryConsumer:
    """Turns events of neighbours into stock changes; runs inside the transaction that also records the event as seen."""

    def __init__(self, service: InventoryService, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def on_orders(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Reserve each item of each order: what is available now, the rest as a backorder.

        Raises InvalidInput that names the event when a quantity is no number above 0: it would release stock.
        """
        lines = list(_lines(events))
        stock = await store.stock_of(tx, list({sku: None for _, _, sku, _ in lines}))
        at = timestamp(self._clock.now())
        changed: dict[Place, Stock] = {}
        backorders: list[dict[str, object]] = []
        news = self._service.news(at)
        for cause, order_id, sku, quantity in lines:
            place = (sku, DEFAULT_WAREHOUSE)
            before = stock.get(place)
            if before is None:
                backorders.append(_backorder(order_id, place, quantity, "unknown product", at))
                news.tell(REFUSED, place, _NOTHING, _NOTHING, order_id, cause)
                continue
            stock[place] = changed[place] = after = before.reserve(quantity)
            if missing := after.backordered - before.backordered:
                backorders.append(_backorder(order_id, place, missing, "not enough stock", at))
            news.tell(TAKEN, place, before, after, order_id, cause)
        await store.put_stock(tx, changed, at)
        await store.add_backorders(tx, backorders)
        await store.OUTBOX.add_encoded(tx, news.events)

    async def on_receipts(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Put received goods on the shelf and serve backorders, oldest first."""
        receipts = [
            (event, str(line["product_id"]), str(line["warehouse_id"]), _scaled(line["quantity"], event))
            for event in events
            if event.type == "GoodsReceived"
            for line in cast("list[Mapping[str, object]]", event.data["lines"])
        ]
        stock = await store.stock_of(tx, [product for _, product, _, _ in receipts])
        stock |= await store.first_stock(tx, [(product, warehouse) for _, product, warehouse, _ in receipts], stock)
        at = timestamp(self._clock.now())
        changed: dict[Place, Stock] = {}
        served: dict[Place, int] = {}
        news = self._service.news(at)
        for event, product, warehouse, quantity in receipts:
            place = (product, warehouse)
            before = stock[place]
            after = before.receive(quantity)
            stock[place] = changed[place] = after
            served[place] = served.get(place, 0) + before.backordered - after.backordered
            news.tell(RECEIVED, place, before, after, "", event.event_id)
        await store.put_stock(tx, changed, at)
        await store.serve_backorders(tx, {place: quantity for place, quantity in served.items() if quantity})
        await store.OUTBOX.add_encoded(tx, news.events)


_NOTHING = Stock(0)


def _lines(events: Sequence[Event]) -> Iterator[tuple[str, str, str, int]]:
    """Give event, order, product and quantity of each line of each order."""
    for event in events:
        if event.type == "OrderPlaced":
            data = cast("Any", event.data)
            order_id = data["order_id"]
            for line in data["items"]:
                yield event.event_id, order_id, line["sku"], _scaled(line["quantity"], event)


def _scaled(quantity: object, event: Event) -> int:
    """Give a quantity in millionths. Raises InvalidInput."""
    if isinstance(quantity, int) and 0 < quantity <= MOST_WHOLE and quantity is not True:
        scaled: int = quantity * ONE
        return scaled
    try:
        return to_scaled(positive(quantity, "quantity"))
    except InvalidInput as error:
        raise InvalidInput(
            f"Event {event.event_id} of {event.key} has a quantity that cannot be: {error.what}",
            field="quantity",
            remedy="Find its producer.",
        ) from None


def _backorder(order_id: str, place: Place, quantity: int, reason: str, at: str) -> dict[str, object]:
    product, warehouse = place
    return {
        "order_id": order_id,
        "product_id": product,
        "warehouse_id": warehouse,
        "quantity": quantity,
        "reason": reason,
        "at": at,
    }
