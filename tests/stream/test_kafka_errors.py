"""What a broker may say against it, and what becomes of that: on the client's mock cluster, which says it on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest
from confluent_kafka import KafkaError

from mock_kafka import OFFSET_COMMIT, PRODUCE, MockCluster
from restock.adapters.kafka.client import in_our_words
from restock.adapters.kafka.stream import KafkaStream
from restock.core.errors import InvalidInput, Unavailable
from restock.engine.stream import Message, Record, partition_for
from restock.engine.stream.port import Consumer, Fenced

PARTITIONS = 6

PASSING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.REQUEST_TIMED_OUT,
)
"""What a broker says to a publish that it should get again."""


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    cluster = MockCluster()
    cluster.create_topic("orders", PARTITIONS)
    yield cluster
    cluster.close()


@pytest.fixture
async def stream(cluster: MockCluster) -> AsyncIterator[KafkaStream]:
    stream = KafkaStream(cluster.servers, session_seconds=2, delivery_seconds=1.5)
    yield stream
    await stream.close()


def message(key: str = "k", value: bytes | None = b"v", **headers: str) -> Message:
    return Message("orders", key, value, headers)


async def given(consumer: Consumer, until: int) -> list[Record]:
    records: list[Record] = []
    async with asyncio.timeout(20):
        while len(records) < until:
            records += await consumer.poll(100)
    return records


async def test_a_key_lands_where_the_embedded_log_would_put_it(stream: KafkaStream) -> None:
    keys = [f"CUST-{n}" for n in range(500)] + ["ü€😀", "a\x00b", "x" * 512]
    places = await stream.publish([message(key) for key in keys])
    assert [one.partition for one in places] == [partition_for(key, PARTITIONS) for key in keys]


async def test_headers_and_values_arrive_byte_for_byte(stream: KafkaStream) -> None:
    headers = {"event-id": "e-1", "ü": '😀\n"', "": ""}
    sent = [Message("orders", "k", value, headers) for value in (b"", None, b"\x00\xff")]
    await stream.publish(sent)
    records = await stream.read("orders", partition_for("k", PARTITIONS), 0, 10)
    assert [(one.value, one.headers) for one in records] == [(one.value, headers) for one in sent]


async def test_a_publish_without_an_answer_is_to_be_made_again(cluster: MockCluster, stream: KafkaStream) -> None:
    await stream.publish([message(value=b"before")])
    cluster.down()
    with pytest.raises(Unavailable, match="same event ids"):
        await stream.publish([message(value=str(n).encode()) for n in range(10)])
    cluster.up()
    for _ in range(20):
        try:
            await stream.publish([message(value=str(n).encode()) for n in range(10)])
            break
        except Unavailable:
            continue
    records = await stream.read("orders", partition_for("k", PARTITIONS), 0, 100)
    firsts = list(dict.fromkeys(one.value for one in records))
    assert firsts == [b"before", *(str(n).encode() for n in range(10))]


async def test_a_passing_failure_of_a_broker_is_not_noticed(cluster: MockCluster, stream: KafkaStream) -> None:
    cluster.answer(PRODUCE, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.REQUEST_TIMED_OUT)
    places = await stream.publish([message(value=str(n).encode()) for n in range(10)])
    assert [one.offset for one in places] == list(range(10))


async def test_a_message_too_large_for_its_topic_is_refused_for_good(cluster: MockCluster, stream: KafkaStream) -> None:
    cluster.answer(PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE)
    with pytest.raises(InvalidInput, match=r"max\.message\.bytes"):
        await stream.publish([message()])
    assert await stream.publish([message()])


@pytest.mark.parametrize("code", ["ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID"])
async def test_a_commit_of_a_former_member_is_fenced_and_its_records_come_again(
    cluster: MockCluster, stream: KafkaStream, code: str
) -> None:
    await stream.publish([message(value=str(n).encode()) for n in range(5)])
    consumer = stream.consumer("g", ["orders"])
    records = await given(consumer, 5)
    cluster.answer(OFFSET_COMMIT, getattr(KafkaError, code))
    with pytest.raises(Fenced):
        await consumer.commit({(one.topic, one.partition): one.offset + 1 for one in records})
    again = await given(consumer, 5)
    assert [one.value for one in again] == [one.value for one in records]
    await consumer.close()


async def test_a_commit_that_meets_a_rebalance_is_made_again(cluster: MockCluster, stream: KafkaStream) -> None:
    await stream.publish([message()])
    consumer = stream.consumer("g", ["orders"])
    (record,) = await given(consumer, 1)
    cluster.answer(OFFSET_COMMIT, *[KafkaError.REBALANCE_IN_PROGRESS] * 3)
    await consumer.commit({(record.topic, record.partition): record.offset + 1})
    cluster.answer(OFFSET_COMMIT, *[KafkaError.REBALANCE_IN_PROGRESS] * 1000)
    with pytest.raises(Fenced):
        await consumer.commit({(record.topic, record.partition): record.offset + 2})
    await consumer.close()


async def test_a_member_never_commits_a_lower_offset(cluster: MockCluster, stream: KafkaStream) -> None:
    await stream.publish([message() for _ in range(5)])
    consumer = stream.consumer("g", ["orders"])
    place = ((await given(consumer, 5))[0].topic, partition_for("k", PARTITIONS))
    await consumer.commit({place: 4})
    await consumer.commit({place: 2})
    await consumer.close()
    again = stream.consumer("g", ["orders"])
    assert [one.offset for one in await given(again, 1)] == [4]
    await again.close()


async def test_nothing_is_committed_by_itself(stream: KafkaStream) -> None:
    await stream.publish([message() for _ in range(5)])
    first = stream.consumer("g", ["orders"])
    assert len(await given(first, 5)) == 5
    await first.close()
    second = stream.consumer("g", ["orders"])
    assert len(await given(second, 5)) == 5
    await second.close()


@pytest.mark.parametrize("next_leader", [1, 2], ids=["the same again", "another"])
async def test_the_ends_of_a_topic_are_found_when_its_leader_was_elected_anew(next_leader: int) -> None:
    cluster = MockCluster(brokers=2)
    cluster.create_topic("orders", 1)
    stream = KafkaStream(cluster.servers)
    for leader in (1, next_leader, 1):
        cluster.lead("orders", 0, leader)
        async with asyncio.timeout(5):
            assert await stream.watermarks("orders") == {0: (0, 0)}
    await stream.close()
    cluster.close()


async def test_a_topic_without_a_leader_is_away_and_not_unknown(cluster: MockCluster, stream: KafkaStream) -> None:
    """So a consumer tries again: what is not found stops it for good."""
    cluster.lead("orders", 1, -1)
    with pytest.raises(Unavailable, match="no leader"):
        await stream.publish([message()])
    cluster.lead("orders", 1, 1)
    assert await stream.publish([message()])
    await stream.commit("g", {("orders", 1): 7})
    cluster.lead("orders", 1, -1)
    assert "orders" not in await stream.topics()
    assert await stream.committed("g", "orders") == {1: 7}


@pytest.mark.parametrize("code", ["_UNKNOWN_PARTITION", "_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART"])
def test_what_a_starting_broker_does_not_know_yet_is_away_and_not_unknown(code: str) -> None:
    assert isinstance(in_our_words(KafkaError(getattr(KafkaError, code)), "Topic orders cannot be read"), Unavailable)


async def test_a_hundred_passing_failures_leave_every_record_once_and_no_gap(
    cluster: MockCluster, stream: KafkaStream
) -> None:
    """Each answer a broker may give while it changes, drawn again and again under a stream of publishes."""
    seed = Random().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    random, sent = Random(seed), 0
    for _ in range(20):
        cluster.answer(PRODUCE, *random.choices(PASSING, k=5))
        await stream.publish([message(f"CUST-{n}", str(n).encode()) for n in range(sent, sent + 20)])
        sent += 20
    stored = [record for part in range(PARTITIONS) for record in await stream.read("orders", part, 0, 1000)]
    assert sorted(int(one.value or b"") for one in stored) == list(range(sent))
    for part in range(PARTITIONS):
        mine = [one for one in stored if one.partition == part]
        assert [one.offset for one in mine] == list(range(len(mine)))
        assert [one.value for one in mine] == sorted((one.value for one in mine), key=lambda value: int(value or b""))
