"""What the stream shows to people and to programs that speak its published interfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

from restock.core.operation import Operation, Permission
from restock.engine.stream import Position, Record, Retention, TopicFacts, Watermarks
from restock.engine.stream.port import FOREVER


@dataclass(frozen=True)
class TopicsRequest:
    """All topics."""


@dataclass(frozen=True)
class PartitionState:
    """The readable part of a partition: from `low` up to, not including, `high`."""

    partition: int
    low: int
    high: int


@dataclass(frozen=True)
class TopicState:
    """A topic. `bytes` are those of the stored batches, the oldest and newest record were stored `first_at` and `last_at`.

    It keeps `retention_ms` and `retention_bytes` of each partition, -1 without limit, and with `keep_unread` also what the
    groups `unread_by` have still to read.
    """

    topic: str
    partitions: int
    records: int
    bytes: int
    created_at: str
    first_at: str
    last_at: str
    retention_ms: int
    retention_bytes: int
    keep_unread: bool
    unread_by: list[str]
    watermarks: list[PartitionState]


@dataclass(frozen=True)
class RetainRequest:
    """What a topic keeps from now on; what is not given stays as it was. See `TopicState`."""

    topic: str
    retention_ms: int | None = None
    retention_bytes: int | None = None
    keep_unread: bool | None = None


@dataclass(frozen=True)
class GroupsRequest:
    """All groups."""


@dataclass(frozen=True)
class GroupRequest:
    """One group."""

    group: str


@dataclass(frozen=True)
class MemberState:
    """A living member and the partitions it owns, each as topic/number."""

    member: str
    owns: list[str]


@dataclass(frozen=True)
class GroupPartition:
    """How far a group is in a partition.

    `committed` is the next offset it wants, null when it never committed; `seconds` is how long the oldest record it has
    still to read has waited; `owner` is the living member that owns it, or empty.
    """

    topic: str
    partition: int
    owner: str
    committed: int | None
    low: int
    high: int
    lag: int
    seconds: Decimal


@dataclass(frozen=True)
class GroupState:
    """A group: its living members and its partitions. `lag` is the sum of theirs, `seconds` the longest."""

    group: str
    lag: int
    seconds: Decimal
    members: list[MemberState]
    partitions: list[GroupPartition]


@dataclass(frozen=True)
class LagRequest:
    """All groups and outboxes."""


@dataclass(frozen=True)
class GroupLag:
    """Records that a group has still to read, how long the oldest of them has waited, and its living members."""

    group: str
    lag: int
    seconds: Decimal
    members: int


@dataclass(frozen=True)
class OutboxDepth:
    """Events that a database holds for the stream, and how long the oldest has waited."""

    database: str
    events: int
    seconds: Decimal


@dataclass(frozen=True)
class Lag:
    """What waits: before the stream in outboxes, behind it in front of groups."""

    groups: list[GroupLag]
    outboxes: list[OutboxDepth]


@dataclass(frozen=True)
class RecordsRequest:
    """Records of a topic, in the order in which they were stored.

    `start` is earliest, latest, an offset, -N for the last N records, a moment, or `next` of the answer before; empty means
    the last 10, or the earliest when something is looked for. `key` and `path` (.data.sku=WIDGET-1) choose records.
    """

    topic: str
    start: str = ""
    key: str = ""
    path: str = ""
    limit: int = 100


@dataclass(frozen=True)
class SeenRecord:
    """A record. When it holds no event, `type` is empty and `text` says what it holds, cut to 1,000 characters."""

    topic: str
    partition: int
    offset: int
    stored_at: str
    key: str
    type: str
    event_id: str
    causation_id: str
    at: str
    data: Mapping[str, object]
    text: str


@dataclass(frozen=True)
class SeenRecords:
    """Records, where to go on (give it as `start`), and whether there was more to look at when they were read."""

    records: list[SeenRecord]
    next: str
    more: bool


@dataclass(frozen=True)
class ReplayRequest:
    """Let a group read again from, or skip to, another place.

    `to` is earliest, latest, a moment or an offset, which each partition takes as near as it has it. Without `topic` all
    topics of the group are moved. With `dry_run` nothing is.
    """

    group: str
    to: str
    topic: str = ""
    dry_run: bool = False


@dataclass(frozen=True)
class Move:
    """The next offset of a partition as it was and as it is, and how many records come again (below 0: are skipped)."""

    topic: str
    partition: int
    old: int
    new: int
    again: int


@dataclass(frozen=True)
class Moved:
    """What was moved, or would be; `living` are the members that must be stopped first."""

    group: str
    dry_run: bool
    living: list[str]
    moves: list[Move]


@dataclass(frozen=True)
class TraceRequest:
    """The event that something followed from, or the 32 digits of a trace."""

    event_id: str


@dataclass(frozen=True)
class TraceStep:
    """An event that followed, directly (depth 1) or through others; depth 0 is the one asked for, or begins a trace."""

    depth: int
    event_id: str
    causation_id: str
    type: str
    topic: str
    partition: int
    offset: int
    at: str
    key: str
    trace_id: str = ""


@dataclass(frozen=True)
class Trace:
    """The tree, each event before what followed from it; `complete` is false when not all records were looked at."""

    steps: list[TraceStep]
    records: int
    complete: bool


class Produced(NamedTuple):
    """A record that a program hands over. Without a partition its key decides, without a key each takes the next one."""

    key: str
    value: bytes | None
    headers: Mapping[str, str]
    partition: int | None


class Streams(Protocol):
    """Shows the stream, and moves what a person may move."""

    async def topics(self, request: TopicsRequest) -> list[TopicState]:
        """Give every topic."""
        ...

    async def groups(self, request: GroupsRequest) -> list[GroupState]:
        """Give every group."""
        ...

    async def group(self, request: GroupRequest) -> GroupState:
        """Give one group. Raises NotFound."""
        ...

    async def lag(self, request: LagRequest) -> Lag:
        """Give what waits, in records and seconds."""
        ...

    async def records(self, request: RecordsRequest) -> SeenRecords:
        """Give records that are wanted; looks at a limited number at once. Raises NotFound, InvalidInput."""
        ...

    async def replay(self, request: ReplayRequest) -> Moved:
        """Move a group. Raises NotFound, InvalidInput, and Conflict while a member lives."""
        ...

    async def trace(self, request: TraceRequest) -> Trace:
        """Give what followed from an event, by causation across all topics. Raises NotFound."""
        ...

    async def retain(self, request: RetainRequest) -> TopicState:
        """Let a topic keep more or less. Raises NotFound, InvalidInput."""
        ...

    # --- for the published interfaces of the stream ---

    def own(self, topic: str) -> bool:
        """Tell whether Restock itself lives on the topic."""
        ...

    async def create(self, topic: str, partitions: int, retention: Retention = FOREVER) -> None:
        """Make a topic. Raises Conflict when there is one of that name, InvalidInput."""
        ...

    async def describe(self, topic: str) -> TopicFacts:
        """Give what is known of a topic. Raises NotFound."""
        ...

    async def watermarks(self, topic: str) -> Mapping[int, Watermarks]:
        """Give the first offset and the next offset to be written, by partition. Raises NotFound."""
        ...

    async def produce(self, topic: str, records: Sequence[Produced]) -> list[Position]:
        """Store all or none, durably; on a topic of ours a record goes where its key says. Raises NotFound, InvalidInput."""
        ...

    async def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Give records from an offset on; those that are forgotten are passed over. Raises NotFound, InvalidInput."""
        ...

    async def commit(self, group: str, topic: str, partition: int, offset: int) -> None:
        """Remember the next offset of a group; never goes back. Raises NotFound, InvalidInput."""
        ...

    async def committed(self, group: str, topic: str, partition: int) -> int | None:
        """Give the next offset of a group, None when it never committed. Raises NotFound for the topic."""
        ...

    async def move(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Let a group go on elsewhere. Raises NotFound, InvalidInput, and Conflict while a member lives."""
        ...

    async def at(self, topic: str, moment: str) -> Mapping[int, int]:
        """Give by partition the offset of the first record stored at or after a moment. Raises NotFound."""
        ...

    async def forget(self, group: str) -> None:
        """Forget a group. Raises NotFound, and Conflict while a member lives."""
        ...


OPERATIONS = (
    Operation(
        "streams.topics", TopicsRequest, list[TopicState], "GET", "/api/v1/streams/topics", "Topics of the stream"
    ),
    Operation(
        "streams.records",
        RecordsRequest,
        SeenRecords,
        "GET",
        "/api/v1/streams/topics/{topic}/records",
        "Records of a topic, by key, time and path",
    ),
    Operation(
        "streams.groups",
        GroupsRequest,
        list[GroupState],
        "GET",
        "/api/v1/streams/groups",
        "Groups of readers, their members and how far they are",
    ),
    Operation(
        "streams.group",
        GroupRequest,
        GroupState,
        "GET",
        "/api/v1/streams/groups/{group}",
        "One group of readers, its members and how far it is",
    ),
    Operation(
        "streams.lag", LagRequest, Lag, "GET", "/api/v1/streams/lag", "What waits in outboxes and in front of groups"
    ),
    Operation(
        "streams.replay",
        ReplayRequest,
        Moved,
        "POST",
        "/api/v1/streams/groups/{group}/replay",
        "Let a group without living members go on from another place",
        Permission.ADMINISTER,
        writes=True,
    ),
    Operation(
        "streams.retain",
        RetainRequest,
        TopicState,
        "POST",
        "/api/v1/streams/topics/{topic}/retention",
        "Let a topic keep records for a time, or up to a size",
        Permission.ADMINISTER,
        writes=True,
    ),
    Operation(
        "streams.trace",
        TraceRequest,
        Trace,
        "GET",
        "/api/v1/streams/events/{event_id}/trace",
        "What followed from an event",
    ),
)
