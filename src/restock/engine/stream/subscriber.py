"""A subscriber: gives the events of some topics to a handler so that each has its effect once.

One batch goes through four steps, and a crash after any of them repeats the batch from the start::

    1  one unit in the consumer's database: inbox check, then the handler with the fresh events   (write `consume.<group>`)
    2  `after`, with all events of the batch, also those that were not fresh                      (at least once)
    3  the offsets are committed to the stream                                                    (write `offsets`)
    4  the next batch

So the effect happens exactly once (inbox), and the follow-up in `after` at least once: it must be idempotent. The order of
a partition is kept in both. Several subscribers of a group, in this process or others, share its partitions.

A transient failure (Unavailable, StorageFull) is tried again with the whole batch, for ever: order is kept, the lag tells.
A handler that finds fault with events names them (`Unfit`): these go to `on_bad`, which parks them, the others are handled.
Any other failure is looked for event by event; the one that fails `TRIES` times, and a record that is no event, are parked
too, and the partition goes on behind. When nothing but failures come, the partition stops: then the handler is wrong and not
the records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from restock.core.errors import InvalidInput, RestockError
from restock.engine.database import Database, Transaction
from restock.engine.stream.codec import decode
from restock.engine.stream.inbox import Inbox
from restock.engine.stream.keeping_up import TRANSIENT, KeepingUp
from restock.engine.stream.port import Fenced, Record, Stream, TopicPartition
from restock.engine.stream.traced import traced

BATCH = 500
"""Events per unit: shares two disk flushes well, and a unit of a few milliseconds does not starve other writers."""

TRIES = 3
"""How often an event is tried before it is parked: what fails three times in a row will fail the fourth time."""

PARKED_IN_A_ROW = 100
"""Events of a partition parked without one success between them, after which it stops."""


class Identified(Protocol):
    """What a record says, as far as this module looks: an `Event`, or what a reader of its own makes of a record."""

    @property
    def event_id(self) -> str:
        """By which a second delivery is recognised."""
        ...


class Unfit(Exception):
    """A handler refuses events for what they say, each by its identifier with the reason; the unit is undone."""

    def __init__(self, reasons: Mapping[str, RestockError]) -> None:
        super().__init__(*reasons.values())
        self.reasons = reasons


TURNS_TO_COMMIT = 2
"""Turns of the event loop after which a unit has run and its commit is under way: the time to read the next."""

Handler = Callable[[Transaction, list[Any]], Awaitable[None]]
After = Callable[[list[Any]], Awaitable[None]]
Reading = Callable[[Record], Identified]


class OnBad(Protocol):
    """Parks a record that could not be handled in so many attempts, and returns to go on behind it."""

    async def __call__(self, record: Record, error: Exception, attempts: int = 1, /) -> None:
        """Park it; raising stops its partition."""
        ...


_Given = list[tuple[Record, Identified]]
"""The events of a batch, each with the record it came in."""


async def refuse(_record: Record, error: Exception, _attempts: int = 1, /) -> None:
    """Stop the partition at a record that cannot be handled: the default for `on_bad`."""
    raise error


class Subscriber(KeepingUp):
    """One consumer of one group.

    `handler(tx, events)` makes the effect, may await nothing but `tx`, and raises Unfit for events that it refuses before it
    writes. `after(events)` is awaited after the effect was
    committed and before the offsets are. `on_bad(record, error, attempts)` parks a record and returns to go on behind
    it; when it raises, that partition stops there, loudly, and the others go on. With `types` given, records that name none
    of them anywhere are passed over without being read: reading costs more than looking. `reading(record)` gives what the
    handler gets for a record and raises InvalidInput for one that is no event: whoever needs a part of it only reads that.
    `aside` says that no purchase waits for this consumer, so it may gather events for a moment (`Pace`).
    """

    def __init__(
        self,
        stream: Stream,
        group: str,
        topics: Sequence[str],
        handler: Handler,
        database: Database,
        inbox: Inbox,
        *,
        types: Collection[str] = (),
        reading: Reading = decode,
        after: After | None = None,
        on_bad: OnBad = refuse,
        batch: int = BATCH,
        at_once: int = 1,
        aside: bool = False,
    ) -> None:
        super().__init__(aside=aside)
        self.group = group
        self.topics = tuple(topics)
        self._stream = stream
        self._consumer = stream.consumer(group, topics)
        self._handler = handler
        self._database = database
        self._inbox = inbox
        self._types = tuple(name.encode() for name in types)
        self._reading = reading
        self._after = after
        self._on_bad = on_bad
        self._batch = batch
        self._at_once = at_once
        self._parked: dict[TopicPartition, int] = {}
        self._stopped_at: dict[TopicPartition, int] = {}
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Consume until cancelled. A transient failure is retried with back-off; another one ends it: `problem`."""

        async def take() -> int:
            async with self._turn:
                return await self._pass_batch()

        self._resume()
        await self._keep_up(take, self._consumer.wait)

    async def drain(self) -> int:
        """Consume what is there now; give the number of records passed.

        Raises what the handler raised (the batch was undone, and comes again), or the error of a record that stopped its
        partition, after the other partitions were consumed.
        """
        self._resume()
        done = 0
        async with self._turn:
            ends = await self._ends()
            while True:
                done += await self._pass_batch()
                behind = [
                    place
                    for place, position in self._consumer.assignment.items()
                    if place not in self.stopped and position < ends.get(place, 0)
                ]
                if not behind:
                    break
        for refusal in self.stopped.values():
            raise refusal
        return done

    async def lag(self) -> int:
        """Give the number of records of the topics that are still to be consumed."""
        waiting = 0
        for topic in self.topics:
            committed = await self._stream.committed(self.group, topic)
            for partition, (low, high) in (await self._stream.watermarks(topic)).items():
                waiting += high - max(low, committed.get(partition, 0))
        return waiting

    async def close(self) -> None:
        """Leave the group."""
        await self._consumer.close()

    async def _ends(self) -> dict[TopicPartition, int]:
        return {
            (topic, partition): marks.high
            for topic in self.topics
            for partition, marks in (await self._stream.watermarks(topic)).items()
        }

    def _resume(self) -> None:
        for place in self.stopped:
            self._consumer.resume(place)
        self.stopped.clear()
        self._parked.clear()

    async def _pass_batch(self) -> int:
        """Take one batch through all steps; give the number of its records."""
        records = await self._consumer.poll(self._batch * self._at_once)
        if not records:
            return 0
        firsts = {(record.topic, record.partition): record.offset for record in reversed(records)}
        try:
            passed = await self._in_units(records)
            reached = firsts | {(record.topic, record.partition): record.offset + 1 for record in passed}
            moved = {place: offset for place, offset in reached.items() if offset > firsts[place]}
            if moved:
                await self._consumer.commit(moved)
        except Fenced:
            return 0  # another member has it: what was done is in the inbox
        except BaseException:
            for place, offset in firsts.items():
                self._consumer.seek(place, offset)
            raise
        for place in self.stopped:
            if place in reached:
                self._consumer.seek(place, reached[place])
        return len(passed)

    async def _in_units(self, records: list[Record]) -> list[Record]:
        """Handle the records unit after unit, each read while the disk works on the one before; give those done with."""
        if len(records) <= self._batch:
            return await self._handled(records, self._read(records))
        done: list[Record] = []
        units = [records[start : start + self._batch] for start in range(0, len(records), self._batch)]
        events = self._read(units[0])
        for unit, following in zip(units, [*units[1:], []], strict=True):
            passed, events = await asyncio.gather(self._handled(unit, events), self._read_ahead(following))
            done += passed
        return done

    async def _read_ahead(self, records: list[Record]) -> list[Identified] | None:
        for _ in range(TURNS_TO_COMMIT):
            await asyncio.sleep(0)
        return self._read(records)

    def _read(self, records: list[Record]) -> list[Identified] | None:
        """Give the events of records that are all wanted and all readable, as nearly always; else None."""
        if self.stopped or self._types:
            return None
        try:
            return list(map(self._reading, records))
        except InvalidInput:
            return None

    async def _handled(self, records: list[Record], events: list[Identified] | None) -> list[Record]:
        """Handle one unit; give the records that are done with, which leaves out what follows a refused one."""
        if events is None or self.stopped:
            given, done = await self._given(records)
        else:
            given, done = list(zip(records, events, strict=True)), records
        try:
            await self._effect_of_fit(given)
        except TRANSIENT:
            raise
        except Exception:
            await self._one_by_one(given)
        else:
            self._parked.clear()
        return [record for record in done if not self._is_behind(record)] if self.stopped else done

    async def _effect_of_fit(self, given: _Given) -> None:
        """Make the effect of the events that the handler does not refuse, and park the others."""
        refused = True
        while refused:
            try:
                await self._effect(given)
            except Unfit as unfit:
                for record, event in given:
                    if event.event_id in unfit.reasons and not self._is_behind(record):
                        await self._put_aside(record, unfit.reasons[event.event_id], 1)
                given = [
                    (record, event)
                    for record, event in given
                    if event.event_id not in unfit.reasons and not self._is_behind(record)
                ]
            else:
                refused = False

    async def _given(self, records: list[Record]) -> tuple[_Given, list[Record]]:
        """Read record by record: give those to be handled, and all that are done with once these are."""
        given: _Given = []
        done: list[Record] = []
        for record in records:
            if (record.topic, record.partition) in self.stopped:
                continue
            if self._types and not self._is_wanted(record.value or b""):
                done.append(record)
                continue
            try:
                given.append((record, self._reading(record)))
            except InvalidInput as error:
                if not await self._park(record, error):
                    continue
            done.append(record)
        return given, done

    async def _one_by_one(self, given: _Given) -> None:
        """Some event of a batch cannot be handled: find it, and let the others have their effect."""
        for record, event in given:
            if self._is_behind(record):
                continue
            for attempt in range(1, TRIES + 1):
                try:
                    await self._effect_of_fit([(record, event)])
                except TRANSIENT:
                    raise
                except Exception as error:
                    if attempt == TRIES:
                        await self._park(record, error, attempt)
                else:
                    self._parked.pop((record.topic, record.partition), None)
                    break

    async def _park(self, record: Record, error: Exception, attempts: int = 1) -> bool:
        """Give a record to `on_bad`; say whether it took it. Otherwise, or after too many, the partition stops there."""
        place = (record.topic, record.partition)
        self._parked[place] = self._parked.get(place, 0) + 1
        if self._parked[place] > PARKED_IN_A_ROW:
            self._stop(record, error)
            return False
        return await self._put_aside(record, error, attempts)

    async def _put_aside(self, record: Record, error: Exception, attempts: int) -> bool:
        try:
            await self._on_bad(record, error, attempts)
        except TRANSIENT:
            raise
        except Exception as refusal:
            self._stop(record, refusal)
            return False
        return True

    def _stop(self, record: Record, error: Exception) -> None:
        place = (record.topic, record.partition)
        self.stopped[place] = error
        self._stopped_at[place] = record.offset
        self._consumer.pause(place)

    def _is_behind(self, record: Record) -> bool:
        """Tell whether the record stands at or behind one that stopped its partition."""
        place = (record.topic, record.partition)
        return place in self.stopped and record.offset >= self._stopped_at[place]

    def _is_wanted(self, value: bytes) -> bool:
        for name in self._types:  # noqa: SIM110 - a generator would cost as much as the search
            if value.find(name) >= 0:  # `in` asks first whether the name is a number, at ten times the price
                return True
        return False

    async def _effect(self, given: _Given) -> None:
        """Make the effect of the fresh events in one unit, then the follow-up of all."""
        if not given:
            return
        events = [event for _, event in given]
        ids: dict[TopicPartition, list[str]] = {}
        for record, event in given:
            ids.setdefault((record.topic, record.partition), []).append(event.event_id)

        async def consume(tx: Transaction) -> None:
            fresh = await self._inbox.fresh_in(tx, ids)
            once = events if fresh is None else _firsts(events, fresh)
            if once:
                await self._handler(tx, once)

        async with traced(given, f"consume {self.group}"):
            await self._database.write(f"consume.{self.group}", consume)
            if self._after is not None:
                await self._after(events)


def _firsts(events: list[Identified], fresh: set[str]) -> list[Identified]:
    """Give the first event of each fresh identifier."""
    left = set(fresh)
    once: list[Identified] = []
    for event in events:
        if event.event_id in left:
            left.remove(event.event_id)
            once.append(event)
    return once
