"""Where inventory listens: customer orders reserve stock, receipts raise it. Both happen once per event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec

from restock.core.clock import Clock, timestamp
from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import InvalidInput, NotFound, RestockError
from restock.core.event import Event
from restock.core.quantity import ONE, positive, to_scaled
from restock.engine.database import Transaction
from restock.engine.database.columns import IDENTIFIER_LENGTH
from restock.engine.stream import Record, Unfit, decode
from restock.inventory import store
from restock.inventory.model import Place, Stock
from restock.inventory.news import RECEIVED, TAKEN
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

        Raises Unfit for orders with a quantity that is no number above 0, which would release stock, or with a product that
        nobody knows: such an order reserves nothing until a person has looked.
        """
        unfit: dict[str, RestockError] = {}
        lines = _lines(events, unfit)
        stock = await self._stock_of(tx, lines, unfit)
        if unfit:
            raise Unfit(unfit)
        at = timestamp(self._clock.now())
        changed: dict[Place, Stock] = {}
        backorders: list[dict[str, object]] = []
        news = self._service.news(at)
        for cause, order_id, sku, quantity in lines:
            place = (sku, DEFAULT_WAREHOUSE)
            before = stock[place]
            stock[place] = changed[place] = after = before.reserve(quantity)
            if missing := after.backordered - before.backordered:
                backorders.append(_backorder(order_id, place, missing, at))
            news.tell(TAKEN, place, before, after, order_id, cause)
        await store.put_stock(tx, changed, at)
        await store.add_backorders(tx, backorders)
        await store.OUTBOX.add_packed(tx, news.batches())

    async def _stock_of(
        self, tx: Transaction, lines: Sequence[_Line], unfit: dict[str, RestockError]
    ) -> dict[Place, Stock]:
        """Give the stock of the products of lines; lines of a product that nobody knows make their event unfit."""
        stock = await store.stock_of(tx, list({sku: None for _, _, sku, _ in lines}))
        absent = {sku for _, _, sku, _ in lines if (sku, DEFAULT_WAREHOUSE) not in stock}
        if absent:
            known = await store.known_items(tx, sorted(absent)) | {product for product, _ in stock}
            stock |= await store.first_stock(tx, [(sku, DEFAULT_WAREHOUSE) for sku in sorted(absent & known)], stock)
            for event_id, order_id, sku, _ in lines:
                if sku in absent - known:
                    unfit.setdefault(event_id, _unknown(order_id, sku))
        return stock

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


_Line = tuple[str, str, str, int]
"""Event, order, product and quantity."""


def _lines(events: Sequence[Event | OrderPlaced], unfit: dict[str, RestockError]) -> list[_Line]:
    """Give the lines of each order; one with a quantity that cannot be makes its event unfit."""
    lines: list[_Line] = []
    for event in events:
        try:
            _add_lines(event, lines)
        except InvalidInput as error:
            unfit[event.event_id] = error
    return lines


def _add_lines(event: Event | OrderPlaced, lines: list[_Line]) -> None:
    """Add the lines of one order. Raises InvalidInput that names the event."""
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
        order_id = _text(data["order_id"], "order_id", event)
        lines += [
            (event.event_id, order_id, _text(line["sku"], "sku", event), _scaled(line["quantity"], event))
            for line in data["items"]
        ]


def _unknown(order_id: str, sku: str) -> NotFound:
    return NotFound(
        f"Order {order_id} asks for {sku!r}, which nobody knows.",
        field="sku",
        remedy="Put the product and replay the dead letter, or discard it.",
    )


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


def _backorder(order_id: str, place: Place, quantity: int, at: str) -> dict[str, object]:
    product, warehouse = place
    return {
        "order_id": order_id,
        "product_id": product,
        "warehouse_id": warehouse,
        "quantity": quantity,
        "reason": "not enough stock",
        "at": at,
    }
