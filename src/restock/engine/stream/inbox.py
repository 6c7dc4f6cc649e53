"""The inbox: which events already had their effect, remembered in the transaction of the effect itself."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Table, bindparam, insert, select

from restock.core.clock import Clock, SystemClock, timestamp
from restock.engine.database import Statement, Transaction


class Inbox:
    """One consumer's memory; `table` comes from `tables.inbox_table`. Several consumers may share a table."""

    def __init__(self, table: Table, consumer: str, clock: Clock | None = None) -> None:
        self.consumer = consumer
        self._clock = clock or SystemClock()
        self._seen = Statement(
            select(table.c.event_id).where(
                table.c.consumer == bindparam("of_consumer"), table.c.event_id.in_(bindparam("ids", expanding=True))
            )
        )
        self._add = Statement(insert(table))

    async def fresh(self, tx: Transaction, event_ids: Iterable[str]) -> set[str]:
        """Give the identifiers that this consumer has not seen, and remember them in this transaction.

        When the unit is undone, they are fresh again. An identifier given twice is one; the caller handles it once.
        """
        wanted = list(dict.fromkeys(event_ids))
        if not wanted:
            return set()
        seen = {row[0] for row in await tx.read(self._seen, {"of_consumer": self.consumer, "ids": wanted})}
        at = timestamp(self._clock.now())
        new = [event_id for event_id in wanted if event_id not in seen]
        await tx.write_many(
            self._add, [{"consumer": self.consumer, "event_id": event_id, "at": at} for event_id in new]
        )
        return set(new)
