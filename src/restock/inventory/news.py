"""What inventory tells the others: each change of stock, in the members of the published event and some more.

The published event is {event_id, sku, order_id, change, new_quantity, status, timestamp}. Beside them stand what a reader
needs to be right: the warehouse, the version of the stock (older news is dropped), all that was ever received, and what
customers wait for.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from restock.core.ids import Ids
from restock.core.quantity import ONE, from_scaled
from restock.engine.stream import Waiting, encode_known
from restock.inventory.model import IN_STOCK, RESERVED, Place, Stock

TOPIC = "inventory-updates"
PARTITIONS = 4

COUNTED, TAKEN, REFUSED, RECEIVED = "StockCounted", "StockReserved", "ReservationRefused", "StockReceived"

Number = int | Decimal


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


class News:
    """The events of one unit of work, in their order. `events` goes into the outbox of that unit."""

    def __init__(self, ids: Ids, at: str) -> None:
        self.events: list[Waiting] = []
        self._ids = ids
        self._at = at
        self._published = ids.shorts("INV")
        self._stem = ""

    def tell(self, kind: str, place: Place, before: Stock, after: Stock, order_id: str = "", cause: str = "") -> None:
        """Tell of a change; `cause` is the event that was the reason."""
        number = len(self.events) & 0xFFFF
        if not number:  # the last digits count the events of the unit: as unique as a new one, at a part of its price
            self._stem = self._ids.new()[:-4]
        event_id = f"{self._stem}{number:04x}"
        sku, warehouse = place
        on_hand, reserved, backordered, received, version = after
        left, status = on_hand - reserved, after.status
        data = _Change(
            next(self._published),
            sku,
            order_id,
            _number(left - before.on_hand + before.reserved),
            _number(left),
            RESERVED if kind == TAKEN and status == IN_STOCK else status,
            self._at,
            warehouse,
            version,
            _number(received),
            _number(backordered),
        )
        value = encode_known(event_id, kind, sku, self._at, data, cause)
        self.events.append(Waiting(event_id, TOPIC, sku, value))


def _number(scaled: int) -> Number:
    """Give whole millionths as they are written: nearly every quantity is whole, and an int is made sooner."""
    whole, rest = divmod(scaled, ONE)
    return from_scaled(scaled) if rest else whole
