"""A subscriber: gives the events of some topics to a handler so that each has its effect once.

One batch goes through four steps, and a crash after any of them repeats the batch from the start::

    1  one unit in the consumer's database: inbox check, then the handler with the fresh events   (write `consume.<group>`)
    2  `after`, with all events of the batch, also those that were not fresh                      (at least once)
    3  the offsets are committed to the stream                                                    (write `offsets`)
    4  the next batch

So the effect happens exactly once (inbox), and the follow-up in `after` at least once: it must be idempotent. The order of
a partition is kept in both. This version is meant for one live member per group: a second one loses nothing and doubles
nothing, but does the same work again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from restock.core.errors import InvalidInput, RestockError, StorageFull, Unavailable
from restock.core.event import Event
from restock.engine.database import Database, Transaction
from restock.engine.stream.codec import decode
from restock.engine.stream.inbox import Inbox
from restock.engine.stream.pace import Pace
from restock.engine.stream.port import Record, Stream, TopicPartition

BATCH = 500
"""Events per unit: shares two disk flushes well, and a unit of a few milliseconds does not starve other writers."""

CHECK_SECONDS = 0.25
"""How often a subscriber looks without being woken: only records of another process wait for it."""

RETRY_SECONDS = 0.1
"""First pause after a transient failure; doubles up to `RETRY_MOST_SECONDS`."""

RETRY_MOST_SECONDS = 5.0
"""Longest pause: a neighbour that comes back is noticed within it."""

Handler = Callable[[Transaction, list[Event]], Awaitable[None]]
After = Callable[[list[Event]], Awaitable[None]]
OnBad = Callable[[Record, InvalidInput], Awaitable[None]]


async def refuse(_record: Record, error: InvalidInput) -> None:
    """Stop the partition at a record that is no event: the default for `on_bad`, until dead letters take it."""
    raise error


class Subscriber:
    """One consumer of one group.

    `handler(tx, events)` makes the effect and may await nothing but `tx`. `after(events)` is awaited after the effect was
    committed and before the offsets are. `on_bad(record, error)` parks a record that is no event and returns to go on
    behind it; when it raises RestockError, that partition stops there, loudly, and the others go on. With `types` given,
    records that name none of them anywhere are passed over without being read: reading costs more than looking.
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
        after: After | None = None,
        on_bad: OnBad = refuse,
        batch: int = BATCH,
    ) -> None:
        self.group = group
        self.topics = tuple(topics)
        self.retrying: RestockError | None = None
        """The transient failure that is being tried again, while it lasts."""
        self.stopped: dict[TopicPartition, RestockError] = {}
        """Partitions that stand at a record which `on_bad` refused."""
        self._stream = stream
        self._handler = handler
        self._database = database
        self._inbox = inbox
        self._types = tuple(name.encode() for name in types)
        self._after = after
        self._on_bad = on_bad
        self._batch = batch
        self._failure: Exception | None = None
        self._first = 0
        self._turn = asyncio.Lock()

    @property
    def problem(self) -> Exception | None:
        """Why the subscriber or one of its partitions stands still; a person must look. None when all is well."""
        return self._failure or next(iter(self.stopped.values()), None)

    async def run(self) -> None:
        """Consume until cancelled. A transient failure is retried with back-off; any other ends the run, see `problem`."""
        self._failure = None
        self.stopped.clear()
        bell = self._stream.listen(self.topics)
        pause, pace = RETRY_SECONDS, Pace()
        while True:
            pace.begin()
            try:
                done = await self._consume()
            except (Unavailable, StorageFull) as error:
                self.retrying = error
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_MOST_SECONDS)
                continue
            except Exception as error:
                self._failure = error
                return
            self.retrying, pause = None, RETRY_SECONDS
            if done:
                await pace.rest()
            await bell.wait(CHECK_SECONDS)

    async def drain(self) -> int:
        """Consume what is there now; give the number of records passed.

        Raises what the handler raised (the batch was undone, and comes again), or the error of a record that stopped its
        partition, after the other partitions were consumed.
        """
        self.stopped.clear()
        done = await self._consume()
        for refusal in self.stopped.values():
            raise refusal
        return done

    async def lag(self) -> int:
        """Give the number of records of the topics that are still to be consumed."""
        return sum(high - start for start, high in (await self._ranges()).values())

    async def _consume(self) -> int:
        done = 0
        async with self._turn:
            ranges = {place: span for place, span in (await self._ranges()).items() if place not in self.stopped}
            while ranges:
                done += await self._pass_batch(ranges)
        return done

    async def _ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """Give for each partition with something to read the next offset and the end as of now."""
        ranges: dict[TopicPartition, tuple[int, int]] = {}
        for topic in self.topics:
            committed = await self._stream.committed(self.group, topic)
            for partition, (low, high) in (await self._stream.watermarks(topic)).items():
                start = max(low, committed.get(partition, 0))
                if start < high:
                    ranges[topic, partition] = (start, high)
        return ranges

    async def _pass_batch(self, ranges: dict[TopicPartition, tuple[int, int]]) -> int:
        """Take one batch through all steps; shorten the ranges by it and drop those that are done or stopped."""
        events: list[Event] = []
        reached: dict[TopicPartition, int] = {}
        refused: dict[TopicPartition, RestockError] = {}
        room = self._batch
        for place in self._in_turn(ranges):
            start, high = ranges[place]
            records = await self._stream.read(*place, start, min(room, high - start))
            good, error = await self._decoded(records)
            events += (event for event in good if event is not None)
            room -= len(records)
            if error is not None:
                refused[place] = error
                reached[place] = records[len(good)].offset
            else:
                reached[place] = records[-1].offset + 1 if records else start
            if room <= 0:
                break
        await self._effect(events)
        moved = {place: offset for place, offset in reached.items() if offset > ranges[place][0]}
        if moved:
            await self._stream.commit(self.group, moved)
        self.stopped.update(refused)
        for place, offset in reached.items():
            start, high = ranges.pop(place)
            if start < offset < high and place not in refused:  # an adapter that gave nothing is asked next time
                ranges[place] = (offset, high)
        return self._batch - room

    def _in_turn(self, ranges: dict[TopicPartition, tuple[int, int]]) -> list[TopicPartition]:
        """Give the partitions so that each comes first once: a busy one does not keep the others waiting."""
        places = sorted(ranges)
        self._first = (self._first + 1) % len(places)
        return places[self._first :] + places[: self._first]

    async def _decoded(self, records: Sequence[Record]) -> tuple[list[Event | None], RestockError | None]:
        """Give the events up to the first record that is refused, None for a parked one, and why it was refused."""
        events: list[Event | None] = []
        for record in records:
            if self._types and not self._is_wanted(record.value):
                events.append(None)
                continue
            try:
                events.append(decode(record))
            except InvalidInput as error:
                try:
                    await self._on_bad(record, error)
                except (Unavailable, StorageFull):
                    raise
                except RestockError as refusal:
                    return events, refusal
                events.append(None)
        return events, None

    def _is_wanted(self, value: bytes) -> bool:
        for name in self._types:  # noqa: SIM110 - a generator would cost as much as the search
            if value.find(name) >= 0:  # `in` asks first whether the name is a number, at ten times the price
                return True
        return False

    async def _effect(self, events: list[Event]) -> None:
        """Make the effect of the fresh events in one unit, then the follow-up of all."""
        if not events:
            return

        async def consume(tx: Transaction) -> None:
            fresh = await self._inbox.fresh(tx, [event.event_id for event in events])
            once: list[Event] = []
            for event in events:
                if event.event_id in fresh:
                    fresh.remove(event.event_id)
                    once.append(event)
            if once:
                await self._handler(tx, once)

        await self._database.write(f"consume.{self.group}", consume)
        if self._after is not None:
            await self._after(events)
