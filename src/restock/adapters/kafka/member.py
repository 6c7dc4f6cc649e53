"""A member of a group on Kafka: a consumer on a thread of its own, partitions assigned cooperatively, commits by hand.

The broker asks for a partition by a rebalance, which the client serves within `poll`: what was given before is done with by
then, so letting go is a moment between two batches. Nothing is committed but what `commit` names, never a lower offset than
before, and never by a member that was silent for a session: it takes itself for dead before the broker does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from restock.adapters.kafka.client import OwnThread
from restock.adapters.kafka.seat import Seat
from restock.engine.stream.port import Listener, Record, TopicPartition

T = TypeVar("T")


class Member:
    """Fulfils `restock.engine.stream.port.Consumer`; made by `KafkaStream.consumer`."""

    def __init__(self, seat: Seat, bell: Listener, partitions: Callable[[str], Awaitable[int]]) -> None:
        self._seat = seat
        self._bell = bell
        self._partitions = partitions
        self._thread = OwnThread(seat.group)
        self._positions: dict[TopicPartition, int] = {}
        self._known = False
        self._given = False

    @property
    def assignment(self) -> Mapping[TopicPartition, int]:
        """The partitions it owns, each with the offset of the next record."""
        return self._positions

    async def poll(self, limit: int) -> list[Record]:
        """Give up to `limit` records of the partitions it owns; the first waits until the group has taken the member in."""
        if not self._known:
            for topic in self._seat.topics:
                await self._partitions(topic)  # raises NotFound
            self._known = True
        records = await self._run(self._seat.poll, limit)
        self._given = bool(records)
        return records

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Remember durably the next offset of partitions it owns. Raises Fenced, and then keeps nothing."""
        await self._run(self._seat.commit, dict(offsets))
        self._given = False

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Let `poll` go on from an offset of a partition it owns."""
        if place in self._positions:
            self._positions[place] = offset
            self._seat.orders.append(("seek", place, offset))

    def pause(self, place: TopicPartition) -> None:
        """Give nothing of a partition until `resume`."""
        self._seat.orders.append(("pause", place, 0))

    def resume(self, place: TopicPartition) -> None:
        """Give records of the partition again."""
        self._seat.orders.append(("resume", place, 0))

    async def wait(self, seconds: float) -> bool:
        """Wait until there is something new, from whatever process, at most `seconds`."""
        if self._given or not self._positions:  # a rebalance now would take away what is being worked on
            return await self._bell.wait(seconds)
        return await self._run(self._seat.wait, seconds)

    async def close(self) -> None:
        """Leave the group; what it owns is free at once."""
        self._seat.hurry = True
        await self._run(self._seat.close)
        self._known = False

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        try:
            return await self._thread.run(call, *arguments)
        except asyncio.CancelledError:
            self._seat.hurry = True
            raise
        finally:
            self._positions = dict(self._seat.positions)
