"""An event leaves if, and only if, its change was committed."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from stream_shop import Shop, order

from restock.core import trace
from restock.core.errors import InvalidInput, NotFound, Unavailable
from restock.core.event import Event
from restock.engine.database import Transaction
from restock.engine.stream import EVENT_ID_HEADER, Message, Position, Relay, decode, outbox
from restock.engine.stream.outbox import _runs


async def published(shop: Shop) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for partition, (low, high) in (await shop.log.watermarks("orders")).items():
        records = await shop.log.read("orders", partition, low, 10_000) if high else []
        assert all(record.headers[EVENT_ID_HEADER] == decode(record).event_id for record in records)
        found[partition] = [decode(record) for record in records]
    return found


async def test_events_are_published_once_and_in_order_per_key(shop: Shop) -> None:
    sent = [order(number) for number in range(5000)]
    await shop.place(sent)
    assert (await shop.outbox.backlog(shop.database)).events == 5000
    assert await shop.relay.drain() == 5000
    assert await shop.relay.drain() == 0
    assert await shop.outbox.backlog(shop.database) == (0, "")
    found = await published(shop)
    assert sorted(event.event_id for events in found.values() for event in events) == [e.event_id for e in sent]
    for key in {event.key for event in sent}:
        mine = [event for events in found.values() for event in events if event.key == key]
        assert mine == [event for event in sent if event.key == key]


async def test_an_undone_unit_leaves_no_event(shop: Shop) -> None:
    async def unit(tx: Transaction) -> None:
        await shop.outbox.add(tx, [order(1)])
        raise NotFound("the unit fails after its event")

    with pytest.raises(NotFound):
        await shop.database.write("place", unit)
    assert await shop.relay.drain() == 0


@pytest.mark.parametrize(
    "event",
    [
        Event("e", "T", "orders", "", "at"),
        Event("", "T", "orders", "k", "at"),
        Event("e", "T", "orders", "k", "at", {"price": 1.5}),
        Event("e", "T", "orders", "k", "at", {"note": "x" * (1 << 20)}),
    ],
    ids=["no key", "no identifier", "a float", "too large"],
)
async def test_what_the_stream_would_refuse_fails_the_unit_and_not_the_relay(shop: Shop, event: Event) -> None:
    with pytest.raises(InvalidInput):
        await shop.place([order(1), event])
    assert (await shop.outbox.backlog(shop.database)).events == 0


async def test_the_relay_deletes_only_what_it_published(shop: Shop) -> None:
    """A lower number may become visible after a higher one was read; it must not be deleted unpublished."""
    assert _runs([1, 2, 3, 5, 8, 9]) == [{"first": 1, "last": 3}, {"first": 5, "last": 5}, {"first": 8, "last": 9}]
    assert _runs([]) == []


async def test_a_number_is_never_given_twice(shop: Shop) -> None:
    await shop.place([order(1), order(2)])
    first = await shop.database.read(shop.outbox.next, {"most": 10})
    await shop.relay.drain()
    await shop.place([order(3)])
    second = await shop.database.read(shop.outbox.next, {"most": 10})
    assert second[0][0] > first[-1][0]


async def test_large_events_make_the_batches_small(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RELAY_BYTES", 10_000)
    for n in range(300):
        await shop.place([Event(f"e{n}", "T", "orders", "k", "at", {"note": "x" * 1000})])
    sizes = []
    publish = shop.log.publish

    async def watched(messages: list[Message]) -> list[Position]:
        sizes.append(len(messages))
        return await publish(messages)

    monkeypatch.setattr(shop.log, "publish", watched)
    assert await shop.relay.drain() == 300
    assert min(sizes[2:-1]) < 20


async def test_events_of_one_unit_stand_in_one_row_unless_they_are_many_or_large(shop: Shop) -> None:
    small = [order(n) for n in range(outbox.BATCH_EVENTS + 1)]
    large = [Event(f"l{n}", "T", "orders", "k", "at", {"note": "x" * 700_000}) for n in range(3)]
    await shop.place([*small, *large])
    rows = await shop.database.read(shop.outbox.next, {"most": 10})
    assert [row[1] for row in rows] == [outbox.BATCH_EVENTS, 3, 1]
    assert [one.event_id for row in rows for one in outbox.events_in(row[2])] == [
        one.event_id for one in (*small, *large)
    ]
    assert await shop.relay.drain() == len(small) + len(large)


async def test_a_told_relay_wakes_at_once_and_stops_when_cancelled(shop: Shop) -> None:
    running = asyncio.create_task(shop.relay.run())
    await asyncio.sleep(0.02)
    bell = shop.log.listen(["orders"])
    await shop.place([order(1)])
    shop.relay.notify()
    assert await bell.wait(outbox.RELAY_SECONDS / 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_relay_that_was_told_goes_back_to_sleep(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    read = shop.relay._database.read

    async def counted(*arguments: object) -> object:
        nonlocal looks
        looks += 1
        return await read(*arguments)

    monkeypatch.setattr(shop.relay._database, "read", counted)
    running = asyncio.create_task(shop.relay.run())
    await asyncio.sleep(0.01)
    shop.relay.notify()
    await asyncio.sleep(outbox.RELAY_SECONDS / 4)
    assert 1 <= looks <= 3
    running.cancel()


async def test_an_untold_relay_finds_events_by_itself(shop: Shop) -> None:
    running = asyncio.create_task(shop.relay.run())
    await asyncio.sleep(0.02)
    bell = shop.log.listen(["orders"])
    await shop.place([order(1)])
    assert await bell.wait(5)
    running.cancel()


async def test_a_relay_survives_a_stream_that_is_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.01)
    away = True
    publish = shop.log.publish

    async def sometimes(messages: list[Message]) -> list[Position]:
        if away:
            raise Unavailable("the stream is away")
        return await publish(messages)

    monkeypatch.setattr(shop.log, "publish", sometimes)
    await shop.place([order(1)])
    bell = shop.log.listen(["orders"])
    running = asyncio.create_task(shop.relay.run())
    await asyncio.sleep(0.02)
    assert isinstance(shop.relay.problem, Unavailable)
    away = False
    assert await bell.wait(5)
    await asyncio.sleep(0.05)
    assert shop.relay.problem is None
    running.cancel()


async def test_two_relays_on_one_outbox_lose_nothing(shop: Shop) -> None:
    other = Relay(shop.database, shop.outbox, shop.log)
    await shop.place([order(number) for number in range(1000)])
    await asyncio.gather(shop.relay.drain(), other.drain())
    await shop.subscriber().drain()
    assert len(await shop.effects()) == len(set(await shop.effects())) == 1000


async def test_the_inbox_knows_what_it_saw_also_inside_a_batch(shop: Shop) -> None:
    async def ask(*ids: str) -> set[str]:
        return await shop.database.write("ask", lambda tx: shop.inbox.fresh(tx, ids))

    assert await ask() == set()
    assert await ask("a", "b", "a") == {"a", "b"}
    assert await ask("b", "c") == {"c"}
    many = [f"id-{number}" for number in range(2000)]
    assert await ask(*many) == set(many)
    assert await ask(*many, "new") == {"new"}


async def test_an_undone_unit_makes_its_events_fresh_again(shop: Shop) -> None:
    async def unit(tx: Transaction) -> None:
        assert await shop.inbox.fresh(tx, ["a"]) == {"a"}
        assert await shop.inbox.fresh(tx, ["a"]) == set()
        raise NotFound("undone")

    for _ in range(2):
        with pytest.raises(NotFound):
            await shop.database.write("try", unit)


def test_waiting_events_of_programs_before_and_after_traces_are_read() -> None:
    class Before(msgspec.Struct, array_like=True, frozen=True):
        event_id: str
        topic: str
        key: str
        value: bytes

    old = msgspec.msgpack.encode([Before("e", "orders", "k", b"v")])
    assert outbox.events_in(old) == [outbox.Waiting("e", "orders", "k", b"v")]
    ((_, new),) = outbox.packed([outbox.Waiting("e", "orders", "k", b"v", trace.begun())])
    assert msgspec.msgpack.decode(new, type=list[Before]) == [Before("e", "orders", "k", b"v")]
