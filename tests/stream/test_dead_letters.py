"""What cannot be handled is kept with its reason, the rest goes on, and a person decides once."""

from __future__ import annotations

import msgspec
import pytest
from stream_shop import Shop, order

from restock.core.clock import SystemClock
from restock.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from restock.core.event import Event
from restock.engine.database import Transaction
from restock.engine.stream import DeadLetters, Message, Unfit, encode, subscriber
from restock.engine.stream.port import MAX_MESSAGE_BYTES
from restock.engine.stream.subscriber import Handler


def event_message(event: Event) -> Message:
    return Message("orders", event.key, encode(event), {"event-id": event.event_id, "trace": "t-1"})


def letters_of(shop: Shop) -> DeadLetters:
    return DeadLetters(shop.log, SystemClock())


POISON = {
    "malformed": b"{not json",
    "no event": b'{"a": 1}',
    "empty": b"",
    "null": None,
    "not UTF-8": b"\xff\xfe\x00",
    "a list": b"[1, 2]",
    "wrong type": msgspec.json.encode({"event_id": 7, "type": "OrderPlaced", "at": "", "key": "k", "data": {}}),
    "huge number": b'{"event_id":"e","type":"T","at":"","causation_id":"","key":"k","data":{"n":1e999999}}',
    "NaN": b'{"event_id":"e","type":"T","at":"","causation_id":"","key":"k","data":{"n":NaN}}',
}


@pytest.mark.parametrize("value", POISON.values(), ids=POISON.keys())
async def test_a_record_that_is_no_event_is_parked_and_the_rest_goes_on(shop: Shop, value: bytes | None) -> None:
    letters = letters_of(shop)
    await shop.log.publish([event_message(order(1, "K")), Message("orders", "K", value), event_message(order(2, "K"))])
    consumer = shop.subscriber(on_bad=letters.of("counter"))
    assert await consumer.drain() == 3
    assert await shop.effects() == ["event-000001", "event-000002"]
    (one,) = await letters.letters()
    assert (one.group, one.topic, one.offset, one.key, one.value) == ("counter", "orders", 1, "K", value)
    assert "not an event" in one.reason
    assert (await consumer.lag(), consumer.problem) == (0, None)


async def test_an_event_that_the_handler_cannot_take_is_found_among_the_others(shop: Shop) -> None:
    letters = letters_of(shop)
    tried: list[str] = []

    async def handler(tx: Transaction, events: list[Event]) -> None:
        for event in events:
            if event.event_id == "event-000007":
                tried.append(event.event_id)
                raise KeyError("sku")
        await shop.count(tx, events)

    await shop.log.publish([event_message(order(number)) for number in range(20)])
    consumer = shop.subscriber(handler=handler, on_bad=letters.of("counter"))
    assert await consumer.drain() == 20
    assert sorted(await shop.effects()) == [f"event-{n:06d}" for n in range(20) if n != 7]
    (one,) = await letters.letters("counter")
    assert one.headers == {"event-id": "event-000007", "trace": "t-1"} and "KeyError" in one.reason
    assert len(tried) == 1 + subscriber.TRIES
    assert one.attempts == subscriber.TRIES
    assert await letters.letters("another") == []


def refusing(shop: Shop, *unfit: int) -> Handler:
    """Give a handler that refuses the events of these numbers, by name and without trying the others one by one."""

    async def handler(tx: Transaction, events: list[Event]) -> None:
        names = {f"event-{number:06d}" for number in unfit}
        reasons = {
            one.event_id: NotFound(f"{one.event_id} asks for nothing.") for one in events if one.event_id in names
        }
        if reasons:
            raise Unfit(dict(reasons))
        await shop.count(tx, events)

    return handler


async def test_events_that_the_handler_refuses_are_parked_at_once_whatever_their_number(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "PARKED_IN_A_ROW", 5)
    letters = letters_of(shop)
    await shop.log.publish([event_message(order(number, "K")) for number in range(30)])
    consumer = shop.subscriber(handler=refusing(shop, *range(3, 23)), on_bad=letters.of("counter"), batch=12)
    assert await consumer.drain() == 30
    assert await shop.effects() == [f"event-{number:06d}" for number in (*range(3), *range(23, 30))]
    found = await letters.letters()
    assert [(one.offset, one.attempts) for one in found] == [(number, 1) for number in range(3, 23)]
    assert found[0].reason == "NotFound: event-000003 asks for nothing."


async def test_a_refused_event_that_nobody_parks_stops_its_partition_there(shop: Shop) -> None:
    await shop.log.publish([event_message(order(number, "K")) for number in range(10)])
    consumer = shop.subscriber(handler=refusing(shop, 4, 7))
    with pytest.raises(NotFound, match="event-000004"):
        await consumer.drain()
    assert await shop.effects() == [f"event-{number:06d}" for number in range(4)]
    assert await consumer.lag() == 6


async def test_a_transient_failure_parks_nothing(shop: Shop) -> None:
    letters = letters_of(shop)

    async def handler(tx: Transaction, events: list[Event]) -> None:
        raise Unavailable("away")

    await shop.log.publish([event_message(order(1))])
    with pytest.raises(Unavailable):
        await shop.subscriber(handler=handler, on_bad=letters.of("counter")).drain()
    assert await letters.letters() == []


async def test_a_handler_that_fails_at_everything_stops_instead_of_parking_everything(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "PARKED_IN_A_ROW", 5)
    letters = letters_of(shop)

    async def handler(tx: Transaction, events: list[Event]) -> None:
        raise ValueError("a mistake in the handler")

    await shop.log.publish([event_message(order(number, "K")) for number in range(20)])
    consumer = shop.subscriber(handler=handler, on_bad=letters.of("counter"))
    with pytest.raises(ValueError, match="a mistake"):
        await consumer.drain()
    assert len(await letters.letters()) == 5
    assert isinstance(consumer.problem, ValueError)
    assert await consumer.lag() == 15


async def test_a_replay_reaches_the_group_that_could_not_and_no_other(shop: Shop) -> None:
    letters = letters_of(shop)
    broken = True

    async def handler(tx: Transaction, events: list[Event]) -> None:
        if broken:
            raise ValueError("not yet")
        await shop.count(tx, events)

    await shop.log.publish([event_message(order(1))])
    consumer = shop.subscriber(handler=handler, on_bad=letters.of("counter"))
    await consumer.drain()
    broken = False
    (one,) = await letters.letters()
    await letters.replay(one.letter, "ada", "the handler was mended")
    assert await consumer.drain() == 1
    assert await shop.effects() == ["event-000001"]
    assert await letters.letters() == []
    decided = (await letters.letters(decided=True))[0]
    assert (decided.verdict, decided.actor, decided.note) == ("replayed", "ada", "the handler was mended")
    with pytest.raises(Conflict, match="replayed by ada"):
        await letters.replay(one.letter, "bob", "")


async def test_a_discard_needs_a_note_and_is_final(shop: Shop) -> None:
    letters = letters_of(shop)
    await shop.log.publish([Message("orders", "K", b"bad")])
    await shop.subscriber(on_bad=letters.of("counter")).drain()
    (one,) = await letters.letters()
    with pytest.raises(InvalidInput, match="why"):
        await letters.discard(one.letter, "ada", " ")
    await letters.discard(one.letter, "ada", "a test record")
    with pytest.raises(Conflict):
        await letters.discard(one.letter, "ada", "again")
    with pytest.raises(NotFound):
        await letters.discard("orders.0.99.counter", "ada", "nothing")


async def test_parked_twice_after_a_crash_is_one_letter(shop: Shop) -> None:
    letters = letters_of(shop)
    await shop.log.publish([Message("orders", "K", b"bad")])
    consumer = shop.subscriber(on_bad=letters.of("counter"))
    await consumer.drain()
    await consumer.close()
    await shop.log.reset("counter", {("orders", part): 0 for part in range(3)})
    await shop.subscriber(on_bad=letters.of("counter")).drain()
    assert len(await letters.letters()) == 1


LARGEST = MAX_MESSAGE_BYTES - len("K")


@pytest.mark.parametrize(
    ("value", "headers"),
    [(b"x" * LARGEST, {}), (b"x" * 10, {"trace": "t" * (LARGEST - 15)})],
    ids=["value", "headers"],
)
async def test_a_record_that_leaves_no_room_for_the_reason_is_parked_by_its_beginning(
    shop: Shop, value: bytes, headers: dict[str, str]
) -> None:
    letters = letters_of(shop)
    await shop.log.publish([Message("orders", "K", value, headers), event_message(order(2, "K"))])
    consumer = shop.subscriber(on_bad=letters.of("counter"))
    assert await consumer.drain() == 2
    assert await shop.effects() == ["event-000002"]
    (one,) = await letters.letters()
    assert (one.offset, one.key, one.headers, one.whole) == (0, "K", {}, False)
    assert one.value and value.startswith(one.value)
    place = await letters.replay(one.letter, "ada", "the original, not what the letter holds of it")
    (again,) = await shop.log.read(*place, 1)
    assert (again.key, again.value, again.headers) == ("K", value, headers)


async def test_a_letter_whose_original_is_forgotten_is_replayed_only_when_it_holds_all(shop: Shop) -> None:
    letters = letters_of(shop)
    await shop.log.publish([Message("orders", "K", b"x" * LARGEST), Message("orders", "K", b"small")])
    await shop.subscriber(on_bad=letters.of("counter")).drain()
    large, small = await letters.letters()
    await shop.log.trim("orders", {small.partition: 2})
    with pytest.raises(NotFound, match="forgotten"):
        await letters.replay(large.letter, "ada", "")
    await letters.replay(small.letter, "ada", "")
    assert [one.letter for one in await letters.letters()] == [large.letter]


async def test_a_record_without_a_key_is_parked_and_replayed_where_it_came_from(shop: Shop) -> None:
    letters = letters_of(shop)
    await shop.log.publish_to([(1, Message("orders", "", b"bad"))])
    assert await shop.subscriber(on_bad=letters.of("counter")).drain() == 1
    (one,) = await letters.letters()
    assert (one.partition, one.key, one.value) == (1, "", b"bad")
    assert (await letters.replay(one.letter, "ada", "")).partition == 1
