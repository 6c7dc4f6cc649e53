"""Keeps the promise of the streams port on a stream and the outboxes before it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from itertools import count
from typing import Protocol

from restock.core.clock import Clock, moment
from restock.core.errors import Conflict, InvalidInput, NotFound
from restock.engine.stream import (
    Backlog,
    Message,
    Position,
    Record,
    Retention,
    Stream,
    TopicFacts,
    decode,
    partition_for,
)
from restock.engine.stream.port import FOREVER, MAX_READ, NO_HEADERS, Watermarks
from restock.engine.stream.registry import Conforming
from restock.streams import reading, tracing
from restock.streams.model import Begin, filtered, places_text, start
from restock.streams.port import (
    GroupLag,
    GroupPartition,
    GroupRequest,
    GroupsRequest,
    GroupState,
    Lag,
    LagRequest,
    MemberState,
    Move,
    Moved,
    OutboxDepth,
    PartitionState,
    Produced,
    RecordsRequest,
    ReplayRequest,
    RetainRequest,
    SeenRecord,
    SeenRecords,
    TopicsRequest,
    TopicState,
    Trace,
    TraceRequest,
)

LOOKED = 50_000
"""Records that one call looks at: a second or so, after which it says where to go on."""

FEW = "-10"
"""What is shown of a topic when nothing is asked for."""

HOW_TO_STOP = (
    "Stop what reads (Ctrl-C or SIGTERM to `restock serve`), then try again; a killed reader is gone by itself."
)


class Outboxes(Protocol):
    """An outbox that is published."""

    @property
    def name(self) -> str:
        """The database it is in."""
        ...

    async def backlog(self) -> Backlog:
        """Give what waits."""
        ...


class StreamsService:
    """The streams context; `own` are the topics that Restock itself lives on.

    `room` raises StorageFull while nothing new should be taken in.
    """

    def __init__(
        self,
        stream: Stream,
        clock: Clock,
        outboxes: Sequence[Outboxes],
        own: Collection[str],
        room: Callable[[], None],
        conforming: Conforming,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._outboxes = outboxes
        self._own = frozenset(own)
        self._room = room
        self._conforming = conforming
        self._turn = count()

    # --- looking ---

    async def topics(self, request: TopicsRequest) -> list[TopicState]:
        """Give every topic."""
        return [await self._topic(name) for name in await self._stream.topics()]

    async def groups(self, request: GroupsRequest) -> list[GroupState]:
        """Give every group."""
        return [await self._group(name) for name in sorted(await self._stream.groups())]

    async def group(self, request: GroupRequest) -> GroupState:
        """Give one group."""
        return await self._group(await self._known(request.group))

    async def lag(self, request: LagRequest) -> Lag:
        """Give what waits."""
        groups = await self.groups(GroupsRequest())
        waiting = [(one.name, await one.backlog()) for one in self._outboxes]
        return Lag(
            [GroupLag(one.group, one.lag, one.seconds, len(one.members)) for one in groups],
            [OutboxDepth(name, found.events, self._age(found.oldest)) for name, found in waiting],
        )

    async def records(self, request: RecordsRequest) -> SeenRecords:
        """Give records that are wanted."""
        topic = request.topic
        marks = await self._stream.watermarks(topic)
        wanted = filtered(request.path, "path") if request.path else None
        chosen = bool(request.key or request.path)
        begin = start(request.start or (Begin.EARLIEST.value if chosen else FEW), "start")
        places = await reading.resolved(self._stream, topic, begin, marks)
        ends = {(topic, part): high for part, (_, high) in marks.items()}
        found: list[SeenRecord] = []
        looked = 0
        async for record in reading.merged(self._stream, {(topic, part): at for part, at in places.items()}, ends):
            places[record.partition] = record.offset + 1
            looked += 1
            if not request.key or record.key == request.key:
                event = reading.event_in(record)
                if wanted is None or wanted.matches(reading.searched(record, event)):
                    found.append(reading.seen(record, event))
            if len(found) == request.limit or looked == LOOKED:
                break
        return SeenRecords(found, places_text(places), any(places[part] < high for part, (_, high) in marks.items()))

    async def retain(self, request: RetainRequest) -> TopicState:
        """Let a topic keep more or less."""
        old = (await self._stream.describe(request.topic)).retention
        changed = Retention(
            old.ms if request.retention_ms is None else request.retention_ms,
            old.bytes if request.retention_bytes is None else request.retention_bytes,
            old.keep_unread if request.keep_unread is None else request.keep_unread,
        )
        await self._stream.retain(request.topic, changed)
        return await self._topic(request.topic)

    async def trace(self, request: TraceRequest) -> Trace:
        """Give what followed from an event."""
        return await tracing.trace(self._stream, request.event_id)

    # --- moving ---

    async def replay(self, request: ReplayRequest) -> Moved:
        """Move a group."""
        group = await self._known(request.group)
        begin = start(request.to, "to")
        if begin.begin is Begin.LAST:
            raise InvalidInput(
                "A group is not moved by a number of records.", field="to", remedy="Give an offset or a moment."
            )
        state = await self._group(group)
        topics = sorted({one.topic for one in state.partitions})
        if request.topic:
            await self._stream.watermarks(request.topic)
            topics = [request.topic]
        living = [one.member for one in state.members]
        if living and not request.dry_run:
            raise Conflict(f"Group {group} has living members: {', '.join(living)}.", remedy=HOW_TO_STOP)
        moves: list[Move] = []
        for topic in topics:
            marks = await self._stream.watermarks(topic)
            old = await self._stream.committed(group, topic)
            for part, new in (await reading.resolved(self._stream, topic, begin, marks)).items():
                was = max(old.get(part, 0), marks[part].low)
                moves.append(Move(topic, part, was, new, was - new))
        if not request.dry_run:
            await self._stream.reset(group, {(one.topic, one.partition): one.new for one in moves})
        return Moved(group, request.dry_run, living, moves)

    async def move(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Let a group go on elsewhere."""
        await self._stream.reset(group, {(topic, part): offset for part, offset in offsets.items()})

    async def forget(self, group: str) -> None:
        """Forget a group."""
        if not await self._stream.forget(await self._known(group)):
            raise NotFound(f"There is no group {group}.", field="group")

    async def commit(self, group: str, topic: str, partition: int, offset: int) -> None:
        """Remember the next offset of a group."""
        await self._stream.commit(group, {(topic, partition): offset})

    async def committed(self, group: str, topic: str, partition: int) -> int | None:
        """Give the next offset of a group."""
        return (await self._stream.committed(group, topic)).get(partition)

    # --- records of other programs ---

    def own(self, topic: str) -> bool:
        """Tell whether Restock itself lives on the topic."""
        return topic in self._own

    async def create(self, topic: str, partitions: int, retention: Retention = FOREVER) -> None:
        """Make a topic."""
        if topic in await self._stream.topics():
            raise Conflict(f"There is a topic {topic} already.", remedy="Use it, or take another name.")
        await self._stream.create_topic(topic, partitions, retention)

    async def describe(self, topic: str) -> TopicFacts:
        """Give what is known of a topic."""
        return await self._stream.describe(topic)

    async def watermarks(self, topic: str) -> Mapping[int, Watermarks]:
        """Give the first offset and the next offset to be written, by partition."""
        return await self._stream.watermarks(topic)

    async def at(self, topic: str, moment: str) -> Mapping[int, int]:
        """Give by partition the offset of the first record stored at or after a moment."""
        return await self._stream.offsets_at(topic, moment)

    async def produce(self, topic: str, records: Sequence[Produced]) -> list[Position]:
        """Store all or none."""
        return await self._stream.publish_to(await self.placed(topic, records))

    async def placed(self, topic: str, records: Sequence[Produced]) -> list[tuple[int, Message]]:
        """Give records as messages with their partitions. Raises as `produce`."""
        self._room()
        partitions = len(await self._stream.watermarks(topic))
        placed = [
            (self._partition(topic, one, partitions), Message(topic, one.key, one.value, one.headers))
            for one in records
        ]
        is_event = partial(_check_event, topic) if topic in self._own else None
        await self._conforming.check(topic, [one.value for one in records], is_event=is_event)
        return placed

    def _partition(self, topic: str, record: Produced, partitions: int) -> int:
        by_key = partition_for(record.key, partitions) if record.key else None
        if topic in self._own and (by_key is None or record.partition not in (None, by_key)):
            raise InvalidInput(
                f"{topic} is a topic of Restock: a record of it has a key, and the key says its partition.",
                field="key" if by_key is None else "partition",
                remedy="Give a key." if by_key is None else f"Leave the partition out, or give {by_key} for this key.",
            )
        if record.partition is not None:
            return record.partition
        return next(self._turn) % partitions if by_key is None else by_key

    async def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Give records from an offset on."""
        return await self._stream.read(topic, partition, offset, min(limit, MAX_READ))

    # --- pieces ---

    async def _known(self, group: str) -> str:
        known = await self._stream.groups()
        if group not in known:
            near = get_close_matches(group, known, 1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known)) or 'none'}."
            raise NotFound(f"There is no group {group}.", field="group", remedy=remedy)
        return group

    async def _topic(self, name: str) -> TopicState:
        facts = await self._stream.describe(name)
        marks = await self._stream.watermarks(name)
        filled = [(part, low, high - 1) for part, (low, high) in marks.items() if high > low]
        first = [one.at for part, low, _ in filled for one in await self._stream.read(name, part, low, 1)]
        last = [one.at for part, _, end in filled for one in await self._stream.read(name, part, end, 1)]
        ms, size, keep_unread = facts.retention
        return TopicState(
            name,
            facts.partitions,
            sum(high - low for low, high in marks.values()),
            facts.bytes,
            facts.created_at,
            min(first, default=""),
            max(last, default=""),
            ms,
            size,
            keep_unread,
            await self._unread_by(name) if keep_unread and max(ms, size) >= 0 else [],
            [PartitionState(part, low, high) for part, (low, high) in marks.items()],
        )

    async def _unread_by(self, topic: str) -> list[str]:
        """Give the groups that have still to read something of a topic."""
        found = [(group, await self._stream.lag(group)) for group in sorted(await self._stream.groups())]
        return [group for group, lag in found if any(lag[place] for place in lag if place[0] == topic)]

    async def _group(self, name: str) -> GroupState:
        members = await self._stream.members(name)
        owners = {place: one.member for one in members for place in one.owns}
        lag = await self._stream.lag(name)
        topics = sorted({topic for topic, _ in (*lag, *owners)})
        partitions: list[GroupPartition] = []
        for topic in topics:
            committed = await self._stream.committed(name, topic)
            for part, (low, high) in (await self._stream.watermarks(topic)).items():
                following = max(low, committed.get(part, 0))
                behind = max(0, high - following)
                oldest = await self._stream.read(topic, part, following, 1) if behind else []
                partitions.append(
                    GroupPartition(
                        topic,
                        part,
                        owners.get((topic, part), ""),
                        committed.get(part),
                        low,
                        high,
                        behind,
                        self._age(oldest[0].at) if oldest else Decimal(0),
                    )
                )
        return GroupState(
            name,
            sum(one.lag for one in partitions),
            max((one.seconds for one in partitions), default=Decimal(0)),
            [MemberState(one.member, [f"{topic}/{part}" for topic, part in one.owns]) for one in members],
            partitions,
        )

    def _age(self, at: str) -> Decimal:
        """Give how long ago a moment was, in seconds to the millisecond; 0 for none."""
        if not at:
            return Decimal(0)
        return Decimal(max(0, (self._clock.now() - moment(at)) // timedelta(milliseconds=1))).scaleb(-3)


def _check_event(topic: str, value: bytes) -> None:
    """Raises ValueError for a value that is no event."""
    try:
        decode(Record(topic, 0, 0, "", value, NO_HEADERS, ""))
    except InvalidInput as error:
        raise ValueError(error.what) from None
