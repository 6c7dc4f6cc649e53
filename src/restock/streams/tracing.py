"""What followed from an event: found by looking once through all topics from the event's own moment on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from restock.core.clock import timestamp
from restock.core.errors import NotFound
from restock.engine.stream import EVENT_ID_HEADER, Record, Stream, TopicPartition
from restock.streams.port import Trace, TraceStep
from restock.streams.reading import event_in, merged

MAX_LOOKED = 500_000
"""Records that are looked at: some seconds; what follows from an event nearly always follows within minutes."""

BEFORE = timedelta(minutes=1)
"""How far before an event's own moment its record is looked for: clocks of two machines may differ so much."""


class _Head(msgspec.Struct):
    event_id: str
    type: str
    causation_id: str = ""


_head = msgspec.json.Decoder(_Head).decode


async def trace(stream: Stream, event_id: str) -> Trace:
    """Give an event and all that followed from it. Raises NotFound."""
    places: dict[TopicPartition, int] = {}
    ends: dict[TopicPartition, int] = {}
    began = _made(event_id)
    for topic in await stream.topics():
        found = await stream.offsets_at(topic, began)
        for part, (low, high) in (await stream.watermarks(topic)).items():
            places[topic, part], ends[topic, part] = max(low, found[part]), high
    known: dict[str, TraceStep] = {}
    looked = 0
    async for record in merged(stream, places, ends):
        looked += 1
        step = _step(record, event_id, known)
        if step is not None:
            known.setdefault(step.event_id, step)
        if looked == MAX_LOOKED:
            break
    if event_id not in known:
        raise NotFound(
            f"No record of event {event_id} is on the stream.",
            field="event_id",
            remedy="Take the event_id of `restock tail TOPIC --json`; old records may be forgotten.",
        )
    return Trace(_ordered(known, event_id), looked, looked < MAX_LOOKED)


def _step(record: Record, event_id: str, known: dict[str, TraceStep]) -> TraceStep | None:
    """Give the step that a record is, if it is the event or follows from one that is known."""
    try:
        head = _head(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        event = event_in(record)  # not JSON: framed, or no event
        if event is not None:
            head = _Head(event.event_id, event.type, event.causation_id)
        elif record.headers.get(EVENT_ID_HEADER) == event_id:
            head = _Head(event_id, "")
        else:
            return None
    if head.event_id == event_id:
        depth = 0
    elif head.causation_id in known:
        depth = known[head.causation_id].depth + 1
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
    )


def _ordered(known: dict[str, TraceStep], event_id: str) -> list[TraceStep]:
    """Give the tree, each step before its children, children as they were stored."""
    children: dict[str, list[TraceStep]] = {}
    for step in known.values():
        if step.depth:
            children.setdefault(step.causation_id, []).append(step)
    ordered: list[TraceStep] = []
    waiting = [known[event_id]]
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
