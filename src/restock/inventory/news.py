"""What inventory tells the others: each change of stock."""

from __future__ import annotations

from collections.abc import Iterator

from restock.core import trace
from restock.core.ids import Ids
from restock.engine.stream import Packed
from restock.engine.stream.outbox import BATCH_EVENTS, packed
from restock.inventory import rows
from restock.inventory.model import IN_STOCK, RESERVED, Place, Stock
from restock.inventory.rows import Batch, Told, in_rows, written

TOPIC = rows.TOPIC
PARTITIONS = 4

COUNTED, TAKEN, RECEIVED = "StockCounted", "StockReserved", "StockReceived"

_USUAL = 256
"""Characters of product and order together: what has more, which is nobody's here, waits as it is published."""


class News:
    """The events of one unit of work, in their order. `batches` goes into the outbox of that unit."""

    def __init__(self, ids: Ids, at: str, traceparent: str = "") -> None:
        """`traceparent` is that of the request which changes stock; events are traced by what caused them."""
        self._ids = ids
        self._at = at
        self._trace = traceparent
        self._told: list[Told] = []

    def tell(self, kind: str, place: Place, before: Stock, after: Stock, order_id: str = "", cause: str = "") -> None:
        """Tell of a change; `cause` is the event that was the reason."""
        sku, warehouse = place
        on_hand, reserved, backordered, received, version = after
        left, status = on_hand - reserved, after.status
        if status is IN_STOCK and kind is TAKEN:
            status = RESERVED
        change = left - before.on_hand + before.reserved
        told = Told(kind, sku, warehouse, order_id, cause, change, left, status, version, received, backordered)
        self._told.append(told)

    def batches(self) -> list[Packed]:
        """Give what was told, packed. Raises InvalidInput for what no stream would take."""
        batches = list(self._cut())
        if all(one.sku and len(one.sku) + len(one.order_id) <= _USUAL for one in self._told):
            return in_rows(batches)
        return packed([event for batch in batches for event in written(batch)])

    def _cut(self) -> Iterator[Batch]:
        """Cut into batches: the last digits of their identifiers count, which costs a part of new ones."""
        published = int(self._ids.short("INV")[-8:], 16)
        for start in range(0, len(self._told), BATCH_EVENTS):
            stem = self._ids.new()[:-4]
            told = self._told[start : start + BATCH_EVENTS]
            yield Batch(1, stem, published + start, self._at, told, self._traces(told))

    def _traces(self, told: list[Told]) -> dict[int, str]:
        if self._trace:
            return dict.fromkeys(range(len(told)), self._trace)
        if not trace.is_any():
            return {}
        return {place: found for place, one in enumerate(told) if (found := trace.of(one.cause))}
