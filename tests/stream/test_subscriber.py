"""Each event has its effect once, in the order of its partition, and failures are loud."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
from stream_shop import PARTITIONS, Shop, order

from restock.core.errors import InvalidInput, NotFound, RestockError, StorageFull, Unavailable
from restock.core.event import Event
from restock.engine.database import Transaction
from restock.engine.stream import Message, Record, Subscriber, TopicPartition, encode, keeping_up, partition_for
from restock.engine.stream.members import Member


async def publish(shop: Shop, *events: Event) -> None:
    await shop.log.publish(
        [Message("orders", event.key, encode(event), {"event-id": event.event_id}) for event in events]
    )


async def eventually(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is watched has no event
            await asyncio.sleep(0.005)


async def test_every_event_has_its_effect_in_the_order_of_its_key(shop: Shop) -> None:
    sent = [order(number) for number in range(1200)]
    await publish(shop, *sent)
    consumer = shop.subscriber(batch=50)
    assert await consumer.lag() == 1200
    assert await consumer.drain() == 1200
    assert await consumer.lag() == 0
    effects = await shop.effects()
    assert len(effects) == 1200
    for key in {event.key for event in sent}:
        mine = {event.event_id for event in sent if event.key == key}
        assert [event_id for event_id in effects if event_id in mine] == sorted(mine)


async def test_drain_consumes_what_is_there_now_and_then_returns(shop: Shop) -> None:
    await publish(shop, order(0))

    async def publishing(tx: Transaction, events: list[Event]) -> None:
        await shop.count(tx, events)

    async def more(events: list[Event]) -> None:
        await publish(shop, *(order(int(event.event_id[-6:]) + 1) for event in events))

    assert await shop.subscriber(handler=publishing, after=more).drain() == 1
    assert len(await shop.effects()) == 1


async def test_a_second_delivery_has_no_second_effect_but_reaches_after(shop: Shop) -> None:
    await publish(shop, order(1), order(1), order(2))
    await shop.subscriber().drain()
    await publish(shop, order(2), order(3))
    await shop.subscriber().drain()
    assert sorted(await shop.effects()) == ["event-000001", "event-000002", "event-000003"]
    seen = [event_id for batch in shop.after for event_id in batch]
    assert sorted(seen) == sorted(f"event-{n:06d}" for n in (1, 1, 2, 2, 3))


async def test_a_crash_after_the_effect_gives_redelivery_that_the_inbox_drops(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(shop, *(order(number) for number in range(30)))

    async def power_cut(member: Member, offsets: Mapping[TopicPartition, int]) -> None:
        raise Unavailable("the power was cut before the offsets")

    with monkeypatch.context() as patch:
        patch.setattr(Member, "commit", power_cut)
        with pytest.raises(Unavailable):
            await shop.subscriber().drain()
    assert await shop.subscriber().drain() == 30
    assert len(await shop.effects()) == 30
    assert [len(batch) for batch in shop.after] == [30, 30]


async def test_after_comes_before_the_offsets_and_a_failure_in_it_repeats_the_batch(shop: Shop) -> None:
    await publish(shop, order(1))
    failures = [Unavailable("the flow is away")]

    async def after(events: list[Event]) -> None:
        assert await shop.effects() == ["event-000001"]
        if failures:
            raise failures.pop()
        await shop.remember(events)

    consumer = shop.subscriber(after=after)
    with pytest.raises(Unavailable):
        await consumer.drain()
    assert await shop.log.committed("counter", "orders") == {}
    assert await consumer.drain() == 1
    assert shop.after == [["event-000001"]]


@pytest.mark.parametrize("error", [Unavailable("away"), StorageFull("full")])
async def test_a_transient_failure_is_tried_again(
    shop: Shop, error: RestockError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping_up, "RETRY_SECONDS", 0.02)
    failing = True

    async def handler(tx: Transaction, events: list[Event]) -> None:
        await shop.count(tx, events)
        if failing:
            raise error

    await publish(shop, order(1), order(2))
    consumer = shop.subscriber(handler=handler)
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: consumer.retrying)
    assert consumer.problem is None
    assert await shop.effects() == []
    failing = False
    await eventually(lambda: consumer.retrying is None)
    assert sorted(await shop.effects()) == ["event-000001", "event-000002"]
    await stop(running)


async def test_another_failure_stops_the_run_and_is_kept(shop: Shop) -> None:
    async def handler(tx: Transaction, events: list[Event]) -> None:
        raise ValueError("a mistake in the handler")

    await publish(shop, order(1))
    consumer = shop.subscriber(handler=handler)
    running = asyncio.create_task(consumer.run())
    await eventually(lambda: consumer.problem)
    await stop(running)
    assert isinstance(consumer.problem, ValueError)
    assert await consumer.lag() == 1
    with pytest.raises(ValueError, match="a mistake"):
        await consumer.drain()


async def test_an_unknown_topic_stops_the_run(shop: Shop) -> None:
    consumer = Subscriber(shop.log, "counter", ["nothing"], shop.count, shop.database, shop.inbox)
    await asyncio.wait_for(consumer.run(), 5)
    assert isinstance(consumer.problem, NotFound)


async def test_a_bad_record_stops_its_partition_and_no_other(shop: Shop) -> None:
    await publish(shop, *(order(number) for number in range(7)))
    await shop.log.publish([Message("orders", "CUST-0", b"not an event")])
    await publish(shop, *(order(number) for number in range(7, 14)))
    consumer = shop.subscriber()
    with pytest.raises(InvalidInput, match="not an event") as refused:
        await consumer.drain()
    assert refused.value.field.startswith(f"orders/{partition_for('CUST-0', PARTITIONS)}/")
    assert consumer.problem is refused.value
    bad = partition_for("CUST-0", PARTITIONS)
    held = [n for n in range(7, 14) if partition_for(f"CUST-{n % 7}", PARTITIONS) == bad]
    assert sorted(await shop.effects()) == [f"event-{n:06d}" for n in range(14) if n not in held]
    assert await consumer.lag() == len(held) + 1


async def test_a_parked_record_lets_the_partition_go_on(shop: Shop) -> None:
    parked: list[bytes | None] = []

    async def park(record: Record, error: Exception, attempts: int = 1, /) -> None:
        parked.append(record.value)

    await publish(shop, order(1))
    await shop.log.publish([Message("orders", "CUST-1", b"bad")])
    await publish(shop, order(8))
    consumer = shop.subscriber(on_bad=park)
    assert await consumer.drain() == 3
    assert parked == [b"bad"]
    assert await shop.effects() == ["event-000001", "event-000008"]
    assert (await consumer.lag(), consumer.problem) == (0, None)


async def test_a_refused_record_is_asked_about_once_per_drain(shop: Shop) -> None:
    asked: list[int] = []

    async def refuse(record: Record, error: Exception, attempts: int = 1, /) -> None:
        asked.append(record.offset)
        raise error

    await publish(shop, order(1))
    await shop.log.publish([Message("orders", "CUST-1", b"bad")] * 2)
    with pytest.raises(InvalidInput):
        await shop.subscriber(on_bad=refuse).drain()
    assert asked == [1]


async def test_a_stopped_partition_is_tried_again_by_the_next_drain(shop: Shop) -> None:
    away = True

    async def park(record: Record, error: Exception, attempts: int = 1, /) -> None:
        if away:
            raise error

    await shop.log.publish([Message("orders", "CUST-1", b"bad")])
    consumer = shop.subscriber(on_bad=park)
    with pytest.raises(InvalidInput):
        await consumer.drain()
    away = False
    assert await consumer.drain() == 1
    assert consumer.problem is None


async def test_a_running_subscriber_wakes_at_a_publish(shop: Shop) -> None:
    done = asyncio.Event()

    async def after(events: list[Event]) -> None:
        done.set()

    running = asyncio.create_task(shop.subscriber(after=after).run())
    await asyncio.sleep(0.05)
    async with asyncio.timeout(keeping_up.CHECK_SECONDS / 2):
        await publish(shop, order(1))
        await done.wait()
    await stop(running)


async def test_a_running_subscriber_notices_another_process(shop: Shop, home: object) -> None:
    running = asyncio.create_task(shop.subscriber().run())
    await asyncio.sleep(0.05)
    other = await Shop(shop.databases.home).open()
    await publish(other, order(1))
    await eventually(lambda: shop.after)
    await stop(running)
    await other.close()


async def test_a_busy_partition_does_not_starve_the_others(shop: Shop) -> None:
    keys = {partition_for(f"CUST-{n}", PARTITIONS): f"CUST-{n}" for n in range(30)}
    busy, quiet = keys[0], keys[1]
    await publish(shop, *(order(number, busy) for number in range(200)), order(999, quiet))
    consumer = shop.subscriber(batch=10)
    await consumer.drain()
    position = [index for index, batch in enumerate(shop.after) if "event-000999" in batch]
    assert position[0] < 4


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class _Sequence:
    """Remembers which events came in one unit, and can refuse one of them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.units: list[list[str]] = []
        self.refused = ""
        self.away = ""

    async def take(self, tx: Transaction, events: list[Event]) -> None:
        ids = [event.event_id for event in events]
        if self.away in ids:
            raise Unavailable("away")
        if self.refused in ids:
            raise ValueError("refused")
        self.units.append(ids)
        await self.shop.count(tx, events)


async def test_units_read_together_come_in_order_and_are_committed_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed: list[Mapping[TopicPartition, int]] = []
    commit = Member.commit

    async def counted(member: Member, offsets: Mapping[TopicPartition, int]) -> None:
        committed.append(offsets)
        await commit(member, offsets)

    monkeypatch.setattr(Member, "commit", counted)
    await publish(shop, *(order(number, "one") for number in range(25)))
    take = _Sequence(shop)
    assert await shop.subscriber(handler=take.take, batch=5, at_once=4).drain() == 25
    assert [len(unit) for unit in take.units] == [5, 5, 5, 5, 5]
    assert await shop.effects() == [f"event-{number:06d}" for number in range(25)]
    assert [max(offsets.values()) for offsets in committed] == [20, 25]


@pytest.mark.parametrize("refused", [3, 7, 19])
async def test_a_refused_event_stops_its_partition_though_later_units_were_read(shop: Shop, refused: int) -> None:
    await publish(shop, *(order(number, "one") for number in range(20)))
    take = _Sequence(shop)
    take.refused = f"event-{refused:06d}"
    consumer = shop.subscriber(handler=take.take, batch=5, at_once=4)
    with pytest.raises(ValueError, match="refused"):
        await consumer.drain()
    assert await shop.effects() == [f"event-{number:06d}" for number in range(refused)]
    assert max((await shop.log.committed("counter", "orders")).values(), default=0) == refused
    take.refused = ""
    await consumer.drain()
    assert await shop.effects() == [f"event-{number:06d}" for number in range(20)]


@pytest.mark.parametrize("bad", [0, 6, 19])
async def test_a_record_that_is_no_event_is_parked_in_whichever_unit_it_stands(shop: Shop, bad: int) -> None:
    key = "one"
    for number in range(20):
        await shop.log.publish([Message("orders", key, b"no" if number == bad else encode(order(number, key)))])
    parked: list[int] = []

    async def park(record: Record, error: Exception, attempts: int = 1) -> None:
        parked.append(record.offset)

    assert await shop.subscriber(batch=5, at_once=4, on_bad=park).drain() == 20
    assert parked == [bad]
    assert await shop.effects() == [f"event-{number:06d}" for number in range(20) if number != bad]


async def test_a_transient_failure_in_a_later_unit_repeats_them_all_with_one_effect(shop: Shop) -> None:
    await publish(shop, *(order(number, "one") for number in range(20)))
    take = _Sequence(shop)
    take.away = "event-000012"
    consumer = shop.subscriber(handler=take.take, batch=5, at_once=4)
    with pytest.raises(Unavailable):
        await consumer.drain()
    assert await shop.log.committed("counter", "orders") == {}
    take.away = ""
    assert await consumer.drain() == 20
    assert await shop.effects() == [f"event-{number:06d}" for number in range(20)]


async def test_a_partition_that_cannot_be_read_costs_the_others_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [order(number) for number in range(30)]
    await publish(shop, *sent)
    read, reads = shop.log.read, 0

    async def failing(topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """A server that goes away between two partitions of one poll."""
        nonlocal reads
        reads += 1
        if reads == 2:
            raise Unavailable("The database stream does not answer.")
        return await read(topic, partition, offset, limit)

    monkeypatch.setattr(shop.log, "read", failing)
    consumer = shop.subscriber()
    with pytest.raises(Unavailable):
        await consumer.drain()
    await consumer.drain()
    assert sorted(await shop.effects()) == [event.event_id for event in sent]
