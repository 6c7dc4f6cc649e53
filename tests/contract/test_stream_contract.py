"""What every stream adapter promises of topics, records and offsets; the tests do not know which adapter it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from streams import PARTITIONS, StreamBuilder, message

from restock.core.errors import Conflict, InvalidInput, NotFound
from restock.engine.stream import Message, Position, Stream, partition_for
from restock.engine.stream.port import (
    MAX_KEY_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_NAME,
    MAX_PARTITIONS,
    MAX_PUBLISH,
    MAX_READ,
)


async def everything(stream: Stream, topic: str = "orders") -> list[tuple[int, str, bytes]]:
    found = []
    for partition, (start, high) in (await stream.watermarks(topic)).items():
        offset = start
        while offset < high:
            records = await stream.read(topic, partition, offset, 100)
            found += [(record.partition, record.key, record.value) for record in records]
            offset = records[-1].offset + 1
    return found


async def test_a_topic_made_twice_is_one_topic(stream: Stream) -> None:
    await stream.create_topic("orders", PARTITIONS)
    assert await stream.topics() == {"orders": PARTITIONS}


async def test_a_topic_keeps_its_number_of_partitions(stream: Stream) -> None:
    with pytest.raises(Conflict):
        await stream.create_topic("orders", PARTITIONS + 1)
    assert await stream.topics() == {"orders": PARTITIONS}


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "ü", "a/b", "a\n", "x" * (MAX_NAME + 1)])
async def test_a_topic_needs_a_name_that_kafka_takes(stream: Stream, name: str) -> None:
    with pytest.raises(InvalidInput):
        await stream.create_topic(name, 1)


@pytest.mark.parametrize("partitions", [-1, 0, MAX_PARTITIONS + 1])
async def test_a_topic_needs_a_sensible_number_of_partitions(stream: Stream, partitions: int) -> None:
    with pytest.raises(InvalidInput):
        await stream.create_topic("other", partitions)


async def test_the_same_key_lands_on_the_partition_kafka_would_choose(stream: Stream) -> None:
    keys = [f"CUST-{number}" for number in range(50)] * 2
    positions = await stream.publish([message(key) for key in keys])
    assert [position.partition for position in positions] == [partition_for(key, PARTITIONS) for key in keys]


async def test_a_partition_is_read_in_the_order_of_publishing(stream: Stream) -> None:
    for start in range(0, 60, 20):
        await stream.publish([message(f"CUST-{n % 9}", str(n).encode()) for n in range(start, start + 20)])
    found = await everything(stream)
    assert len(found) == 60
    for partition in range(PARTITIONS):
        numbers = [int(value) for place, _, value in found if place == partition]
        assert numbers == sorted(numbers)


async def test_positions_come_back_in_the_order_given_and_name_the_records(stream: Stream) -> None:
    sent = [message(f"CUST-{n}", str(n).encode()) for n in range(30)]
    for one, position in zip(sent, await stream.publish(sent), strict=True):
        (record,) = await stream.read(*position, 1)
        assert (record.topic, record.partition, record.offset) == position
        assert (record.key, record.value) == (one.key, one.value)


async def test_one_publish_may_go_to_several_topics(stream: Stream) -> None:
    await stream.create_topic("inventory-updates", 2)
    first, second = await stream.publish([message(), message(topic="inventory-updates")])
    assert (first.topic, second.topic) == ("orders", "inventory-updates")


async def test_nothing_to_publish_is_no_publish(stream: Stream) -> None:
    assert await stream.publish([]) == []


@pytest.mark.parametrize("value", [b"", b"\x00\xff\xfe", "ü€😀".encode(), b"x" * 100_000])
async def test_values_arrive_byte_for_byte(stream: Stream, value: bytes) -> None:
    (position,) = await stream.publish([message(value=value)])
    assert (await stream.read(*position, 1))[0].value == value


@pytest.mark.parametrize("headers", [{}, {"event-id": "e-1"}, {"ü": '😀\n"', "": "", "a": "b"}])
async def test_headers_arrive_as_they_were_sent(stream: Stream, headers: dict[str, str]) -> None:
    (position,) = await stream.publish([Message("orders", "k", b"v", headers)])
    assert (await stream.read(*position, 1))[0].headers == headers


@pytest.mark.parametrize("key", ["CUST-1", "ü€😀", " ", "a\x00b", "x" * MAX_KEY_BYTES])
async def test_keys_arrive_as_they_were_sent(stream: Stream, key: str) -> None:
    (position,) = await stream.publish([message(key)])
    assert (await stream.read(*position, 1))[0].key == key


@pytest.mark.parametrize(
    "bad",
    [
        message(""),
        message("x" * (MAX_KEY_BYTES + 1)),
        message("\ud800"),
        message(value=b"x" * (MAX_MESSAGE_BYTES + 1)),
        message(value=b"x", big="x" * MAX_MESSAGE_BYTES),
        message(value=b"x", big="😀" * (MAX_MESSAGE_BYTES // 4)),
        message(value="text"),  # type: ignore[arg-type]
        message(header=b"bytes"),  # type: ignore[arg-type]
        message(header="\ud800"),
    ],
    ids=[
        "empty key",
        "long key",
        "odd key",
        "large value",
        "large header",
        "wide header",
        "text value",
        "bytes header",
        "odd header",
    ],
)
async def test_a_message_no_adapter_could_keep_is_refused_with_its_whole_publish(stream: Stream, bad: Message) -> None:
    with pytest.raises(InvalidInput):
        await stream.publish([message(), bad])
    assert await everything(stream) == []


async def test_a_message_of_exactly_the_limit_is_kept(stream: Stream) -> None:
    (position,) = await stream.publish([message("k", b"x" * (MAX_MESSAGE_BYTES - 1 - 2))])
    assert len((await stream.read(*position, 1))[0].value) == MAX_MESSAGE_BYTES - 3


async def test_too_many_messages_at_once_are_refused(stream: Stream) -> None:
    with pytest.raises(InvalidInput):
        await stream.publish([message()] * (MAX_PUBLISH + 1))
    assert await everything(stream) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda stream: stream.publish([message(), message(topic="nothing")]),
        lambda stream: stream.read("nothing", 0, 0, 1),
        lambda stream: stream.read("orders", PARTITIONS, 0, 1),
        lambda stream: stream.read("orders", -1, 0, 1),
        lambda stream: stream.watermarks("nothing"),
        lambda stream: stream.committed("g", "nothing"),
        lambda stream: stream.commit("g", {("nothing", 0): 1}),
        lambda stream: stream.commit("g", {("orders", PARTITIONS): 1}),
    ],
)
async def test_an_unknown_topic_or_partition_is_not_found(
    stream: Stream, call: Callable[[Stream], Awaitable[object]]
) -> None:
    with pytest.raises(NotFound):
        await call(stream)
    assert await everything(stream) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda stream: stream.read("orders", 0, -1, 1),
        lambda stream: stream.read("orders", 0, 0, 0),
        lambda stream: stream.read("orders", 0, 0, MAX_READ + 1),
        lambda stream: stream.commit("g", {("orders", 0): -1}),
        lambda stream: stream.commit("", {("orders", 0): 1}),
    ],
)
async def test_an_impossible_offset_limit_or_group_is_refused(
    stream: Stream, call: Callable[[Stream], Awaitable[object]]
) -> None:
    with pytest.raises(InvalidInput):
        await call(stream)


async def test_reading_at_and_beyond_the_end_gives_nothing(stream: Stream) -> None:
    ((_, partition, offset),) = await stream.publish([message()])
    assert await stream.read("orders", partition, offset + 1, 10) == []
    assert await stream.read("orders", partition, offset + 1_000_000, 10) == []


async def test_a_read_gives_at_most_the_limit_and_can_go_on(stream: Stream) -> None:
    await stream.publish([message(value=str(n).encode()) for n in range(500)])
    partition = partition_for("CUST-1", PARTITIONS)
    got, offset = [], 0
    while records := await stream.read("orders", partition, offset, 170):
        assert len(records) <= 170
        got += [int(record.value) for record in records]
        offset = records[-1].offset + 1
    assert got == list(range(500))


@pytest.mark.broker
async def test_a_read_of_large_records_stops_early_but_can_go_on(stream: Stream) -> None:
    for _ in range(3):
        await stream.publish([message(value=b"x" * 500_000)] * 40)
    partition = partition_for("CUST-1", PARTITIONS)
    first = await stream.read("orders", partition, 0, 1000)
    assert 0 < len(first) < 120
    assert len(await everything(stream)) == 120


async def test_watermarks_enclose_what_can_be_read(stream: Stream) -> None:
    assert {low == high for low, high in (await stream.watermarks("orders")).values()} == {True}
    position: Position = (await stream.publish([message(), message()]))[-1]
    low, high = (await stream.watermarks("orders"))[position.partition]
    assert low <= position.offset - 1 < high == position.offset + 1
    assert len(await stream.watermarks("orders")) == PARTITIONS


async def test_a_group_goes_on_where_it_committed(stream: Stream) -> None:
    assert await stream.committed("g", "orders") == {}
    await stream.commit("g", {("orders", 0): 3, ("orders", 1): 0})
    await stream.commit("g", {("orders", 0): 5})
    assert await stream.committed("g", "orders") == {0: 5, 1: 0}
    assert await stream.committed("other", "orders") == {}


async def test_a_commit_never_goes_back(stream: Stream) -> None:
    await stream.commit("g", {("orders", 0): 5})
    await stream.commit("g", {("orders", 0): 3, ("orders", 1): 2})
    assert await stream.committed("g", "orders") == {0: 5, 1: 2}


async def test_groups_and_topics_do_not_share_offsets(stream: Stream) -> None:
    await stream.create_topic("inventory-updates", PARTITIONS)
    await stream.commit("g", {("orders", 0): 5})
    await stream.commit("h", {("inventory-updates", 0): 7})
    assert await stream.committed("g", "inventory-updates") == {}
    assert await stream.committed("h", "inventory-updates") == {0: 7}


async def test_committing_nothing_is_no_commit(stream: Stream) -> None:
    await stream.commit("g", {})
    assert await stream.committed("g", "orders") == {}


async def test_lag_counts_what_is_still_to_be_read(stream: Stream) -> None:
    position = (await stream.publish([message()] * 10))[0]
    assert await stream.lag("g") == {}
    await stream.commit("g", {("orders", position.partition): 4})
    expected = {("orders", part): 6 if part == position.partition else 0 for part in range(PARTITIONS)}
    assert await stream.lag("g") == expected


async def test_a_second_opening_sees_what_was_published_and_committed(streams: StreamBuilder, stream: Stream) -> None:
    await stream.publish([message(value=b"kept")])
    await stream.commit("g", {("orders", 0): 1})
    again = await streams.open()
    assert [value for _, _, value in await everything(again)] == [b"kept"]
    assert await again.committed("g", "orders") == {0: 1}


async def test_two_openings_publish_at_once_and_nothing_is_lost(streams: StreamBuilder, stream: Stream) -> None:
    other = await streams.open()
    publishes = [
        one.publish([message(f"CUST-{n % 3}", f"{name}{n}".encode())])
        for n in range(100)
        for name, one in (("a", stream), ("b", other))
    ]
    positions = [position for done in await asyncio.gather(*publishes) for position in done]
    assert len(set(positions)) == 200
    assert len({value for _, _, value in await everything(stream)}) == 200


async def test_a_listener_wakes_at_a_publish_and_only_for_its_topics(stream: Stream) -> None:
    await stream.create_topic("inventory-updates", 1)
    orders, updates = stream.listen(["orders"]), stream.listen(["inventory-updates"])
    asyncio.get_running_loop().call_later(0.01, asyncio.ensure_future, _publish(stream))
    assert await orders.wait(5)
    assert not await updates.wait(0.01)


async def test_a_publish_between_two_waits_is_not_missed(stream: Stream) -> None:
    listener = stream.listen(["orders"])
    await stream.publish([message()])
    assert await listener.wait(0)
    assert not await listener.wait(0)


async def _publish(stream: Stream) -> None:
    await stream.publish([message()])


async def test_a_producer_may_choose_the_partition_and_leave_out_the_key(stream: Stream) -> None:
    places = await stream.publish_to([(3, message("", b"a")), (1, message("k", b"b")), (3, message("k", b"c"))])
    assert [(one.partition, one.offset) for one in places] == [(3, 0), (1, 0), (3, 1)]
    assert [(r.key, r.value) for r in await stream.read("orders", 3, 0, 10)] == [("", b"a"), ("k", b"c")]
    with pytest.raises(NotFound, match="no partition 9"):
        await stream.publish_to([(0, message("k", b"d")), (9, message("k", b"d"))])
    assert await stream.read("orders", 0, 0, 10) == []


@pytest.mark.broker
async def test_a_topic_tells_when_it_was_made_and_how_large_it_is(stream: Stream) -> None:
    empty = await stream.describe("orders")
    assert (empty.partitions, empty.bytes) == (PARTITIONS, 0)
    await stream.publish([message(value=b"x" * 1000)])
    filled = await stream.describe("orders")
    assert filled.bytes >= 1000
    assert filled.created_at == empty.created_at
    with pytest.raises(NotFound):
        await stream.describe("nothing")
