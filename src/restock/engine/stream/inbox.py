"""The inbox: which events already had their effect, remembered in the transaction of the effect itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from sqlalchemy import Table, bindparam, insert, select

from restock.core.clock import Clock, SystemClock, timestamp
from restock.engine.database import Statement, Transaction
from restock.engine.stream.port import TopicPartition
from restock.engine.stream.seen import Blocks

_BEYOND_DIGITS = "g"
"""Identifiers that tell their time sort below it: they begin with a hexadecimal digit."""


class Inbox:
    """One consumer's memory; `table` comes from `tables.inbox_table`. Several consumers may share a table.

    With `blocks` from `tables.block_table`, identifiers that tell their time stand there and cost a tenth; the table keeps
    the others, and what it held before.
    """

    def __init__(self, table: Table, consumer: str, clock: Clock | None = None, blocks: Table | None = None) -> None:
        self.consumer = consumer
        self._clock = clock or SystemClock()
        self._blocks = None if blocks is None else Blocks(blocks, consumer)
        mine = table.c.consumer == bindparam("of_consumer")
        self._seen = Statement(
            select(table.c.event_id).where(mine, table.c.event_id.in_(bindparam("ids", expanding=True)))
        )
        self._newest = Statement(
            select(table.c.event_id)
            .where(mine, table.c.event_id < _BEYOND_DIGITS)
            .order_by(table.c.event_id.desc())
            .limit(1)
        )
        self._add = Statement(insert(table))

    async def fresh(self, tx: Transaction, event_ids: Iterable[str]) -> set[str]:
        """Give the identifiers that this consumer has not seen, and remember them in this transaction, a row each.

        When the unit is undone, they are fresh again. An identifier given twice is one; the caller handles it once.
        """
        wanted = list(dict.fromkeys(event_ids))
        seen = await self._in_rows(tx, wanted)
        at = timestamp(self._clock.now())
        new = [event_id for event_id in wanted if event_id not in seen]
        await tx.write_many(
            self._add, [{"consumer": self.consumer, "event_id": event_id, "at": at} for event_id in new]
        )
        return set(new)

    async def fresh_in(self, tx: Transaction, ids: Mapping[TopicPartition, Sequence[str]]) -> set[str] | None:
        """Give the fresh ones of the identifiers of some partitions, None for all of them; otherwise like `fresh`.

        An identifier must come in the same partition each time, as it does with the key of its event.
        """
        if self._blocks is None:
            return await self.fresh(tx, chain.from_iterable(ids.values()))
        new: set[str] = set()
        missed = False
        old = next((row[0] for row in await tx.read(self._newest, {"of_consumer": self.consumer})), "")
        for place, given in ids.items():
            known = await self._in_rows(tx, [one for one in given if one <= old]) if old else set()
            wanted = [one for one in given if one not in known] if known else given
            found = await self._blocks.fresh(tx, place, wanted, self.fresh)
            missed = missed or bool(known) or found is not None
            new.update(wanted if found is None else found)
        return new if missed else None

    async def _in_rows(self, tx: Transaction, ids: Sequence[str]) -> set[str]:
        if not ids:
            return set()
        return {row[0] for row in await tx.read(self._seen, {"of_consumer": self.consumer, "ids": ids})}
