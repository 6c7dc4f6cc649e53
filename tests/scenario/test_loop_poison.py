"""Poison on the stream: each bad record becomes a dead letter with its origin and reason, and the rest goes on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from scenario_world import D, life, load, order

from restock.app import App
from restock.core.errors import InvalidInput
from restock.core.ids import Ids
from restock.engine.stream import Message
from restock.engine.stream.subscriber import PARKED_IN_A_ROW
from restock.inventory.model import Item, StockCount
from restock.inventory.port import BackordersRequest, PositionsRequest
from restock.orders.port import PlaceRequest


async def reserved(app: App, product: str) -> Decimal:
    (position,) = (await app.inventory.positions(PositionsRequest([product]))).rows()
    return position["reserved"]


GROUPS = {"inventory.orders", "analytics"}
"""Both refuse the same, or figures and stock would tell of other orders."""


def event(items: object, event_id: str = "poison") -> bytes:
    data = {
        "order_id": "ORD-1",
        "customer_id": "c",
        "items": items,
        "total_amount": 1,
        "created_at": "2026-01-05T08:00:00Z",
    }
    head = {"event_id": event_id, "type": "OrderPlaced", "at": "2026-01-05T08:00:00Z", "causation_id": "", "key": "c"}
    return msgspec.json.encode({**head, "data": data})


POISON: dict[str, bytes | None] = {
    "malformed": b'{"event_id": "poison", "type": "OrderPlaced", ',
    "null": None,
    "empty": b"",
    "not UTF-8": b'"OrderPlaced\xff\xfe"',
    "wrong type of items": event("three"),
    "an item that is text": event(["WIDGET"]),
    "an item without a quantity": event([{"sku": "WIDGET", "price": 1}]),
    "a quantity of text": event([{"sku": "WIDGET", "quantity": "many", "price": 1}]),
    "negative": event([{"sku": "WIDGET", "quantity": -5, "price": 1}]),
    "zero": event([{"sku": "WIDGET", "quantity": 0, "price": 1}]),
    "NaN": event([]).replace(b'"items":[]', b'"items":[{"sku":"WIDGET","quantity":NaN,"price":1}]'),
    "huge": event([]).replace(b'"items":[]', b'"items":[{"sku":"WIDGET","quantity":1e999999,"price":1}]'),
    "unknown schema": b"\x00\x00\x0f\x42\x40" + b"avro",
}


@pytest.mark.parametrize("value", POISON.values(), ids=POISON.keys())
async def test_poison_is_parked_and_the_rest_goes_on(fresh: Path, value: bytes | None) -> None:
    async with life(fresh) as app:
        await load(app, [Item("WIDGET")], [StockCount("WIDGET", D(50))], [], [], [])
        await app.stream.publish([Message("orders", "cust-1", value, {"event-id": "poison"})])
        placed = await app.orders.place(PlaceRequest([order("k-1", "cust-1", [("WIDGET", "3", "2")])]))
        assert placed.orders[0].error is None
        await app.settle()
        (position,) = (await app.inventory.positions(PositionsRequest(["WIDGET"]))).rows()
        assert (position["on_hand"], position["reserved"]) == (50, 3)
        letters = await app.dead_letters.letters()
        assert {(one.group, one.topic, one.key, one.value) for one in letters} == {
            (group, "orders", "cust-1", value) for group in GROUPS
        }
        assert all(one.reason for one in letters)
        assert app.problems() == []
        assert {name: left for name, left in (await app.backlog()).items() if left} == {}


async def test_an_order_with_an_unknown_product_waits_whole_until_a_person_has_put_the_product(fresh: Path) -> None:
    async with life(fresh) as app:
        await load(app, [Item("WIDGET"), Item("UNCOUNTED")], [StockCount("WIDGET", D(50))], [], [], [])
        orders = [
            order("k-1", "cust-1", [("WIDGET", "3", "2"), ("NOBODY", "4", "2")]),
            order("k-2", "cust-1", [("WIDGET", "5", "2"), ("UNCOUNTED", "1", "2")]),
            order("k-3", "cust-2", [("WIDGET", "7", "2")]),
        ]
        placed = await app.orders.place(PlaceRequest(orders))
        await app.settle()
        (letter,) = await app.dead_letters.letters()
        assert (letter.group, letter.topic, letter.key) == ("inventory.orders", "orders", "cust-1")
        assert f"{placed.orders[0].order_id} asks for 'NOBODY', which nobody knows" in letter.reason
        assert await reserved(app, "WIDGET") == 12
        waiting = await app.inventory.backorders(BackordersRequest())
        assert (waiting.product_id, waiting.reason) == (("UNCOUNTED",), ("not enough stock",))

        await load(app, [Item("NOBODY")], [StockCount("NOBODY", D(9))], [], [], [])
        await app.dead_letters.replay(letter.letter, "buyer", "it is sold now")
        await app.settle()
        assert (await reserved(app, "WIDGET"), await reserved(app, "NOBODY")) == (15, 4)
        assert await app.dead_letters.letters() == []


async def test_one_tenth_of_poison_is_parked_exactly_and_the_rest_is_reserved(fresh: Path) -> None:
    kinds = [each for name, each in POISON.items() if name != "unknown schema"]
    async with life(fresh) as app:
        await load(app, [Item("WIDGET")], [StockCount("WIDGET", D(5000))], [], [], [])
        one = [{"sku": "WIDGET", "quantity": 1, "price": 1}]
        bad: set[bytes | None] = set()
        for number in range(1000):
            value: bytes | None = event(one, f"e-{number}")
            if number % 10 == 0:
                strange = event([{"sku": "NOBODY", "quantity": 1, "price": 1}], f"e-{number}")
                value = strange if number // 10 % 2 else kinds[number // 20 % len(kinds)]
                bad.add(value)
            await app.stream.publish([Message("orders", f"cust-{number % 30}", value, {"event-id": f"e-{number}"})])
        await app.settle()
        wanted = {
            (partition, record.offset)
            for partition, (low, _) in (await app.stream.watermarks("orders")).items()
            for record in await app.stream.read("orders", partition, low, 1000)
            if record.value in bad
        }
        letters = await app.dead_letters.letters("inventory.orders")
        assert len(wanted) >= 100
        assert {(each.partition, each.offset) for each in letters} == wanted
        assert await reserved(app, "WIDGET") == 900
        assert app.problems() == []


async def test_an_unknown_product_in_every_order_stops_nothing(fresh: Path) -> None:
    """More in a row than a broken handler may park: here the records are at fault, and each says why."""
    async with life(fresh) as app:
        await load(app, [Item("WIDGET")], [StockCount("WIDGET", D(50))], [], [], [])
        many = [order(f"k-{number}", "cust-1", [("NOBODY", "1", "1")]) for number in range(2 * PARKED_IN_A_ROW)]
        await app.orders.place(PlaceRequest([*many, order("last", "cust-1", [("WIDGET", "1", "1")])]))
        await app.settle()
        assert len(await app.dead_letters.letters()) == 2 * PARKED_IN_A_ROW
        assert (await reserved(app, "WIDGET"), app.problems()) == (1, [])


async def test_two_megabytes_are_refused_before_they_are_stored(fresh: Path) -> None:
    async with life(fresh) as app:
        with pytest.raises(InvalidInput, match="bytes"):
            await app.stream.publish([Message("orders", "k", b"x" * (2 << 20), {"event-id": Ids(app.clock).new()})])
