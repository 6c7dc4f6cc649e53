"""Accepting orders: right answers, in one transaction, once per key."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput, NotFound
from restock.core.ids import Ids
from restock.engine.database import Database
from restock.engine.stream import Record, decode, encode
from restock.engine.stream.outbox import events_in
from restock.orders import store
from restock.orders.model import MAX_ITEMS, Demand, NewOrder, OrderItem
from restock.orders.port import (
    CountsRequest,
    DemandRequest,
    OrderRequest,
    OrdersRequest,
    Placement,
    PlaceRequest,
    PutDemandRequest,
)
from restock.orders.service import OrdersService
from restock.orders.tables import SCHEMA


class Oms:
    """An orders service and what a test looks at beside it."""

    def __init__(self, service: OrdersService, database: Database) -> None:
        self.service = service
        self.database = database

    async def place(self, *orders: NewOrder) -> list[Placement]:
        return (await self.service.place(PlaceRequest(list(orders)))).orders

    async def events(self) -> list[Record]:
        rows = await self.database.read(store.OUTBOX_EVENTS.next, {"most": 10_000})
        events = [event for row in rows for event in events_in(row[2])]
        return [Record(one.topic, 0, place, one.key, one.value, {}, "") for place, one in enumerate(events)]


@pytest.fixture
async def oms(tmp_path: Path) -> AsyncIterator[Oms]:
    databases = EmbeddedDatabases(tmp_path, {"oms": [SCHEMA]})
    clock = SystemClock()
    yield Oms(OrdersService(databases["oms"], clock, Ids(clock)), databases["oms"])
    await databases.close()


def order(*items: tuple[str, str, str], customer: str = "cust-alice", **more: str) -> NewOrder:
    lines = [OrderItem(sku, Decimal(quantity), Decimal(price)) for sku, quantity, price in items]
    return NewOrder(customer, lines, **more)


WIDGETS = order(("WIDGET-1", "2", "29.99"), ("GADGET-A", "3", "19.99"), shipping_address="1 High Street\nLeeds")


async def test_the_reply_is_as_published_and_the_order_can_be_read(oms: Oms) -> None:
    (placed,) = await oms.place(WIDGETS)
    assert re.fullmatch("ORD-[0-9A-F]{8}", placed.order_id)
    assert (placed.status, placed.total_amount, placed.error) == ("created", Decimal("119.95"), None)
    read = await oms.service.order(OrderRequest(placed.order_id))
    assert read.items == WIDGETS.items
    assert (read.customer_id, read.total_amount) == ("cust-alice", Decimal("119.95"))
    assert (read.shipping_address, read.created_at) == (WIDGETS.shipping_address, placed.created_at)


async def test_each_order_leaves_one_event_in_the_form_of_the_codec(oms: Oms) -> None:
    (placed,) = await oms.place(order(("W", "1.50", "1E+2")))
    (record,) = await oms.events()
    event = decode(record)
    assert (event.type, event.topic, event.key) == ("OrderPlaced", "orders", "cust-alice")
    assert event.data == {
        "order_id": placed.order_id,
        "customer_id": "cust-alice",
        "items": [{"sku": "W", "quantity": Decimal("1.5"), "price": 100}],
        "total_amount": 150,
        "shipping_address": None,
        "status": "created",
        "created_at": placed.created_at,
    }
    assert encode(event) == record.value


async def test_each_line_is_rounded_half_up_before_the_sum(oms: Oms) -> None:
    (placed,) = await oms.place(order(("A", "0.5", "0.01"), ("B", "0.5", "0.01"), ("C", "0.499999", "0.01")))
    assert placed.total_amount == Decimal("0.02")


async def test_a_total_keeps_every_digit(oms: Oms) -> None:
    (placed,) = await oms.place(order(("A", "999999.999999", "1000000"), ("B", "1", "0.01")))
    assert placed.total_amount == Decimal("999999999999.01")
    (refused,) = await oms.place(order(("A", "1000000", "1000000"), ("B", "1", "0.01")))
    assert refused.error is not None and "too large" in refused.error.detail


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (order(("A", "0", "1")), "items[0].quantity"),
        (order(("A", "1", "1"), ("A", "-1", "1")), "items[1].quantity"),
        (order(("A", "1", "-0.01")), "items[0].price"),
        (order(("A", "NaN", "1")), "items[0].quantity"),
        (order(("A", "sNaN", "1")), "items[0].quantity"),
        (order(("A", "1", "Infinity")), "items[0].price"),
        (order(("A", "1.0000001", "1")), "items[0].quantity"),
        (order((" ", "1", "1")), "items[0].sku"),
        (order(("A", "1", "1"), customer=""), "customer_id"),
        (order(("A", "1", "1"), customer="a\0b"), "customer_id"),
        (order(("A\ud800", "1", "1")), "items[0].sku"),
        (order(("A", "1", "1"), customer="\ud800"), "customer_id"),
        (order(("A", "1", "1"), shipping_address="\ud800"), "shipping_address"),
        (order(("A", "1", "1"), idempotency_key="\ud800"), "idempotency_key"),
        (order(), "items"),
        (order(*[("A", "1", "1")] * (MAX_ITEMS + 1)), "items"),
        (order(("A", "1", "1"), shipping_address="x" * 1001), "shipping_address"),
        (order(("A", "1", "1"), idempotency_key="k" * 256), "idempotency_key"),
        (NewOrder("c", [OrderItem("A", 1.5, Decimal(1))]), "items[0].quantity"),  # type: ignore[arg-type]
        (NewOrder("c", [OrderItem(["A"], Decimal(1), Decimal(1))]), "items[0].sku"),  # type: ignore[arg-type]
        (NewOrder(7, [OrderItem("A", Decimal(1), Decimal(1))]), "customer_id"),  # type: ignore[arg-type]
    ],
)
async def test_a_bad_order_is_named_and_stops_no_other(oms: Oms, bad: NewOrder, field: str) -> None:
    first, refused, last = await oms.place(WIDGETS, bad, WIDGETS)
    assert first.error is None and last.error is None and first.order_id != last.order_id
    assert refused.error is not None
    assert (refused.error.field, refused.error.status, refused.order_id) == (field, 422, "")
    assert len(await oms.events()) == 2


async def test_a_float_is_refused_even_when_an_equal_decimal_was_seen(oms: Oms) -> None:
    await oms.place(order(("A", "7", "7")))
    (refused,) = await oms.place(NewOrder("c", [OrderItem("A", 7.0, Decimal(7))]))  # type: ignore[arg-type]
    assert refused.error is not None and "not a decimal" in refused.error.detail


async def test_the_same_key_gives_the_same_order(oms: Oms) -> None:
    keyed = order(("A", "1", "1.25"), idempotency_key="k1")
    first, twin, other = await oms.place(keyed, keyed, order(("A", "2", "1"), idempotency_key="k1"))
    (again,) = await oms.place(order(("A", "1.0", "1.250"), idempotency_key="k1"))
    assert first == twin == again
    assert other.error is not None and other.error.field == "Idempotency-Key"
    assert len(await oms.events()) == 1


async def test_the_same_key_at_the_same_time_gives_one_order(oms: Oms) -> None:
    keyed = order(("A", "1", "1"), idempotency_key="k")
    answers = await asyncio.gather(*(oms.place(keyed) for _ in range(20)))
    assert len({answer[0].order_id for answer in answers}) == 1
    assert len(await oms.events()) == 1


class Few:
    """Randomness that has only eight values of 32 bits, in turn."""

    def __init__(self) -> None:
        self.turn = 0

    def getrandbits(self, k: int, /) -> int:
        self.turn += 1
        return self.turn // 3 % 8


async def test_an_identifier_that_is_taken_is_drawn_again(oms: Oms) -> None:
    clock = SystemClock()
    service = OrdersService(oms.database, clock, Ids(clock, Few()))
    answers = [(await service.place(PlaceRequest([WIDGETS, WIDGETS]))).orders for _ in range(4)]
    ids = {placed.order_id for pair in answers for placed in pair}
    assert len(ids) == 8
    assert len(await oms.events()) == 8


async def test_orders_are_paged_newest_first(oms: Oms) -> None:
    placed = [one.order_id for one in await oms.place(*[WIDGETS] * 7)]
    seen: list[str] = []
    after = ""
    while True:
        page = await oms.service.orders(OrdersRequest(3, after))
        seen += [one.order_id for one in page.orders]
        if not page.next:
            break
        after = page.next
    assert seen == placed[::-1]
    with pytest.raises(NotFound):
        await oms.service.orders(OrdersRequest(3, "ORD-NONE"))
    with pytest.raises(InvalidInput, match="limit"):
        await oms.service.orders(OrdersRequest(0))


async def test_stated_demand_is_kept_and_only_a_change_grows_the_revision(oms: Oms) -> None:
    demand = [Demand("PROD-001", Decimal("15.5"), "increasing"), Demand("PROD-002", Decimal(50))]
    assert (await oms.service.put_demand(PutDemandRequest(demand))).changed == 2
    before = await oms.service.revision()
    assert (await oms.service.put_demand(PutDemandRequest(demand))).changed == 0
    await oms.place(WIDGETS)
    assert await oms.service.revision() == before
    frame = await oms.service.demand(DemandRequest(["PROD-002", "PROD-001", "PROD-009", "PROD-001"]))
    assert list(frame.rows()) == [
        {"product_id": "PROD-001", "demand_per_day": Decimal("15.5"), "trend": "increasing",
         "window_days": 0, "as_of": "", "source": "stated"},
        {"product_id": "PROD-002", "demand_per_day": Decimal(50), "trend": "stable",
         "window_days": 0, "as_of": "", "source": "stated"},
    ]  # fmt: skip
    await oms.service.put_demand(PutDemandRequest([Demand("PROD-001", Decimal(16), "stable")]))
    assert await oms.service.revision() == before + 1


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (Demand("", Decimal(1)), "product_id"),
        (Demand("A", Decimal(-1)), "demand_per_day"),
        (Demand("A", Decimal("0.00001")), "demand_per_day"),
        (Demand("A", Decimal(1), "sideways"), "trend"),
    ],
)
async def test_bad_demand_names_the_field(oms: Oms, bad: Demand, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await oms.service.put_demand(PutDemandRequest([Demand("B", Decimal(1)), bad]))
    assert caught.value.field == field


async def test_the_orders_of_a_request_have_consecutive_identifiers(oms: Oms) -> None:
    placed = await oms.place(*[WIDGETS] * 5)
    numbers = [int(one.order_id.removeprefix("ORD-"), 16) for one in placed]
    assert [(number - numbers[0]) % (1 << 32) for number in numbers] == list(range(5))


async def test_orders_are_counted_by_the_interface_they_came_by(oms: Oms) -> None:
    for version, number in ((1, 2), (2, 3), (1, 1)):
        await oms.service.place(PlaceRequest([WIDGETS] * number, version))
        counts = await oms.service.counts(CountsRequest())
    assert (counts.orders, counts.v1, counts.v2) == (6, 3, 3)
    keyed = order(("A", "1", "1"), idempotency_key="k")
    for _ in range(2):
        await oms.service.place(PlaceRequest([keyed, keyed], 1))
    counts = await oms.service.counts(CountsRequest())
    assert (counts.orders, counts.v1) == (7, 4), "an order that was known is not counted again"
    fresh = OrdersService(oms.database, SystemClock(), Ids(SystemClock()))
    assert await fresh.counts(CountsRequest()) == counts


@pytest.mark.parametrize("wrong", [[], {}, None, True, 1.5])
async def test_a_value_of_no_right_type_is_named(oms: Oms, wrong: object) -> None:
    for field in ("quantity", "price"):
        item = OrderItem("A", Decimal(1), Decimal(1))
        object.__setattr__(item, field, wrong)
        (placed,) = await oms.place(NewOrder("c", [item]))
        assert placed.error is not None and placed.error.field == f"items[0].{field}"
