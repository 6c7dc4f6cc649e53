"""What Restock asks of an event stream. Two adapters keep the promises: the embedded log, and Kafka.

Promises, the weaker of both sides (nobody may rely on more):

1. The same key lands on the same partition of a topic, for ever.
2. Records of one partition are read in the order in which they were published; there is no order across partitions.
3. A publish that returned survives kill -9 of every process and a power cut.
4. Every record reaches each group at least once. A crash between a publish and its answer may leave the record twice, so
   effects are made to happen once by the inbox, never by the stream.
5. A committed offset never goes back.
6. Keys, values and headers arrive byte for byte; a key is never empty, except where `publish_to` placed a record without
   one. A value may be None, Kafka's tombstone.
7. A partition has one living owner in a group. Who is to give it up is asked, and lets go between two batches; who is dead,
   or was silent for the session's seconds, is replaced. A commit of a former owner raises Fenced.

Offsets grow within a partition; the embedded log leaves no gaps, Kafka does, so readers go on from `offset + 1` of the last
record and never count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from restock.core.errors import Conflict

EVENT_ID_HEADER = "event-id"
"""The header that carries the identifier by which the inbox recognises a second delivery."""

MAX_MESSAGE_BYTES = 1 << 20
"""Key, value and headers of one message together: Kafka's default `message.max.bytes`, refused before storing."""

MAX_KEY_BYTES = 512
"""A key names one thing: a product, a customer, an order (128 characters of up to 4 bytes)."""

MAX_PUBLISH = 10_000
"""Messages in one publish: they share one transaction, which holds the write lock about 50 ms at this size."""

MAX_READ = 10_000
"""Records in one read: more would block the event loop for longer than 50 ms."""

MAX_PARTITIONS = 256
"""Partitions of a topic: each is an append point and a row to read; 6 and 4 are what the published topics use."""

MAX_RETENTION_MS = 100 * 366 * 86_400_000
"""The longest time that can be set: a hundred years; -1 is longer."""

MAX_BYTES = (1 << 63) - 1
"""The largest size that can be set: what Kafka takes."""

MAX_NAME = 128
"""Length of a topic or group name: fits the key columns of every database; Kafka allows 249."""


TopicPartition = tuple[str, int]
"""The topic's name and the partition's number."""

NO_HEADERS: Mapping[str, str] = {}


class Message(msgspec.Struct, frozen=True, gc=False):
    """What a producer hands over. `key` decides the partition; `headers` should carry `EVENT_ID_HEADER`."""

    topic: str
    key: str
    value: bytes | None
    headers: Mapping[str, str] = NO_HEADERS


class Record(msgspec.Struct, frozen=True, gc=False):
    """What a reader gets: the message, its place, and the moment it was stored (RFC 3339, UTC)."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: Mapping[str, str]
    at: str


class Position(NamedTuple):
    """The place of one record."""

    topic: str
    partition: int
    offset: int


class Watermarks(NamedTuple):
    """The readable part of a partition: from `low` up to, not including, `high`."""

    low: int
    high: int


class Retention(NamedTuple):
    """What a topic keeps, in Kafka's terms: records not older than `ms`, and of each partition the newest `bytes`.

    -1 is no limit. What passed a limit is forgotten from the oldest on, never in the middle. With `keep_unread` a record
    stays beyond it while a group that follows the topic (`Stream.lag`) has still to read it; a broker asks no group.
    """

    ms: int = -1
    bytes: int = -1
    keep_unread: bool = True


FOREVER = Retention()


class TopicFacts(NamedTuple):
    """A topic: its partitions, when it was made (RFC 3339, UTC), the bytes its records take as stored, what it keeps.

    Kafka keeps no such moment, which is empty then, and gives an estimate of the bytes.
    """

    partitions: int
    created_at: str
    bytes: int
    retention: Retention = FOREVER


class Fenced(Conflict):
    """The partition has another owner by now: drop the batch, what it holds comes to the new owner."""

    code = "fenced"


class GroupMember(NamedTuple):
    """A living member of a group and the partitions it owns."""

    member: str
    owns: tuple[TopicPartition, ...]


class Listener(Protocol):
    """Wakes one reader when there may be something new; made by `Stream.listen`."""

    async def wait(self, seconds: float) -> bool:
        """Return True as soon as something was published since the last return, False after `seconds`.

        A publish that happens between two waits is not missed. Records of other processes may go unnoticed, so the reader
        looks again after a False too.
        """
        ...


class Consumer(Protocol):
    """A member of a group. It joins with its first `poll`; one task at a time may use it."""

    @property
    def assignment(self) -> Mapping[TopicPartition, int]:
        """The partitions it owns, each with the offset of the next record that `poll` gives."""
        ...

    async def poll(self, limit: int) -> list[Record]:
        """Give up to `limit` records of the partitions it owns, in order within each; none when there is nothing new.

        Says that the member lives, takes partitions that are free, and lets go of those another member should have: call it
        only when the records before are done with, and more often than a session lasts.
        """
        ...

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember durably the next offset of partitions it owns; never goes back. Raises Fenced, and then keeps nothing."""
        ...

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Let `poll` go on from an offset of a partition it owns."""
        ...

    def pause(self, place: TopicPartition) -> None:
        """Give nothing of a partition until `resume`."""
        ...

    def resume(self, place: TopicPartition) -> None:
        """Give records of the partition again."""
        ...

    async def wait(self, seconds: float) -> bool:
        """Wait until there may be something new, at most `seconds`; see `Listener.wait`."""
        ...

    async def close(self) -> None:
        """Leave the group; what it owns is free at once."""
        ...


class Stream(Protocol):
    """Topics of records in partitions, and how far each group has come."""

    async def create_topic(self, name: str, partitions: int, retention: Retention = FOREVER) -> None:
        """Make a topic. Nothing happens when it exists with this count; raises Conflict when it has another.

        The count is fixed because a change would move keys. Raises InvalidInput for a bad name, count or retention.
        """
        ...

    async def retain(self, topic: str, retention: Retention) -> None:
        """Let a topic keep more or less from now on. Raises NotFound, InvalidInput."""
        ...

    async def expire(self) -> int:
        """Forget some of what no topic keeps any longer; give how many records, 0 when there is nothing to forget.

        One call does a bounded amount of work: call it again while it gives more. A broker does this by itself and gives 0.
        """
        ...

    async def topics(self) -> dict[str, int]:
        """Give the number of partitions of every topic, by name."""
        ...

    async def publish(self, messages: Sequence[Message]) -> list[Position]:
        """Store all messages; return their places, in the order given, once they are durable.

        Raises InvalidInput (empty key, too large, too many) and NotFound (unknown topic) before anything is stored;
        StorageFull when nothing was stored; Unavailable when it is not known whether any, some or all were stored: publish
        again with the same event ids. The embedded log stores all or none.
        """
        ...

    async def publish_to(self, placed: Sequence[tuple[int, Message]]) -> list[Position]:
        """Store messages as `publish` does, each in the partition given with it; a key may be empty.

        For producers that choose partitions themselves: who does so for a key breaks promise 1 for it. Raises as `publish`.
        """
        ...

    async def describe(self, topic: str) -> TopicFacts:
        """Give what is known of a topic; Kafka reads records for it, so do not ask in a loop. Raises NotFound."""
        ...

    async def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Give up to `limit` records from `offset` on, in order; fewer or none at the end or where records are large.

        Raises NotFound for an unknown topic or partition, InvalidInput for a negative offset or a limit out of range.
        """
        ...

    async def watermarks(self, topic: str) -> dict[int, Watermarks]:
        """Give the first offset and the next offset to be written, by partition. Raises NotFound."""
        ...

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Give the next offset the group wants to read, by partition; partitions it never committed are absent."""
        ...

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember durably the next offset to read. An offset lower than the remembered one changes nothing.

        Raises NotFound for an unknown topic or partition, InvalidInput for a negative offset or a bad group name. A broker
        raises Conflict while the group has members: they commit for themselves.
        """
        ...

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """Give a new member of a group that reads these topics; a group begins with the oldest records."""
        ...

    async def groups(self) -> list[str]:
        """Give the names of all groups that committed once or have members."""
        ...

    async def members(self, group: str) -> list[GroupMember]:
        """Give the living members of a group."""
        ...

    async def reset(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Let a group go on from other offsets, back or forth. Raises Conflict while a member lives, and as `commit`."""
        ...

    async def forget(self, group: str) -> bool:
        """Forget a group and its offsets; tell whether there was one. Raises Conflict while a member lives."""
        ...

    async def offsets_at(self, topic: str, at: str) -> dict[int, int]:
        """Give by partition the offset of the first record stored at or after a moment (RFC 3339, UTC), or the end."""
        ...

    async def trim(self, topic: str, before: Mapping[int, int]) -> dict[int, int]:
        """Forget records below an offset, by partition; give the first offsets that are left, which may be lower.

        Raises NotFound. What a group has still to read goes with them: ask `lag` first.
        """
        ...

    async def lag(self, group: str) -> dict[TopicPartition, int]:
        """Give the records still to be read, by partition, for every topic on which the group committed once."""
        ...

    def listen(self, topics: Iterable[str]) -> Listener:
        """Give a listener that wakes when this process publishes to one of the topics."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads; consumers are closed before."""
        ...
