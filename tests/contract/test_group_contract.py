"""What every stream adapter promises of groups: owners, fences, replay; the tests do not know which adapter it is."""

from __future__ import annotations

import asyncio

import pytest
from streams import PARTITIONS, StreamBuilder, given, message, numbered, settled, taken

from restock.core.clock import SystemClock, timestamp
from restock.core.errors import Conflict
from restock.engine.stream import Message, Record, Stream, TopicPartition
from restock.engine.stream.port import Fenced


@pytest.mark.broker
async def test_a_group_of_one_reads_everything_once(stream: Stream) -> None:
    await numbered(stream, 50)
    consumer = stream.consumer("g", ["orders"])
    assert sorted(int(r.value or b"") for r in await taken(consumer, 50)) == list(range(50))
    assert await stream.lag("g") == {("orders", part): 0 for part in range(PARTITIONS)}
    assert await stream.groups() == ["g"]
    await consumer.close()
    again = stream.consumer("g", ["orders"])
    await stream.publish([message(value=b"new")])
    assert [r.value for r in await taken(again, 1)] == [b"new"]
    await again.close()


@pytest.mark.broker
async def test_two_members_share_the_partitions_and_each_record_comes_to_one(streams: StreamBuilder) -> None:
    first, second = [await streams.open() for _ in range(2)]
    await first.create_topic("orders", PARTITIONS)
    one, two = first.consumer("g", ["orders"]), second.consumer("g", ["orders"])
    await settled(one, two)
    assert not set(one.assignment) & set(two.assignment)
    owners = sorted(member.owns for member in await first.members("g"))
    assert owners == sorted(tuple(sorted(each.assignment)) for each in (one, two))
    await numbered(first, 80)
    mine: list[Record] = []
    theirs: list[Record] = []
    while len(mine) + len(theirs) < 80:
        for each, whose in ((one, mine), (two, theirs)):
            records = await each.poll(100)
            whose.extend(records)
            await each.commit({(r.topic, r.partition): r.offset + 1 for r in records})
    assert sorted(int(r.value or b"") for r in [*mine, *theirs]) == list(range(80))
    await one.close()
    await settled(two)


async def test_a_member_that_joins_waits_until_the_owner_lets_go(stream: Stream) -> None:
    await numbered(stream, 40)
    old, new = stream.consumer("g", ["orders"]), stream.consumer("g", ["orders"])
    batch = await given(old, 40)
    for _ in range(5):
        assert await new.poll(1000) == []  # what the owner works on is not given twice
        await asyncio.sleep(0.02)
    await old.commit({(r.topic, r.partition): r.offset + 1 for r in batch})
    await settled(old, new)
    assert await new.poll(1000) == []
    await old.close()
    await new.close()


async def test_a_silent_member_is_replaced_and_its_late_commit_is_fenced(stream: Stream) -> None:
    await numbered(stream, 20)
    silent, lively = stream.consumer("g", ["orders"]), stream.consumer("g", ["orders"])
    held = await given(silent, 20)
    records = await taken(lively, 20)
    assert {r.offset for r in records} == {r.offset for r in held}
    with pytest.raises(Fenced):
        await silent.commit({(r.topic, r.partition): r.offset + 1 for r in held})
    await settled(silent, lively)
    await lively.close()
    await silent.close()


async def test_a_member_can_go_back_and_leave_a_partition_out(stream: Stream) -> None:
    await stream.publish([message(value=str(n).encode()) for n in range(5)])
    consumer = stream.consumer("g", ["orders"])
    records = await taken(consumer, 5)
    place = (records[0].topic, records[0].partition)
    consumer.seek(place, records[2].offset)
    assert [r.value for r in await taken(consumer, 3)] == [b"2", b"3", b"4"]
    consumer.pause(place)
    await stream.publish([message(value=b"5")])
    for _ in range(3):
        assert await consumer.poll(10) == []
    consumer.resume(place)
    assert [r.value for r in await taken(consumer, 1)] == [b"5"]
    await consumer.close()


@pytest.mark.broker
async def test_a_group_is_moved_only_while_nobody_lives_in_it(stream: Stream) -> None:
    await numbered(stream, 20)
    consumer = stream.consumer("g", ["orders"])
    await taken(consumer, 20)
    places: dict[TopicPartition, int] = {("orders", part): 0 for part in range(PARTITIONS)}
    with pytest.raises(Conflict):
        await stream.reset("g", places)
    await consumer.close()
    await stream.reset("g", places)
    assert len(await taken(stream.consumer("g", ["orders"]), 20)) == 20


@pytest.mark.broker
async def test_offsets_are_found_by_time(stream: Stream) -> None:
    await stream.publish([message(value=b"before")])
    await asyncio.sleep(0.02)
    moment = timestamp(SystemClock().now())
    await asyncio.sleep(0.02)
    (place,) = await stream.publish([message(value=b"after")])
    found = await stream.offsets_at("orders", moment)
    assert found[place.partition] == place.offset
    later = await stream.offsets_at("orders", "2999-01-01T00:00:00.000000Z")
    assert later == {part: high for part, (_, high) in (await stream.watermarks("orders")).items()}


@pytest.mark.broker
async def test_what_is_trimmed_is_gone_and_the_rest_is_read(stream: Stream) -> None:
    for n in range(10):
        await stream.publish([message(value=str(n).encode())])
    (place,) = await stream.publish([message(value=b"10")])
    left = await stream.trim("orders", {place.partition: place.offset - 3})
    assert left == {place.partition: place.offset - 3}
    assert (await stream.watermarks("orders"))[place.partition].low == place.offset - 3
    records = await taken(stream.consumer("g", ["orders"]), 4)
    assert [r.value for r in records] == [b"7", b"8", b"9", b"10"]


async def test_an_empty_value_and_none_arrive_as_they_are(stream: Stream) -> None:
    empty, nothing = await stream.publish([message(value=b""), Message("orders", "k", None)])
    assert (await stream.read(*empty, 1))[0].value == b""
    assert (await stream.read(*nothing, 1))[0].value is None


@pytest.mark.broker
async def test_a_group_is_forgotten_once_nobody_of_it_lives(stream: Stream) -> None:
    await numbered(stream, 10)
    consumer = stream.consumer("g", ["orders"])
    await taken(consumer, 10)
    with pytest.raises(Conflict, match="1 living members"):
        await stream.forget("g")
    await consumer.close()
    assert await stream.forget("g")
    assert not await stream.forget("g")
    assert await stream.groups() == []
    again = stream.consumer("g", ["orders"])
    assert len(await taken(again, 10)) == 10
    await again.close()
