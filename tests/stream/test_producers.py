"""Producers on the embedded log: time, limits, other processes, and a kill at every durable write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_crash import child

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SimulatedClock
from restock.core.errors import Conflict, InvalidInput, NotFound
from restock.core.failpoint import KILLED
from restock.core.ids import Ids
from restock.engine.stream import SCHEMA, EmbeddedLog, Message
from restock.engine.stream.producers import MAX_BYTES, MOST_TIMEOUT_MS, UNUSED_AFTER, Producers, Who

START = datetime(2026, 3, 2, tzinfo=UTC)


class World:
    """A log and its producers, as one process has them."""

    def __init__(self, home: Path, clock: SimulatedClock) -> None:
        self.databases = EmbeddedDatabases(home, {"stream": [SCHEMA]})
        self.log = EmbeddedLog(self.databases["stream"], clock, FilePresence(home))
        self.producers = Producers(self.log, self.databases["stream"], clock, Ids.seeded(clock, 1))

    async def values(self, partition: int = 0) -> list[bytes | None]:
        return [one.value for one in await self.log.read("orders", partition, 0, 1000)]

    def waiting(self) -> int:
        (count,) = self.databases["stream"]._reader.execute("SELECT count(*) FROM transaction_batch").fetchone()
        return int(count)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
async def world(home: Path, clock: SimulatedClock) -> AsyncIterator[World]:
    made = World(home, clock)
    await made.log.create_topic("orders", 3)
    yield made
    await made.databases.close()


def batch(*texts: str) -> list[Message]:
    return [Message("orders", "k", text.encode()) for text in texts]


async def test_sequences_are_of_a_producer_and_a_partition(world: World) -> None:
    one, two = await world.producers.begin_producing(), await world.producers.begin_producing()
    assert one.producer != two.producer
    for who in (one, two):
        for partition in (0, 1):
            assert not (await world.producers.produce(who, partition, batch("a"), 0)).again
            assert (await world.producers.produce(who, partition, batch("a"), 0)).again
    assert await world.values(0) == await world.values(1) == [b"a", b"a"]


async def test_another_process_knows_the_same_producers(world: World, home: Path, clock: SimulatedClock) -> None:
    who = await world.producers.begin_producing("shop")
    name = await world.producers.begin(who)
    other = World(home, clock)
    await other.producers.produce(who, 0, batch("a"), 0, name)
    assert (await world.producers.produce(who, 0, batch("a"), 0, name)).again
    await other.producers.commit(who, name)
    assert await world.values() == [b"a"]
    await other.databases.close()


async def test_the_same_batch_at_once_is_stored_once(world: World) -> None:
    who = await world.producers.begin_producing()
    done = await asyncio.gather(*(world.producers.produce(who, 0, batch("a", "b"), 0) for _ in range(20)))
    assert sorted(one.again for one in done) == [False, *[True] * 19]
    assert {(one.first, one.last) for one in done} == {(0, 1)}
    assert await world.values() == [b"a", b"b"]


async def test_a_transaction_that_is_open_too_long_is_given_up(world: World, clock: SimulatedClock) -> None:
    who = await world.producers.begin_producing()
    name = await world.producers.begin(who, 1000)
    await world.producers.produce(who, 0, batch("a"), None, name)
    clock.advance(timedelta(seconds=2))
    for call in (
        lambda: world.producers.commit(who, name),
        lambda: world.producers.produce(who, 0, batch("b"), None, name),
        lambda: world.producers.lives(who, name),
    ):
        with pytest.raises(Conflict, match="took too long"):
            await call()
    following = await world.producers.begin(who)
    assert world.waiting() == 0, "what it held is forgotten"
    await world.producers.produce(who, 0, batch("c"), None, following)
    await world.producers.commit(who, following)
    assert await world.values() == [b"c"]
    with pytest.raises(InvalidInput, match="too long"):
        await world.producers.begin(who, MOST_TIMEOUT_MS + 1)


async def test_a_transaction_has_a_size_and_one_owner(world: World) -> None:
    who, other = await world.producers.begin_producing(), await world.producers.begin_producing()
    name = await world.producers.begin(who)
    with pytest.raises(NotFound):
        await world.producers.commit(other, name)
    large = [Message("orders", "k", b"x" * 1_000_000)] * (MAX_BYTES // 1_000_000)
    await world.producers.produce(who, 0, large, None, name)
    with pytest.raises(InvalidInput, match="would hold"):
        await world.producers.produce(who, 0, large[:1], None, name)
    await world.producers.commit(who, name)
    assert len(await world.values()) == 8


async def test_a_producer_that_was_silent_for_long_is_forgotten(world: World, clock: SimulatedClock) -> None:
    old = await world.producers.begin_producing("old")
    name = await world.producers.begin(old)
    await world.producers.produce(old, 0, batch("a"), 0, name)
    clock.advance(UNUSED_AFTER + timedelta(seconds=1))
    await world.producers.begin_producing()
    with pytest.raises(NotFound, match="no producer"):
        await world.producers.produce(old, 0, batch("a"), 0)
    assert world.waiting() == 0
    assert await world.producers.begin_producing("old") == Who(old.producer + 2, 0), "a number is never given twice"


@pytest.mark.parametrize(
    "failpoint",
    [
        "stream.init_producer.after",
        "stream.begin_transaction.after",
        "stream.produce.before",
        "stream.produce.after",
        "stream.produce.after:2",
        "stream.end_transaction.before",
        "stream.end_transaction.after",
    ],
)
async def test_a_crash_anywhere_leaves_a_transaction_whole_or_away(
    home: Path, clock: SimulatedClock, failpoint: str
) -> None:
    world = World(home, clock)
    await world.log.create_topic("orders", 3)
    await world.databases.close()
    killed = child("transact", home, RESTOCK_FAILPOINT=failpoint)
    killed.communicate(timeout=30)
    assert killed.returncode == KILLED, "the failpoint exists and was reached"
    world = World(home, clock)
    assert (await world.values(0), await world.values(1)) in [([], []), ([b"a", b"b"], [b"c"])]
    await world.databases.close()
    again = child("transact", home)
    again.communicate(timeout=30)
    assert again.returncode == 0
    world = World(home, clock)
    whole = [b"a", b"b"]
    assert (await world.values(0), await world.values(1)) in [(whole, [b"c"]), (whole * 2, [b"c"] * 2)]
    assert world.waiting() == 0, "what the killed one had open was given up"
    await world.databases.close()
