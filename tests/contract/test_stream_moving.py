"""Topics and positions move from one adapter to the other: nothing is lost, keys stay, groups go on where they were."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from streams import PARTITIONS, EmbeddedStreams, message, numbered, settled, taken

from restock.core.errors import Conflict
from restock.engine.stream import Message, Record, Stream
from restock.engine.stream.moving import move

HEADERS = {"event-id": "e-1", "ü": "€"}


@pytest.fixture
async def elsewhere(migrated_stream: Path, tmp_path: Path) -> AsyncIterator[Stream]:
    """An embedded log beside the stream under test."""
    builder = EmbeddedStreams(Path(shutil.copytree(migrated_stream, tmp_path / "elsewhere")))
    yield await builder.open()
    await builder.close()


@pytest.fixture(params=["there", "back"])
def both(request: pytest.FixtureRequest, stream: Stream, elsewhere: Stream) -> tuple[Stream, Stream]:
    return (stream, elsewhere) if request.param == "there" else (elsewhere, stream)


async def everything(stream: Stream, topic: str) -> dict[int, list[tuple[object, ...]]]:
    found: dict[int, list[tuple[object, ...]]] = {}
    for partition, (low, high) in (await stream.watermarks(topic)).items():
        records: list[Record] = []
        offset = low
        while offset < high:
            records += await stream.read(topic, partition, offset, 1000)
            offset = records[-1].offset + 1
        found[partition] = [(one.key, one.value, one.headers) for one in records]
    return found


@pytest.mark.broker
async def test_every_record_and_key_stays_in_its_partition_and_order(both: tuple[Stream, Stream]) -> None:
    source, target = both
    await source.create_topic("orders", PARTITIONS)
    await source.create_topic("inventory-updates", 2)
    await numbered(source, 300)
    await source.publish([Message("inventory-updates", "k", None, HEADERS), Message("inventory-updates", "k", b"")])
    moved = await move(source, target)
    assert moved.records == {"orders": 300, "inventory-updates": 2}
    for topic in ("orders", "inventory-updates"):
        assert await everything(target, topic) == await everything(source, topic)
    (before,) = await source.publish([message("key-7")])
    (after,) = await target.publish([message("key-7")])
    assert before.partition == after.partition


@pytest.mark.broker
async def test_records_that_their_producer_placed_stay_where_they_are_with_and_without_a_key(
    both: tuple[Stream, Stream],
) -> None:
    source, target = both
    await source.create_topic("orders", PARTITIONS)
    one = message("k", b"by its key")
    (by_key,) = await source.publish([one])
    other = (by_key.partition + 1) % PARTITIONS
    await source.publish_to([(0, message("", b"no key")), (1, message("", None)), (other, message("k", b"elsewhere"))])
    await move(source, target)
    assert await everything(target, "orders") == await everything(source, "orders")


@pytest.mark.broker
async def test_a_group_goes_on_behind_what_it_did_although_offsets_differ(both: tuple[Stream, Stream]) -> None:
    source, target = both
    await source.create_topic("orders", PARTITIONS)
    await numbered(source, 100)
    await source.trim("orders", {part: high for part, (_, high) in (await source.watermarks("orders")).items()})
    for n in range(60):
        await source.publish([message(f"key-{n}", str(n).encode())])
    draw = random.Random(7)
    done: set[bytes | None] = set()
    for partition, (low, high) in (await source.watermarks("orders")).items():
        until = draw.randint(low, high)
        if until > low:
            done |= {one.value for one in await source.read("orders", partition, low, until - low)}
        await source.commit("g", {("orders", partition): until})
    await move(source, target)
    assert await target.lag("g") == await source.lag("g")
    consumer = target.consumer("g", ["orders"])
    rest = {one.value for one in await taken(consumer, 60 - len(done))}
    await consumer.close()
    assert rest == {str(n).encode() for n in range(60)} - done


async def test_another_number_of_partitions_is_refused_before_anything_is_written(both: tuple[Stream, Stream]) -> None:
    source, target = both
    await source.create_topic("orders", PARTITIONS)
    await source.create_topic("more", 1)
    await source.publish([message(topic="more")])
    await target.create_topic("more", 1)
    other = await _other_count(source, target)
    with pytest.raises(Conflict):
        await move(source, target)
    assert other not in (await source.topics()).values()
    assert (await target.watermarks("more"))[0].high == 0


async def _other_count(source: Stream, target: Stream) -> int:
    """Make a topic of one name with two counts; give that of the target."""
    await source.create_topic("refunds", 3)
    await target.create_topic("refunds", 5)
    return 5


@pytest.mark.broker
async def test_records_at_the_target_are_replaced_only_on_request(both: tuple[Stream, Stream]) -> None:
    source, target = both
    for each in both:
        await each.create_topic("orders", PARTITIONS)
    await numbered(source, 20)
    await target.publish([message(value=b"half of an earlier move")])
    with pytest.raises(Conflict):
        await move(source, target)
    await move(source, target, replace=True)
    assert await everything(target, "orders") == await everything(source, "orders")


@pytest.mark.broker
async def test_nothing_moves_while_a_member_lives(both: tuple[Stream, Stream]) -> None:
    source, target = both
    await source.create_topic("orders", PARTITIONS)
    await numbered(source, 5)
    consumer = source.consumer("g", ["orders"])
    await taken(consumer, 5)
    await settled(consumer)
    with pytest.raises(Conflict):
        await move(source, target)
    await consumer.close()
    assert (await move(source, target)).groups == ["g"]
