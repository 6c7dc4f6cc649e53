"""Poison on the stream: each bad record becomes a dead letter with its origin and reason, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from scenario_world import D, life, load, order

from restock.core.errors import InvalidInput
from restock.core.ids import Ids
from restock.engine.stream import Message
from restock.inventory.model import Item, StockCount
from restock.inventory.port import PositionsRequest
from restock.orders.port import PlaceRequest

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


async def test_an_unknown_product_is_told_and_owed_not_parked(fresh: Path) -> None:
    async with life(fresh) as app:
        await load(app, [Item("WIDGET")], [StockCount("WIDGET", D(50))], [], [], [])
        await app.orders.place(PlaceRequest([order("k-1", "cust-1", [("NOBODY", "3", "2")])]))
        await app.settle()
        assert await app.dead_letters.letters() == []


async def test_two_megabytes_are_refused_before_they_are_stored(fresh: Path) -> None:
    async with life(fresh) as app:
        with pytest.raises(InvalidInput, match="bytes"):
            await app.stream.publish([Message("orders", "k", b"x" * (2 << 20), {"event-id": Ids(app.clock).new()})])
