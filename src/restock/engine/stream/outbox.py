"""The outbox and its relay: an event leaves if, and only if, the change it tells of was committed.

A context adds events in the unit that makes the change; those of one unit stand in one row, because a row per event would
cost more than the event. The relay publishes them in the order of `seq` and deletes exactly
the rows it published. It never remembers the highest `seq`: with several writers a lower number can become visible later.
A crash between publish and delete publishes again; the consumers' inboxes drop the second delivery. Two relays on one
outbox are legal too: the first appearance of the events is still in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from time import perf_counter_ns
from typing import NamedTuple

import msgspec
from sqlalchemy import Table, bindparam, delete, func, insert, select

from restock.core import trace
from restock.core.clock import Clock, SystemClock, timestamp
from restock.core.errors import RestockError
from restock.core.event import Event
from restock.engine.database import Database, Row, Statement, Transaction
from restock.engine.stream.checks import check_message
from restock.engine.stream.codec import encode
from restock.engine.stream.pace import Pace
from restock.engine.stream.port import EVENT_ID_HEADER, MAX_KEY_BYTES, MAX_MESSAGE_BYTES, Message, Position, Stream

RELAY_BATCH = 2_000
"""Events per publish: large enough that two disk flushes cost little each, small enough to hold a lock under 20 ms."""

FIRST_BATCH = 128
"""Rows of a relay's first batch, before it knows how large they are: at most 256 MiB even at the size limit."""

RELAY_BYTES = 8 << 20
"""Batches grow while they stay under this size and shrink above it, so that large events do not fill the memory."""

RELAY_SECONDS = 0.25
"""How often the relay looks without being told: only events written by another process wait for it."""

RETRY_SECONDS = 0.1
"""First pause after a failed publish; doubles up to `RETRY_MOST_SECONDS`."""

RETRY_MOST_SECONDS = 5.0
"""Longest pause: a stream that comes back is noticed within it."""

BATCH_EVENTS = 500
"""Events in one row: beyond that a row saves nothing more."""

BATCH_BYTES = 1 << 20
"""A row is closed once it has so many bytes, so that the relay can take rows within `RELAY_BYTES`."""

HEADER_ROOM = 256
"""Bytes kept free for headers when the size of an event is checked, before it is known which travel along."""


FRAMED_AT_ONCE = 100
"""Events put into another form before others have a turn: about 2 ms."""

Framed = Callable[[str, bytes], bytes]
"""Gives the bytes to publish for an event's topic and bytes (`restock.engine.stream.framing`)."""


class Backlog(NamedTuple):
    """Events that wait in an outbox, and when the oldest was written (empty for none)."""

    events: int
    oldest: str


class Waiting(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An event as it waits: encoded, and checked to be what every stream takes; `trace` is its traceparent, or empty."""

    event_id: str
    topic: str
    key: str
    value: bytes
    trace: str = ""


class Packed(NamedTuple):
    """Events of one unit as a context keeps them by itself: how many, and their bytes, at most about `BATCH_BYTES`."""

    events: int
    batch: bytes


def events_in(batch: bytes) -> list[Waiting]:
    """Give the events of a row's batch, as `Outbox.add` wrote it."""
    return _unpack(batch)


class Outbox:
    """The events of one context that wait to be published; `table` comes from `tables.outbox_table`.

    A context that makes thousands of events a second may keep them in a form of its own, which is shorter than what is
    published, and give `events_in` that writes them out for the relay. It reads every form that ever was, and that of `add`.
    """

    def __init__(
        self, table: Table, clock: Clock | None = None, events_in: Callable[[bytes], list[Waiting]] = events_in
    ) -> None:
        self.events_in = events_in
        self._clock = clock or SystemClock()
        columns = table.c
        filled = [column.name for column in columns if column.name != "seq"]
        self._add = Statement(insert(table).values({name: bindparam(name) for name in filled}))
        self.next = Statement(
            select(columns.seq, columns.events, columns.batch).order_by(columns.seq).limit(bindparam("most"))
        )
        self.forget = Statement(delete(table).where(columns.seq.between(bindparam("first"), bindparam("last"))))
        self._backlog = Statement(select(func.sum(columns.events), func.min(columns.created_at)).select_from(table))

    async def add(self, tx: Transaction, events: Sequence[Event], traceparent: str = "") -> None:
        """Write the events in this unit, in their order; they are published once it is committed.

        They belong to the trace of what caused them, or else to the given one. Raises InvalidInput for an event that no
        stream would take, so that the unit fails and not the relay.
        """
        await self.add_encoded(
            tx,
            [
                Waiting(one.event_id, one.topic, one.key, encode(one), trace.of(one.causation_id) or traceparent)
                for one in events
            ],
        )

    async def add_encoded(self, tx: Transaction, events: Sequence[Waiting]) -> None:
        """Write events whose values are those of `restock.engine.stream.encode`. Raises InvalidInput."""
        await self.add_packed(tx, packed(events))

    async def add_packed(self, tx: Transaction, batches: Sequence[Packed]) -> None:
        """Write batches that the outbox's `events_in` reads; every event of them is one that `packed` would take."""
        at = timestamp(self._clock.now())
        rows = [{"events": one.events, "batch": one.batch, "created_at": at} for one in batches]
        await tx.write_many(self._add, rows)

    async def backlog(self, database: Database) -> Backlog:
        """Give how many events wait and since when."""
        ((events, oldest),) = await database.read(self._backlog)
        return Backlog(int(events or 0), oldest or "")


class Relay:
    """Moves the events of one outbox to the stream, in the form that `framed` gives them if there is one.

    Its durable write is named `relay.delete`. `aside` as of `Pace`.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        stream: Stream,
        framed: Framed | None = None,
        *,
        aside: bool = False,
    ) -> None:
        self.problem: RestockError | None = None
        self._database = database
        self._outbox = outbox
        self._stream = stream
        self._framed = framed
        self._told = asyncio.Event()
        self._turn = asyncio.Lock()
        self._most = FIRST_BATCH
        self._aside = aside

    def notify(self) -> None:
        """Tell the relay that events were committed; it wakes at once."""
        self._told.set()

    @property
    def name(self) -> str:
        """The name of the outbox's database."""
        return self._database.name

    async def backlog(self) -> Backlog:
        """Give how many events wait and since when."""
        return await self._outbox.backlog(self._database)

    async def drain(self) -> int:
        """Publish what waits, in order, until nothing does; give the number of events published."""
        done = 0
        while count := await self._round():
            done += count
        return done

    async def run(self) -> None:
        """Publish for ever, until cancelled. A failure is kept in `problem` and tried again with back-off."""
        pause, pace = RETRY_SECONDS, Pace(aside=self._aside)
        while True:
            self._told.clear()
            pace.begin()
            try:
                count = await self._round()
            except RestockError as error:
                self.problem = error
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_MOST_SECONDS)
                continue
            self.problem, pause = None, RETRY_SECONDS
            if count:
                await pace.rest(count)
            else:
                await self._until_told()

    async def _round(self) -> int:
        """Publish one batch; give the number of its events, 0 when nothing waits."""
        async with self._turn:
            rows = await self._database.read(self._outbox.next, {"most": self._most})
            if not rows:
                return 0
            rows = _within(rows, RELAY_BATCH)
            messages = [_message(event) for row in rows for event in self._outbox.events_in(row[2])]
            if self._framed is not None:
                messages = await _each_framed(messages, self._framed)
            began = perf_counter_ns()
            places = await self._stream.publish(messages)
            _record(self.name, began, messages, places)
            runs = _runs([row[0] for row in rows])

            async def forget(tx: Transaction) -> None:
                await tx.write_many(self._outbox.forget, runs)

            await self._database.write("relay.delete", forget)
            small = sum(len(row[2]) for row in rows) < RELAY_BYTES
            self._most = min(self._most * 2, RELAY_BATCH) if small else max(self._most // 2, 1)
            return len(messages)

    async def _until_told(self) -> None:
        try:
            async with asyncio.timeout(RELAY_SECONDS):
                await self._told.wait()
        except TimeoutError:
            return


def packed(events: Sequence[Waiting]) -> list[Packed]:
    """Give the batches of events. Raises InvalidInput for one that no stream would take."""
    if len(events) == 1:  # an order by itself: what pays for many would cost it more than the rest
        check_message(events[0].topic, events[0].key, events[0].value, HEADER_ROOM)
        return [Packed(1, _pack(events))]
    _check(events)
    return [Packed(len(batch), _pack(batch)) for batch in _batches(events)]


def _check(events: Sequence[Waiting]) -> None:
    """Look at once at what is nearly always right."""
    keys = [event.key for event in events]
    longest = max((len(event.value) for event in events), default=0)
    plain_keys = all(keys) and max(map(len, keys), default=0) <= MAX_KEY_BYTES and "".join(keys).isascii()
    if not plain_keys or longest + HEADER_ROOM >= MAX_MESSAGE_BYTES >> 1:
        for event in events:
            check_message(event.topic, event.key, event.value, HEADER_ROOM)


def _batches(events: Sequence[Waiting]) -> Iterator[Sequence[Waiting]]:
    """Cut events into batches of at most `BATCH_EVENTS` and about `BATCH_BYTES`."""
    start = 0
    while start < len(events):
        batch = events[start : start + BATCH_EVENTS]
        if sum(len(event.value) for event in batch) >= BATCH_BYTES:
            sizes = accumulate(len(event.value) for event in batch)
            batch = batch[: next(number for number, size in enumerate(sizes, 1) if size >= BATCH_BYTES)]
        yield batch
        start += len(batch)


def _within(rows: list[Row], most: int) -> list[Row]:
    """Give the first rows with at most so many events, but one at least."""
    events = 0
    for place, row in enumerate(rows):
        events += row[1]
        if events > most and place:
            return rows[:place]
    return rows


def _message(event: Waiting) -> Message:
    headers = {EVENT_ID_HEADER: event.event_id}
    if event.trace:
        headers[trace.TRACEPARENT] = event.trace
    return Message(event.topic, event.key, event.value, headers)


def _record(name: str, began: int, messages: Sequence[Message], places: Sequence[Position]) -> None:
    """Leave a span for each event of a sampled trace."""
    for message, place in zip(messages, places, strict=True):
        parent = message.headers.get(trace.TRACEPARENT)
        if parent and trace.is_sampled(parent):
            told = {"event_id": message.headers[EVENT_ID_HEADER], "database": name, **_told(place)}
            trace.record(trace.child(parent), parent, f"publish {place.topic}", began, told, kind="producer")


def _told(place: Position) -> dict[str, str]:
    return {"topic": place.topic, "partition": str(place.partition), "offset": str(place.offset)}


async def _each_framed(messages: list[Message], framed: Framed) -> list[Message]:
    """Give the messages in their other form, letting others of the loop have their turn in between."""
    made: list[Message] = []
    for start in range(0, len(messages), FRAMED_AT_ONCE):
        for one in messages[start : start + FRAMED_AT_ONCE]:
            assert one.value is not None
            made.append(Message(one.topic, one.key, framed(one.topic, one.value), one.headers))
        await asyncio.sleep(0)
    return made


def _runs(numbers: Iterable[int]) -> list[dict[str, int]]:
    """Join ascending numbers into runs without gaps: deleting a run deletes exactly the rows that were read."""
    runs: list[dict[str, int]] = []
    for number in numbers:
        if runs and number == runs[-1]["last"] + 1:
            runs[-1]["last"] = number
        else:
            runs.append({"first": number, "last": number})
    return runs


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Waiting]).decode
