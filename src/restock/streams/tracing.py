"""What followed from an event, or is of a trace: found by looking once through all topics from its own moment on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from restock.core.clock import timestamp
from restock.core.errors import NotFound
from restock.core.trace import TRACEPARENT, id_of
from restock.engine.stream import EVENT_ID_HEADER, Record, Stream, TopicPartition
from restock.streams.port import Trace, TraceStep
from restock.streams.reading import event_in, merged

MAX_LOOKED = 500_000
"""Records that are looked at: some seconds; what follows from an event nearly always follows within minutes."""

BEFORE = timedelta(minutes=1)
"""How far before an event's own moment its record is looked for: clocks of two machines may differ so much."""


_Places = dict[TopicPartition, int]
_TRACE = re.compile("[0-9a-f]{32}")


class _Head(msgspec.Struct):
    event_id: str
    type: str
    causation_id: str = ""


_head = msgspec.json.Decoder(_Head).decode


async def trace(stream: Stream, event_id: str) -> Trace:
    """Give an event and all that followed from it, or the events of a trace among the newest. Raises NotFound."""
    places, ends = await _from_newest(stream) if _TRACE.fullmatch(event_id) else await _from_made(stream, event_id)
    known: dict[str, TraceStep] = {}
    looked = 0
    async for record in merged(stream, places, ends):
        looked += 1
        step = _step(record, event_id, known)
        if step is not None:
            known.setdefault(step.event_id, step)
        if looked == MAX_LOOKED:
            break
    if not any(step.depth == 0 for step in known.values()):
        raise NotFound(
            f"No record of event {event_id} is on the stream.",
            field="event_id",
            remedy="Take the event_id of `restock tail TOPIC --json`, or a trace_id of a server's log;"
            " old records may be forgotten.",
        )
    return Trace(_ordered(known), looked, looked < MAX_LOOKED)


async def _from_made(stream: Stream, event_id: str) -> tuple[_Places, _Places]:
    """Give where records of an event's own moment begin, and where all end."""
    places: _Places = {}
    ends: _Places = {}
    began = _made(event_id)
    for topic in await stream.topics():
        found = await stream.offsets_at(topic, began)
        for part, (low, high) in (await stream.watermarks(topic)).items():
            places[topic, part], ends[topic, part] = max(low, found[part]), high
    return places, ends


async def _from_newest(stream: Stream) -> tuple[_Places, _Places]:
    """Give where the newest records begin, as many as are looked at, and where they end: a trace tells no moment."""
    ends: _Places = {}
    lows: _Places = {}
    for topic in await stream.topics():
        for part, (low, high) in (await stream.watermarks(topic)).items():
            lows[topic, part], ends[topic, part] = low, high
    each = MAX_LOOKED // max(len(ends), 1)
    return {place: max(low, ends[place] - each) for place, low in lows.items()}, ends


def _step(record: Record, event_id: str, known: dict[str, TraceStep]) -> TraceStep | None:
    """Give the step that a record is, if it is the event or of the trace, or follows from one that is known."""
    trace_id = id_of(record.headers.get(TRACEPARENT, ""))
    head = _head_of(record)
    if head is None:
        if record.headers.get(EVENT_ID_HEADER) != event_id:
            return None
        head = _Head(event_id, "")
    if head.event_id == event_id:
        depth = 0
    elif head.causation_id in known:
        depth = known[head.causation_id].depth + 1
    elif trace_id == event_id:
        depth = 0
    else:
        return None
    return TraceStep(
        depth,
        head.event_id,
        head.causation_id,
        head.type,
        record.topic,
        record.partition,
        record.offset,
        record.at,
        record.key,
        trace_id,
    )


def _head_of(record: Record) -> _Head | None:
    """Give what a trace needs of an event; a framed one is read whole, JSON is only looked at."""
    try:
        return _head(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        event = event_in(record)
    return None if event is None else _Head(event.event_id, event.type, event.causation_id)


def _ordered(known: dict[str, TraceStep]) -> list[TraceStep]:
    """Give the tree, each step before its children, children as they were stored."""
    children: dict[str, list[TraceStep]] = {}
    for step in known.values():
        if step.depth:
            children.setdefault(step.causation_id, []).append(step)
    ordered: list[TraceStep] = []
    waiting = [step for step in reversed(known.values()) if not step.depth]
    while waiting:
        step = waiting.pop()
        ordered.append(step)
        waiting += reversed(children.get(step.event_id, ()))
    return ordered


def _made(event_id: str) -> str:
    """Give the moment before which an event cannot be on the stream: identifiers of ours begin with theirs."""
    try:
        number = UUID(event_id)
    except ValueError:
        return ""
    if number.version != 7:
        return ""
    try:
        made = datetime.fromtimestamp((number.int >> 80) // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return timestamp(made - BEFORE)
