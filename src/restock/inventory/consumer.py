"""Where inventory listens: customer orders reserve stock, receipts raise it. Both happen once per event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec

from restock.core.clock import Clock, timestamp
from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import InvalidInput
from restock.core.event import Event
from restock.core.quantity import ONE, positive, to_scaled
from restock.engine.database import Transaction
from restock.engine.database.columns import IDENTIFIER_LENGTH
from restock.engine.stream import Record, decode
from restock.inventory import store
from restock.inventory.model import Place, Stock
from restock.inventory.news import RECEIVED, REFUSED, TAKEN
from restock.inventory.service import InventoryService

ORDERS_BATCH = 2000
"""Orders in one unit: when many wait, each product is read and written once for all of them; about 15 ms of work."""

ORDERS_AT_ONCE = 4
"""Units read together: while one is committed the next is read, and their positions are committed once."""

MOST_WHOLE = 1_000_000
"""Whole quantities up to this are read without a second look; any other takes the careful way."""


class _Item(msgspec.Struct, gc=False):
    sku: str
    quantity: int | Decimal


class _Order(msgspec.Struct, gc=False):
    order_id: str
    items: list[_Item]


class OrderPlaced(msgspec.Struct, tag_field="type", tag=True, gc=False):
    """A customer ordered: what a reservation needs to know of it."""

    event_id: str
    at: str
    causation_id: str
    key: str
    data: _Order


_read: Callable[[bytes], OrderPlaced] = msgspec.json.Decoder(OrderPlaced).decode


def order_in(record: Record) -> Event | OrderPlaced:
    """Read a record at a fifth of a whole event's price; what is unusual goes through the codec. Raises InvalidInput."""
    try:
        found = _read(record.value or b"")
    except (msgspec.MsgspecError, ValueError):
        return decode(record)
    return found if 0 < len(found.event_id) <= IDENTIFIER_LENGTH else decode(record)


class InventoryConsumer:
    """Turns events of neighbours into stock changes; runs inside the transaction that also records the event as seen."""

    def __init__(self, service: InventoryService, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    async def on_orders(self, tx: Transaction, events: Sequence[Event | OrderPlaced]) -> None:
        """Reserve each item of each order: what is available now, the rest as a backorder.

        Raises InvalidInput that names the event when a quantity is no number above 0: it would release stock.
        """
        lines = _lines(events)
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
        await store.OUTBOX.add_packed(tx, news.batches())

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
        await store.OUTBOX.add_packed(tx, news.batches())


_NOTHING = Stock(0)


def _lines(events: Sequence[Event | OrderPlaced]) -> list[tuple[str, str, str, int]]:
    """Give event, order, product and quantity of each line of each order."""
    lines: list[tuple[str, str, str, int]] = []
    for event in events:
        if isinstance(event, OrderPlaced):
            event_id, order = event.event_id, event.data
            order_id = order.order_id
            for item in order.items:
                number = item.quantity
                if type(number) is int and 0 < number <= MOST_WHOLE:
                    lines.append((event_id, order_id, item.sku, number * ONE))
                else:
                    lines.append((event_id, order_id, item.sku, _scaled(number, event)))
        elif event.type == "OrderPlaced":
            data = cast("Any", event.data)
            lines += [
                (
                    event.event_id,
                    _text(data["order_id"], "order_id", event),
                    _text(line["sku"], "sku", event),
                    _scaled(line["quantity"], event),
                )
                for line in data["items"]
            ]
    return lines


def _text(value: object, field: str, event: Event) -> str:
    """Give back text. Raises InvalidInput for anything else: it could not be published."""
    if isinstance(value, str):
        return value
    raise InvalidInput(
        f"Event {event.event_id} of {event.key} has no text there.", field=field, remedy="Find its producer."
    )


def _scaled(quantity: object, event: Event | OrderPlaced) -> int:
    """Give a quantity in millionths. Raises InvalidInput."""
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
