"""Retention on the embedded log: what a topic no longer keeps is forgotten, oldest batches first, some at a time.

A step is one transaction on one partition, so that deleting never holds the write lock for longer than a publish does. What
a group has still to read is looked up in the same transaction: a group that is moved back keeps what it was moved to. The
room is used again by new records; the file does not become smaller. The durable write is named `expire`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from restock.core.clock import Clock, timestamp
from restock.engine.database import Database, Transaction
from restock.engine.stream import log_tables as sql
from restock.engine.stream.keeping_up import KeepingUp
from restock.engine.stream.port import Retention, Stream

STEP_BATCHES = 200
"""Batches forgotten in one transaction at most: deleting them takes about as long as a publish."""

STEP_BYTES = 8 << 20
"""Bytes of batches after which a transaction ends: every page of a large batch is touched to free it."""

CHECK_SECONDS = 30.0
"""How often is looked whether something became too old; Kafka looks every five minutes."""


class Limited(NamedTuple):
    """A partition of a topic that does not keep everything."""

    topic: int
    partition: int
    retention: Retention

    @property
    def key(self) -> dict[str, object]:
        """The parameters that name it in queries."""
        return {"wanted": self.topic, "of_partition": self.partition}


class Due(NamedTuple):
    """What a step forgets: everything below `low`, which is so many records and bytes."""

    low: int
    records: int
    bytes: int


NOTHING = Due(0, 0, 0)


def kept_as(ms: int, size: int, keep_unread: object) -> Retention:
    """Give a topic's columns as one."""
    return Retention(ms, size, bool(keep_unread))


class Expiry:
    """Forgets on one log, taking partitions in turn."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._turn = 0

    async def step(self) -> int:
        """Forget a bounded part of one partition; give the records forgotten, 0 when none of any partition is due."""
        places = [Limited(topic, part, kept_as(*kept)) for topic, part, *kept in await self._database.read(sql.LIMITED)]
        for _ in places:
            self._turn = (self._turn + 1) % len(places)
            place = places[self._turn]
            if (await self._due(self._database, place)).records and (done := await self._forget(place)):
                return done
        return 0

    async def _forget(self, place: Limited) -> int:
        async def unit(tx: Transaction) -> int:
            due = await self._due(tx, place)
            if due.records:
                where = {"of_topic": place.topic, "of_partition": place.partition, "new_low": due.low}
                await tx.write(sql.DROP_BATCHES, where)
                await tx.write(sql.RAISE_LOW, {**where, "less": due.bytes})
            return due.records

        return await self._database.write("expire", unit)

    async def _due(self, reader: Database | Transaction, place: Limited) -> Due:
        """Give what a step may forget of a partition as it is now."""
        ms, limit, keep_unread = place.retention
        before = timestamp(self._clock.now() - timedelta(milliseconds=ms)) if ms >= 0 else ""
        ((size,),) = await reader.read(sql.SIZE, place.key)
        unread = min((await self._positions(reader, place)) if keep_unread else [], default=None)
        due = NOTHING
        for base, records, wide, at in await reader.read(sql.OLDEST, {**place.key, "most": STEP_BATCHES}):
            too_much = limit >= 0 and size - due.bytes - wide >= limit
            if not (at < before or too_much) or (unread is not None and base + records > unread):
                break
            due = Due(base + records, due.records + records, due.bytes + wide)
            if due.bytes >= STEP_BYTES:
                break
        return due

    async def _positions(self, reader: Database | Transaction, place: Limited) -> Sequence[int]:
        """Give how far each group is that follows the topic; one that never committed here is at the start."""
        followed: dict[str, int] = {}
        for group, part, offset in await reader.read(sql.FOLLOWED, {"wanted": place.topic}):
            followed.setdefault(group, 0)
            if part == place.partition:
                followed[group] = max(offset, 0)
        return list(followed.values())


class Retainer(KeepingUp):
    """Lets a stream forget what its topics no longer keep, for as long as it runs."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    async def run(self) -> None:
        """Forget until cancelled. A transient failure is retried with back-off; another one ends it: `problem`."""

        async def wait(_seconds: float) -> None:
            await asyncio.sleep(CHECK_SECONDS)

        await self._keep_up(self._stream.expire, wait)
