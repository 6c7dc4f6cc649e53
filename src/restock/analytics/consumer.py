"""Where analytics listens: every topic. Figures, positions and the identifiers of what was counted change together.

Two memories, both in the transaction of the effect. The identifiers decide what counts (`restock.engine.stream.seen`):
what is delivered again, by a crash, by a producer that published twice, by a stream that was copied, is known and counts
once. The position only says where to begin, and the lower of two is taken: the one kept here, which starts at zero when
all is to be counted again, and the group's in the stream, which an operator may set back or a move may translate. So
neither can skip a record, and reading one again is harmless (decision 0031).

A batch is thousands of records: their sums are made first, so a customer with a hundred orders is one row to write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from restock.analytics import store
from restock.analytics.model import GROUP, Additions
from restock.analytics.reading import Batch, Counted, checked, read, read_all
from restock.core.errors import InvalidInput, RestockError
from restock.engine.database import Database, Transaction
from restock.engine.stream import Record, Stream, TopicPartition
from restock.engine.stream.keeping_up import TRANSIENT, KeepingUp
from restock.engine.stream.port import Consumer, Fenced
from restock.engine.stream.subscriber import refuse

ATTEND_SECONDS = 0.25
"""How often a member that is busy says that it lives and looks what it owns: far below a session, rare beside batches."""

BATCH = 15_000
"""Records in one transaction: two flushes of the disk cost little beside them, and a unit takes about 20 ms."""

READ = 2_500
"""Records read and decoded at a time: about 5 ms, after which others get their turn."""

OnBad = Callable[[Record, InvalidInput], Awaitable[None]]
Reading = Callable[[Record], Counted | None]


class _CannotCount(Exception):
    """An event of the batch cannot be counted; which one is found by looking at each."""


@dataclass
class _Taken:
    """What was read of one partition: its events, the offset to go on at, the records passed, why it stops there."""

    reached: int
    batch: Batch = field(default_factory=Batch)
    records: int = 0
    refusal: RestockError | None = None


class FiguresConsumer(KeepingUp):
    """Counts the events of some topics. Same life as a `Subscriber`: `run` for ever, or `drain` what is there.

    A member of its group like others: partitions are shared with the members that live, and the position of one that lost a
    partition is refused by the stream. It only asks its member what it owns, and reads by itself, thousands at a time.
    `on_bad(record, error)` parks a record that cannot be counted and returns to go on behind it; when it raises
    RestockError, that partition stops there, loudly, and the others go on.
    """

    group = GROUP

    def __init__(self, stream: Stream, topics: Sequence[str], database: Database, *, on_bad: OnBad = refuse) -> None:
        super().__init__(aside=True)
        self.topics = tuple(topics)
        self._stream = stream
        self._database = database
        self._on_bad = on_bad
        self._first = 0
        self._member: Consumer | None = None
        self._attend_at = 0.0
        self._telling: asyncio.Future[None] | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Consume until cancelled. A transient failure is retried with back-off; another one ends it: `problem`."""
        self.stopped.clear()
        await self._keep_up(self._consume, self._stream.listen(self.topics).wait)

    async def drain(self) -> int:
        """Consume what is there now; give the number of records passed.

        Raises the error of a record that stopped its partition, after the other partitions were consumed.
        """
        self.stopped.clear()
        done = await self._consume()
        for refusal in self.stopped.values():
            raise refusal
        return done

    async def lag(self) -> int:
        """Give the number of records that are still to be counted."""
        return sum(high - start for start, high in (await self._ranges()).values())

    async def close(self) -> None:
        """Leave the group."""
        if self._member is not None:
            await self._member.close()
            self._member = None

    async def rebuild(self) -> None:
        """Forget every figure; what the stream still holds is counted again from its start."""
        async with self._turn:
            await self._database.write("forget_figures", store.forget)

    async def _consume(self) -> int:
        done = 0
        async with self._turn:
            self._attend_at = 0.0
            owned = await self._attend()
            ranges = {place: span for place, span in (await self._ranges()).items() if place in owned}
            for place in self.stopped:
                ranges.pop(place, None)
            try:
                while ranges:
                    done += await self._pass_batch(ranges)
                    owned = await self._attend()
                    for place in [one for one in ranges if one not in owned]:
                        del ranges[place]
            finally:
                await self._told()
        return done

    async def _attend(self) -> Collection[TopicPartition]:
        """Say that the member lives, let go of what others should have, and give the partitions that it owns now."""
        if self._member is None:
            self._member = self._stream.consumer(self.group, self.topics)
        now = asyncio.get_running_loop().time()
        if now >= self._attend_at:
            await self._told()  # one task at a time may use a member
            await self._member.poll(1)  # what it gives is read again from the position kept here
            for place in self._member.assignment:
                self._member.pause(place)
            self._attend_at = now + ATTEND_SECONDS
        return self._member.assignment

    async def _ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """Give for each partition with something to read the next offset and the end as of now."""
        reaches = await store.reaches(self._database)
        ranges: dict[TopicPartition, tuple[int, int]] = {}
        for topic in self.topics:
            committed = await self._stream.committed(self.group, topic)
            for partition, (low, high) in (await self._stream.watermarks(topic)).items():
                place = (topic, partition)
                known = reaches[place].next if place in reaches else 0
                start = max(low, min(known, committed.get(partition, 0)))
                if start < high:
                    ranges[place] = (start, high)
        return ranges

    async def _pass_batch(self, ranges: dict[TopicPartition, tuple[int, int]]) -> int:
        """Read one batch and count it; look at every event of it for itself if one of them cannot be counted."""
        try:
            taken = await self._read(ranges, read)
            await self._count(taken)
        except _CannotCount:
            taken = await self._read(ranges, checked)
            await self._count(taken)
        moved = {place: one.reached for place, one in taken.items() if one.reached > ranges[place][0]}
        await self._told()
        if moved:  # beside the next batch: a position that is told late is a batch read twice after a crash
            assert self._member is not None
            self._telling = asyncio.create_task(self._member.commit(moved))
        for place, one in taken.items():
            start, high = ranges.pop(place)
            if one.refusal is not None:
                self.stopped[place] = one.refusal
            elif start < one.reached < high:  # an adapter that gave nothing is asked next time
                ranges[place] = (one.reached, high)
        return sum(one.records for one in taken.values())

    async def _told(self) -> None:
        """Wait until the stream has the position of the batch before. Raises what it raised, but for a change of owners:

        what was counted is known by its identifiers, to whoever owns the partition now.
        """
        telling, self._telling = self._telling, None
        if telling is not None:
            try:
                await telling
            except Fenced:
                self._attend_at = 0.0

    async def _read(
        self, ranges: Mapping[TopicPartition, tuple[int, int]], reading: Reading
    ) -> dict[TopicPartition, _Taken]:
        """Read up to a batch of records from the partitions in turn; a busy one does not keep the others waiting."""
        places = sorted(ranges)
        self._first = (self._first + 1) % len(places)
        taken: dict[TopicPartition, _Taken] = {}
        room = BATCH
        for place in places[self._first :] + places[: self._first]:
            start, high = ranges[place]
            one = taken[place] = _Taken(start)
            while room > 0 and one.reached < high and one.refusal is None:
                records = await self._stream.read(*place, one.reached, min(READ, room, high - one.reached))
                if not records:
                    break
                await self._decode(one, records, reading)
                room -= len(records)
                await asyncio.sleep(0)
            if room <= 0:
                break
        return taken

    async def _decode(self, taken: _Taken, records: Sequence[Record], reading: Reading) -> None:
        """Decode records up to one that is refused."""
        batch = taken.batch
        if reading is read:
            with suppress(msgspec.MsgspecError, ValueError):  # one of them is not needed, or not as usual
                batch.events += read_all(records)
                batch.stored_at += [record.at for record in records]
                taken.records += len(records)
                taken.reached = records[-1].offset + 1
                return
        for record in records:
            try:
                event = reading(record)
            except InvalidInput as error:
                if reading is not checked:
                    raise _CannotCount from error
                try:
                    await self._on_bad(record, error)
                except TRANSIENT:
                    raise
                except RestockError as refusal:
                    taken.refusal, taken.reached = refusal, record.offset
                    return
            else:
                if event is not None:
                    batch.events.append(event)
                    batch.stored_at.append(record.at)
            taken.records += 1
        taken.reached = records[-1].offset + 1

    async def _count(self, taken: Mapping[TopicPartition, _Taken]) -> None:
        """Count what is fresh and remember it, in one transaction."""

        async def count(tx: Transaction) -> None:
            reaches = await store.reaches(tx)
            added = Additions()
            for place, one in taken.items():
                batch = one.batch
                reach = reaches.get(place, store.Reach())
                new = await store.INBOX.fresh_in(tx, {place: batch.ids()})
                try:
                    newest = batch.count(added, reach.newest, new)
                except (InvalidInput, TypeError) as error:  # the latter of a number that cannot even be remembered
                    raise _CannotCount from error
                reaches[place] = reach._replace(next=one.reached, newest=newest)
            await store.add(tx, added, max(reach.newest for reach in reaches.values()))
            await store.put_reaches(tx, {place: reaches[place] for place in taken})

        await self._database.write(f"consume.{self.group}", count)
