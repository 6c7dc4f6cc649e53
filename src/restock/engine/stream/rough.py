"""A stream that does, on purpose and often, what a stream may do rarely: records twice, batches that come again.

Whatever stands on it has its effects once, or a test finds out. Every draw comes from a seed, so a failure repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from restock.engine.stream.port import Fenced, Listener, Message, Position, Record, TopicPartition

if TYPE_CHECKING:
    from restock.engine.stream.port import Consumer, Stream

TWICE = 0.2
"""Share of publishes that are stored twice, as after a crash between storing and answering."""

AGAIN = 0.2
"""Share of commits that are refused, as after a change of owners: the batch comes again."""


class RoughLog:
    """A stream with legal mischief; everything it does not mention is the stream's."""

    def __init__(self, log: Stream, seed: int) -> None:
        self._log = log
        self._random = Random(seed)  # noqa: S311 - mischief to repeat, no secret

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    async def publish(self, messages: Sequence[Message]) -> list[Position]:
        """Store all messages, and sometimes all of them once more."""
        places = await self._log.publish(messages)
        if messages and self._random.random() < TWICE:
            await self._log.publish(messages)
        return places

    async def publish_to(self, placed: Sequence[tuple[int, Message]]) -> list[Position]:
        """Store all messages where they are placed, and sometimes all of them once more."""
        places = await self._log.publish_to(placed)
        if placed and self._random.random() < TWICE:
            await self._log.publish_to(placed)
        return places

    def consumer(self, group: str, topics: Sequence[str]) -> RoughMember:
        """Give a member whose commits are sometimes refused."""
        return RoughMember(self._log.consumer(group, topics), self._random)

    def listen(self, topics: Iterable[str]) -> Listener:
        """Give the log's bell."""
        return self._log.listen(topics)


class RoughMember:
    """A member whose commits are sometimes refused."""

    def __init__(self, member: Consumer, random: Random) -> None:
        self._member = member
        self._random = random
        self._given: list[Record] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._member, name)

    @property
    def assignment(self) -> Mapping[TopicPartition, int]:
        """The partitions it owns."""
        return self._member.assignment

    async def poll(self, limit: int) -> list[Record]:
        """Give records, and remember them."""
        self._given = await self._member.poll(limit)
        return self._given

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit, or refuse as if another member had become the owner; then what was given comes again."""
        if self._random.random() < AGAIN:
            for record in reversed(self._given):
                self._member.seek((record.topic, record.partition), record.offset)
            raise Fenced("The partition changed hands and came back.")
        await self._member.commit(offsets)
