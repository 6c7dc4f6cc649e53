"""The events of inventory as they wait in its outbox: a quarter of the bytes that are published, written out by the relay.

The published event is {event_id, sku, order_id, change, new_quantity, status, timestamp}. Beside them stand what a reader
needs to be right: the warehouse, the version of the stock (older news is dropped), all that was ever received, and what
customers wait for.

What waits may be read by a newer program: a change of these structs is a new form beside the old one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import count
from typing import Literal

import msgspec

from restock.core.quantity import ONE, from_scaled
from restock.engine.stream import Packed, Sealed, Waiting, encode_all
from restock.engine.stream.outbox import events_in as usual_events_in

TOPIC = "inventory-updates"

Number = int | Decimal

_MAP_BITS, _MAP = 0xF0, 0x80
"""How a batch of this form begins in MessagePack; the usual one is an array."""


class Told(msgspec.Struct, array_like=True, gc=False):
    """A change as it waits in the outbox, a quarter of what is published; numbers are whole millionths."""

    kind: str
    sku: str
    warehouse_id: str
    order_id: str
    cause: str
    change: int
    available: int
    status: str
    version: int
    received_total: int
    backordered: int


class Batch(msgspec.Struct, gc=False, omit_defaults=True):
    """What stands in one row of the outbox: identifiers count on within it, all have one moment.

    `traces` has the traceparent of those that belong to a trace, by their place. Who does not know it passes over it.
    """

    form: Literal[1]
    stem: str
    published: int
    at: str
    told: list[Told]
    traces: dict[int, str] = {}


class _Change(msgspec.Struct, gc=False):
    event_id: str
    sku: str
    order_id: str
    change: Number
    new_quantity: Number
    status: str
    timestamp: str
    warehouse_id: str
    version: int
    received_total: Number
    backordered: Number


def in_rows(batches: Iterable[Batch]) -> list[Packed]:
    """Give the rows of some batches."""
    return [Packed(len(one.told), _pack(one)) for one in batches]


def events_in(batch: bytes) -> list[Waiting]:
    """Give the events of a row of the outbox, as they are published."""
    return written(_unpack(batch)) if batch[0] & _MAP_BITS == _MAP else usual_events_in(batch)


def written(batch: Batch) -> list[Waiting]:
    """Give the events of a batch, as they are published."""
    number, at, stem = _Numbers(), batch.at, batch.stem
    events = [
        Sealed(
            f"{stem}{place:04x}",
            one.kind,
            at,
            one.cause,
            one.sku,
            _Change(
                f"INV-{published & 0xFFFFFFFF:08X}",
                one.sku,
                one.order_id,
                number[one.change],
                number[one.available],
                one.status,
                at,
                one.warehouse_id,
                one.version,
                number[one.received_total],
                number[one.backordered],
            ),
        )
        for place, (published, one) in enumerate(zip(count(batch.published), batch.told))
    ]
    traces = batch.traces
    return [
        Waiting(one.event_id, TOPIC, one.key, value, traces.get(place, "") if traces else "")
        for place, (one, value) in enumerate(zip(events, encode_all(events), strict=True))
    ]


class _Numbers(dict[int, Number]):
    """Whole millionths as they are written: nearly every quantity is whole, and those of one batch repeat."""

    def __missing__(self, scaled: int) -> Number:
        whole, rest = divmod(scaled, ONE)
        self[scaled] = number = from_scaled(scaled) if rest else whole
        return number


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Batch).decode
