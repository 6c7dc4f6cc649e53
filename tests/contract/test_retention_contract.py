"""What every stream adapter promises of retention: what a topic was told to keep, it says; what it need not, goes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streams import PARTITIONS, SESSION, StreamBuilder, message, taken

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SimulatedClock
from restock.core.errors import InvalidInput, NotFound
from restock.engine.stream import SCHEMA, EmbeddedLog, Retention, Stream, partition_for
from restock.engine.stream.port import FOREVER, MAX_RETENTION_MS
from restock.engine.stream.retention import STEP_BATCHES

HOUR = 3_600_000
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
PART = partition_for("CUST-1", PARTITIONS)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(datetime(2026, 3, 2, tzinfo=UTC))


@pytest.fixture
async def log(migrated_stream: Path, tmp_path: Path, clock: SimulatedClock) -> AsyncIterator[EmbeddedLog]:
    """The embedded log, which forgets by itself; a broker does it when it likes."""
    home = Path(shutil.copytree(migrated_stream, tmp_path / "home"))
    databases = EmbeddedDatabases(home, {"stream": [SCHEMA]})
    stream = EmbeddedLog(databases["stream"], clock, FilePresence(home, SESSION))
    await stream.create_topic("orders", PARTITIONS)
    yield stream
    await databases.close()


async def forgets_at_once(log: EmbeddedLog, clock: SimulatedClock) -> None:
    """Let the topic keep nothing but what is unread."""
    await log.retain("orders", Retention(ms=0))
    clock.advance(SECOND)


async def expired(stream: Stream) -> int:
    """Forget all there is to forget."""
    done = 0
    while step := await stream.expire():
        done += step
    return done


async def values(stream: Stream) -> list[bytes | None]:
    low, high = (await stream.watermarks("orders"))[PART]
    return [one.value for one in await stream.read("orders", PART, low, 1000)] if low < high else []


async def each(stream: Stream, texts: str, **headers: str) -> None:
    for text in texts:
        await stream.publish([message(value=text.encode(), **headers)])


@pytest.mark.broker
async def test_a_topic_says_what_it_keeps(streams: StreamBuilder, stream: Stream) -> None:
    assert (await stream.describe("orders")).retention == FOREVER
    await stream.create_topic("short", 2, Retention(HOUR, 1000, keep_unread=False))
    await stream.create_topic("short", 2)
    again = await streams.open()
    assert (await again.describe("short")).retention == Retention(HOUR, 1000, keep_unread=False)
    await stream.retain("short", Retention(-1, 5000, keep_unread=False))
    assert (await again.describe("short")).retention == Retention(-1, 5000, keep_unread=False)
    await stream.retain("short", FOREVER)
    assert (await again.describe("short")).retention == FOREVER
    with pytest.raises(NotFound):
        await stream.retain("nothing", FOREVER)


@pytest.mark.broker
@pytest.mark.parametrize("retention", [Retention(-2), Retention(MAX_RETENTION_MS + 1), Retention(bytes=-2)])
async def test_an_impossible_retention_is_refused(stream: Stream, retention: Retention) -> None:
    with pytest.raises(InvalidInput, match="no limit"):
        await stream.create_topic("short", 1, retention)
    with pytest.raises(InvalidInput, match="no limit"):
        await stream.retain("orders", retention)
    assert (await stream.describe("orders")).retention == FOREVER
    assert set(await stream.topics()) == {"orders"}


async def test_a_topic_that_keeps_everything_forgets_nothing(stream: Stream) -> None:
    await each(stream, "abc")
    assert await expired(stream) == 0
    assert await values(stream) == [b"a", b"b", b"c"]


async def test_what_is_too_old_is_forgotten_and_what_is_young_is_not(log: EmbeddedLog, clock: SimulatedClock) -> None:
    await each(log, "abc")
    clock.advance(59 * MINUTE)
    await each(log, "d")
    await log.retain("orders", Retention(ms=HOUR))
    assert await expired(log) == 0
    clock.advance(MINUTE)
    assert await expired(log) == 0, "exactly an hour old is not older"
    clock.advance(SECOND)
    assert await expired(log) == 3
    assert await values(log) == [b"d"]
    clock.advance(60 * MINUTE)
    assert await expired(log) == 1
    assert (await log.watermarks("orders"))[PART] == (4, 4)
    assert (await log.describe("orders")).bytes == 0
    ((_, _, offset),) = await log.publish([message(value=b"e")])
    assert offset == 4, "offsets go on"
    assert await values(log) == [b"e"]


async def test_of_a_partition_that_is_too_large_the_newest_stay(log: EmbeddedLog) -> None:
    for n in range(20):
        await log.publish([message(value=b"%02d" % n + b"x" * 1000)])
    whole = (await log.describe("orders")).bytes
    await log.retain("orders", Retention(bytes=5 * whole // 20))
    assert await expired(log) == 15
    assert [value[:2] for value in await values(log) if value] == [b"15", b"16", b"17", b"18", b"19"]
    assert (await log.describe("orders")).bytes == 5 * whole // 20
    await log.retain("orders", Retention(bytes=whole))
    assert await expired(log) == 0


async def test_what_a_group_has_still_to_read_stays_unless_the_topic_says_otherwise(
    log: EmbeddedLog, clock: SimulatedClock
) -> None:
    await each(log, "abcdef")
    await log.commit("slow", {("orders", PART): 2})
    await log.commit("fast", {("orders", PART): 6})
    await forgets_at_once(log, clock)
    assert await expired(log) == 2
    assert await values(log) == [b"c", b"d", b"e", b"f"]
    await log.commit("slow", {("orders", PART): 4})
    assert await expired(log) == 2
    await log.retain("orders", Retention(ms=0, keep_unread=False))
    assert await expired(log) == 2
    assert await values(log) == []
    assert (await log.lag("slow"))["orders", PART] == 0


async def test_a_batch_of_which_a_record_is_unread_stays_whole(log: EmbeddedLog, clock: SimulatedClock) -> None:
    await log.publish([message(value=text.encode()) for text in "abc"])
    await log.commit("g", {("orders", PART): 2})
    await forgets_at_once(log, clock)
    assert await expired(log) == 0
    await log.commit("g", {("orders", PART): 3})
    assert await expired(log) == 3


async def test_a_member_that_never_committed_and_a_group_that_was_moved_back_keep_what_they_have_to_read(
    log: EmbeddedLog,
    clock: SimulatedClock,
) -> None:
    await each(log, "abcd")
    await forgets_at_once(log, clock)
    consumer = log.consumer("new", ["orders"])
    await consumer.poll(1)
    assert await expired(log) == 0, "its partitions are all still to be read"
    assert len(await taken(consumer, 3)) == 3, "one was polled before"
    await consumer.close()
    await log.reset("new", {("orders", PART): 1})
    assert await expired(log) == 1
    assert await values(log) == [b"b", b"c", b"d"]
    assert await log.forget("new")
    assert await expired(log) == 3


async def test_a_group_that_read_another_partition_keeps_this_one_too(log: EmbeddedLog, clock: SimulatedClock) -> None:
    await each(log, "ab")
    other = (PART + 1) % PARTITIONS
    await log.commit("g", {("orders", other): 0})
    await forgets_at_once(log, clock)
    assert (await log.lag("g"))["orders", PART] == 2
    assert await expired(log) == 0


async def test_one_step_forgets_a_bounded_part_and_takes_partitions_in_turn(
    log: EmbeddedLog, clock: SimulatedClock
) -> None:
    count = STEP_BATCHES + 10
    await asyncio.gather(*(log.publish([message(f"key-{n % 8}")]) for n in range(8 * count)))
    await forgets_at_once(log, clock)
    before = await log.watermarks("orders")
    assert await log.expire() <= STEP_BATCHES
    assert await log.expire() <= STEP_BATCHES
    touched = [part for part, marks in (await log.watermarks("orders")).items() if marks != before[part]]
    assert len(touched) == 2
    await expired(log)
    assert all(low == high for low, high in (await log.watermarks("orders")).values())


async def test_a_step_over_large_records_ends_by_their_size(log: EmbeddedLog, clock: SimulatedClock) -> None:
    for _ in range(20):
        await log.publish([message(value=b"x" * 1_000_000)])
    await forgets_at_once(log, clock)
    assert await log.expire() == 9, "nine of a megabyte pass eight times 2^20 bytes"
    assert await expired(log) == 11


async def test_bytes_are_those_of_the_batches_after_any_mix_of_writes(log: EmbeddedLog) -> None:
    for n in range(30):
        await log.publish([message(f"key-{n % 5}", b"x" * n, header="h" * n)] * (n % 4 + 1))
    await log.trim("orders", dict.fromkeys(range(PARTITIONS), 5))
    await log.retain("orders", Retention(bytes=300))
    await log.expire()
    counted = log._database._reader.execute("SELECT coalesce(sum(length(batch)), 0) FROM record_batch").fetchone()[0]  # type: ignore[attr-defined]
    assert (await log.describe("orders")).bytes == counted > 0
