"""Requests and replies of the published stream interface, REST form: names and members are as published."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Nothing:
    """Takes nothing."""


@dataclass(frozen=True)
class NamedTopic:
    """One topic."""

    name: str


@dataclass(frozen=True)
class NewTopic:
    """A topic to make. There is one copy of it whatever the replication factor says."""

    name: str
    partitions: int
    replication_factor: int = 1


@dataclass(frozen=True)
class Topic:
    """A topic. `size_bytes` are those of the stored batches."""

    name: str
    partitions: int
    replication_factor: int
    created_at: str
    message_count: int
    size_bytes: int


@dataclass(frozen=True)
class Partition:
    """A partition."""

    topic: str
    partition_id: int
    leader_agent_id: str
    high_watermark: int
    low_watermark: int


@dataclass(frozen=True)
class MessagesRequest:
    """Records of a topic: of one partition from an offset on, or (-1) of all partitions as they were stored."""

    name: str
    partition: int = -1
    offset: int = 0
    limit: int = 100


@dataclass(frozen=True)
class ProduceRequest:
    """A record. Without a partition its key decides, without a key each record takes the next one.

    `ack_mode` is buffered, durable or none; every record is durable before the answer.
    """

    topic: str
    value: str
    key: str | None = None
    partition: int | None = None
    ack_mode: str = "durable"


@dataclass(frozen=True)
class Placed:
    """Where a record stands."""

    offset: int
    partition: int


@dataclass(frozen=True)
class BatchRecord:
    """One record of a batch."""

    value: str
    key: str | None = None
    partition: int | None = None


@dataclass(frozen=True)
class ProduceBatchRequest:
    """Records for one topic, stored all or none."""

    topic: str
    records: list[BatchRecord]
    ack_mode: str = "durable"


@dataclass(frozen=True)
class BatchPlaced:
    """Where the records stand, in the order given."""

    count: int
    offsets: list[Placed]


@dataclass(frozen=True)
class ConsumeRequest:
    """From where to read, and how many records at most."""

    topic: str
    partition: int = 0
    offset: int = 0
    maxRecords: int = 100  # noqa: N815 - as published


@dataclass(frozen=True)
class Consumed:
    """A record; `timestamp` in milliseconds. A value that is not UTF-8 is in `valueBase64`, and `value` is null."""

    partition: int
    offset: int
    key: str | None
    value: str | None
    timestamp: int
    valueBase64: str | None = None  # noqa: N815 - beside the published names


@dataclass(frozen=True)
class ConsumedPage:
    """Records, and where to go on."""

    records: list[Consumed]
    nextOffset: int  # noqa: N815 - as published


@dataclass(frozen=True)
class NamedGroup:
    """One consumer group."""

    id: str


@dataclass(frozen=True)
class ConsumerGroup:
    """A group and what it has still to read."""

    groupId: str  # noqa: N815 - as published
    topics: list[str]
    totalLag: int  # noqa: N815 - as published
    partitionCount: int  # noqa: N815 - as published


@dataclass(frozen=True)
class GroupOffset:
    """How far a group is in a partition."""

    topic: str
    partitionId: int  # noqa: N815 - as published
    committedOffset: int  # noqa: N815 - as published
    highWatermark: int  # noqa: N815 - as published
    lag: int


@dataclass(frozen=True)
class GroupOffsets:
    """A group and how far it is in the partitions where it committed."""

    groupId: str  # noqa: N815 - as published
    offsets: list[GroupOffset]


@dataclass(frozen=True)
class ResetRequest:
    """Where a group goes on.

    `strategy` is earliest, latest, specific (with `offset`) or timestamp (with `timestamp` in milliseconds). Without a topic
    all topics of the group are meant, without a partition all partitions.
    """

    id: str
    strategy: str
    topic: str = ""
    partition: int = -1
    offset: int = -1
    timestamp: int = -1


@dataclass(frozen=True)
class SeekRequest:
    """Where a group goes on in a partition: an offset, or a timestamp in milliseconds; without a partition in all."""

    id: str
    topic: str
    partition: int = -1
    offset: int = -1
    timestamp: int = -1


@dataclass(frozen=True)
class CommitRequest:
    """The next offset that a group wants."""

    groupId: str  # noqa: N815 - as published
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Success:
    """Done."""

    success: bool = True


@dataclass(frozen=True)
class StreamFigures:
    """How much there is, and how much of it is still to be read by groups."""

    topics: int
    partitions: int
    messages: int
    consumerGroups: int  # noqa: N815 - as the others of this interface
    totalLag: int  # noqa: N815 - as the others of this interface


@dataclass(frozen=True)
class TopicStorage:
    """What a topic takes."""

    topic: str
    messages: int
    sizeBytes: int  # noqa: N815 - as the others of this interface


@dataclass(frozen=True)
class Storage:
    """What all topics take."""

    totalBytes: int  # noqa: N815 - as the others of this interface
    topics: list[TopicStorage] = field(default_factory=list)
