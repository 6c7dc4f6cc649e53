"""Records of several partitions in the order in which they were stored, and what they hold for people."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal

import msgspec

from restock.core.errors import InvalidInput, NotFound
from restock.core.event import Event
from restock.engine.stream import Record, Stream, TopicPartition, decode
from restock.engine.stream.port import Watermarks
from restock.streams.model import Begin, Start
from restock.streams.port import SeenRecord

READ = 500
"""Records read at once from each partition: as many as a stored batch holds at most."""

SHOWN_TEXT = 1000
"""Characters that are shown of a record that holds no event."""

Places = dict[int, int]
"""The next offset to read, by partition."""


async def merged(
    stream: Stream, places: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> AsyncIterator[Record]:
    """Give the records from the places up to the ends, across partitions by the moment they were stored."""
    waiting: list[tuple[str, TopicPartition, Record]] = []
    buffers: dict[TopicPartition, deque[Record]] = {}

    async def refill(place: TopicPartition, offset: int) -> None:
        buffer = buffers.get(place)
        if not buffer:
            found = await stream.read(*place, offset, READ) if offset < ends[place] else []
            buffer = buffers[place] = deque(record for record in found if record.offset < ends[place])
        if buffer:
            record = buffer.popleft()
            heapq.heappush(waiting, (record.at, place, record))

    for place, offset in places.items():
        await refill(place, offset)
    while waiting:
        _, place, record = heapq.heappop(waiting)
        yield record
        await refill(place, record.offset + 1)


async def resolved(stream: Stream, topic: str, start: Start, marks: Mapping[int, Watermarks]) -> Places:
    """Give the place in each partition where a start lies, as near as the partition has it."""
    wanted: Mapping[int, int]
    match start.begin:
        case Begin.EARLIEST:
            wanted = {}
        case Begin.LATEST:
            wanted = {part: ends.high for part, ends in marks.items()}
        case Begin.OFFSET:
            wanted = dict.fromkeys(marks, start.number)
        case Begin.MOMENT:
            wanted = await stream.offsets_at(topic, start.moment)
        case Begin.LAST:
            wanted = await _last(stream, topic, start.number, marks)
        case Begin.PLACES:
            wanted = _known(topic, dict(start.places), marks)
    return {part: min(max(wanted.get(part, 0), low), high) for part, (low, high) in marks.items()}


def _known(topic: str, places: Places, marks: Mapping[int, Watermarks]) -> Places:
    for part in places:
        if part not in marks:
            raise NotFound(f"Topic {topic} has no partition {part}.", field="start", remedy=f"It has {len(marks)}.")
    return places


async def _last(stream: Stream, topic: str, count: int, marks: Mapping[int, Watermarks]) -> Places:
    """Give where the last so many records of all partitions together begin."""
    begin = {(topic, part): max(ends.low, ends.high - count) for part, ends in marks.items()}
    ends = {(topic, part): ends.high for part, ends in marks.items()}
    last: deque[tuple[int, int]] = deque(maxlen=count)
    async for record in merged(stream, begin, ends):
        last.append((record.partition, record.offset))
    places = {part: ends.high for part, ends in marks.items()}
    for part, offset in last:
        places[part] = min(places[part], offset)
    return places


def event_in(record: Record) -> Event | None:
    """Give the event that a record holds, if it does."""
    try:
        return decode(record)
    except InvalidInput:
        return None


def searched(record: Record, event: Event | None) -> object:
    """Give what a path is looked for in: the event, or whatever JSON the record holds."""
    if event is not None:
        return {
            "event_id": event.event_id,
            "type": event.type,
            "at": event.at,
            "causation_id": event.causation_id,
            "key": event.key,
            "data": event.data,
        }
    try:
        return _any_json(record.value or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError):
        return None


def seen(record: Record, event: Event | None) -> SeenRecord:
    """Give a record as people see it."""
    if event is None:
        text = "" if record.value is None else record.value.decode(errors="replace")[:SHOWN_TEXT]
        return SeenRecord(
            record.topic, record.partition, record.offset, record.at, record.key, "", "", "", "", {}, text
        )
    return SeenRecord(
        record.topic,
        record.partition,
        record.offset,
        record.at,
        record.key,
        event.type,
        event.event_id,
        event.causation_id,
        event.at,
        event.data,
        "",
    )


_any_json = msgspec.json.Decoder(float_hook=Decimal).decode
