"""Records to what the figures need of them, read straight into structs.

An event in JSON is decoded into the members that count and nothing else, at half the price of a whole event. What does not
fit (another format, a member that is missing) takes the way of every consumer, through the codec, which also says what is
wrong with it. Numbers stay JSON text here: no digit is lost, and one met before is not read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

import msgspec

from restock.analytics.model import ORDERED, STOCK, Additions, Partition, amount, check, count_items
from restock.core.errors import InvalidInput
from restock.engine.stream import Record, decode, encode


class _Item(msgspec.Struct, gc=False):
    sku: str
    quantity: int | Decimal


class _Order(msgspec.Struct, gc=False):
    order_id: str
    customer_id: str
    items: list[_Item]
    total_amount: msgspec.Raw
    created_at: str


class _Stock(msgspec.Struct, gc=False):
    status: str


class _Purchase(msgspec.Struct, gc=False):
    currency: str
    grand_total: msgspec.Raw


class OrderPlaced(msgspec.Struct, tag_field="type", tag=True, gc=False):
    """A customer ordered."""

    event_id: str
    data: _Order


class StockReserved(msgspec.Struct, tag_field="type", tag=True, gc=False):
    """Stock was promised to an order."""

    event_id: str
    data: _Stock


class StockCounted(msgspec.Struct, tag_field="type", tag=True, gc=False):
    """Stock was counted."""

    event_id: str
    data: _Stock


class StockReceived(msgspec.Struct, tag_field="type", tag=True, gc=False):
    """Goods arrived."""

    event_id: str
    data: _Stock


class PurchaseOrderCreated(msgspec.Struct, tag_field="type", tag=True, gc=False):
    """Something was ordered from a supplier."""

    event_id: str
    data: _Purchase


StockEvent = StockReserved | StockCounted | StockReceived
Counted = OrderPlaced | StockReserved | StockCounted | StockReceived | PurchaseOrderCreated
"""The events that change a figure."""

_STOCK = frozenset({StockReserved, StockCounted, StockReceived})
_TYPES = tuple(one.__name__ for one in (OrderPlaced, StockReserved, StockCounted, StockReceived, PurchaseOrderCreated))
_NAMES = tuple(name.encode() for name in _TYPES)
_read: Callable[[bytes], Counted] = msgspec.json.Decoder(Counted).decode


@dataclass
class Batch:
    """Events of one partition in their order, each with the moment at which the stream stored it."""

    events: list[Counted] = field(default_factory=list)
    stored_at: list[str] = field(default_factory=list)

    def ids(self) -> list[str]:
        """Give the identifiers of the events."""
        return [event.event_id for event in self.events]

    def count(self, added: Additions, newest: str, fresh: set[str] | None) -> str:
        """Add the events that are fresh (None: all), each once; give the newest order's moment.

        Raises InvalidInput, TypeError.
        """
        if fresh is not None:
            return self._only(fresh).count(added, newest, None)
        orders = [
            (event.data, at)
            for event, at in zip(self.events, self.stored_at, strict=True)
            if type(event) is OrderPlaced
        ]
        partition = Partition(added, newest)
        partition.count(orders)
        count_items(added, [order.items for order, _ in orders])
        if len(orders) == len(self.events):
            return partition.newest
        statuses = [cast("_Stock", event.data).status for event in self.events if type(event) in _STOCK]
        for status, number in Counter(statuses).items():
            added.tally(STOCK, status, 0, number)
        if len(orders) + len(statuses) != len(self.events):
            for event in self.events:
                if type(event) is PurchaseOrderCreated:
                    added.tally(ORDERED, event.data.currency, amount(event.data.grand_total))
        return partition.newest

    def _only(self, fresh: set[str]) -> Batch:
        """Give the events that are fresh, the first one of each identifier."""
        left = set(fresh)
        chosen = Batch()
        for event, at in zip(self.events, self.stored_at, strict=True):
            if event.event_id in left:
                left.remove(event.event_id)
                chosen.events.append(event)
                chosen.stored_at.append(at)
        return chosen


def read_all(records: Sequence[Record]) -> list[Counted]:
    """Give the events of records that are all needed, as most are. Raises MsgspecError, ValueError where one is not."""
    return [_read(record.value or b"") for record in records]


def read(record: Record) -> Counted | None:
    """Give the event in a record, None for one that no figure needs. Raises InvalidInput for one that cannot be counted."""
    value = record.value or b""
    try:
        return _read(value)
    except (msgspec.MsgspecError, ValueError):
        if value[:1] == b"{" and not any(value.find(name) >= 0 for name in _NAMES):
            return None
    event = decode(record)
    if event.type not in _TYPES:
        return None
    try:
        return _read(encode(event))
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"The event {event.event_id} cannot be counted: {error}.", field=_place(record)) from error


def checked(record: Record) -> Counted | None:
    """Give what `read` gives, after a look at every number and moment in it. Raises InvalidInput."""
    event = read(record)
    try:
        if isinstance(event, OrderPlaced):
            check(event.data)
        elif isinstance(event, PurchaseOrderCreated):
            amount(event.data.grand_total)
    except InvalidInput as error:
        raise InvalidInput(f"The event cannot be counted: {error.what}", field=_place(record)) from error
    return event


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"
