"""Windows and their edges, late orders, records that cannot be counted, and other forms of numbers and identifiers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from counting import START, D, Shop, Sold

from restock.analytics.model import MINUTES_KEPT
from restock.analytics.port import WindowsRequest
from restock.core.clock import SimulatedClock
from restock.core.errors import InvalidInput
from restock.core.event import Event
from restock.core.ids import Ids
from restock.engine.stream import Message, Record, seen

ids = Ids(SimulatedClock(START))
WEEK = int(MINUTES_KEPT.total_seconds())


def sold(number: int, seconds: int = 0, customer: str = "alice", price: str = "2.50") -> Sold:
    return Sold(number, customer, seconds, (("A", D(2), D(price)),), ids.new())


async def counted(shop: Shop, *orders: Sold) -> None:
    await shop.publish(*(one.event("orders") for one in orders))
    await shop.consumer().drain()


async def starts(shop: Shop, size: str = "minute", since: str = "", to: str = "", limit: int = 100) -> list[str]:
    return [one.start for one in await shop.service.windows(WindowsRequest(size, since, to, limit))]


async def test_an_order_is_in_the_minute_hour_and_day_of_its_own_moment(shop: Shop) -> None:
    await counted(shop, sold(1, 59), sold(2, 60), sold(3, 3600), sold(4, 57_600))
    assert await starts(shop) == [
        "2026-01-06T00:00:00Z",
        "2026-01-05T09:00:00Z",
        "2026-01-05T08:01:00Z",
        "2026-01-05T08:00:00Z",
    ]
    assert await starts(shop, "hour") == ["2026-01-06T00:00:00Z", "2026-01-05T09:00:00Z", "2026-01-05T08:00:00Z"]
    assert [(one.start, one.orders) for one in await shop.windows("day")] == [
        ("2026-01-06T00:00:00Z", 1),
        ("2026-01-05T00:00:00Z", 3),
    ]


async def test_windows_go_from_a_moment_up_to_another_in_pages(shop: Shop) -> None:
    await counted(shop, *(sold(number, 60 * number) for number in range(10)))
    every = await starts(shop)
    assert await starts(shop, since="2026-01-05T08:03:00Z", to="2026-01-05T08:05:00Z") == every[5:7]
    assert await starts(shop, since="2026-01-05T08:03:59Z", to="2026-01-05T08:05:00.000001Z") == every[4:7]
    assert await starts(shop, since="2026-01-05T09:03:00+01:00", to="2026-01-05T09:05:00+01:00") == every[5:7]
    assert await starts(shop, since="2026-01-06") == await starts(shop, to="2026-01-05") == []
    pages: list[str] = []
    while page := await starts(shop, to=pages[-1] if pages else "", limit=3):
        pages += page
    assert pages == every


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (WindowsRequest("week"), "size"),
        (WindowsRequest(limit=0), "limit"),
        (WindowsRequest(from_="yesterday"), "from"),
        (WindowsRequest(to="24:00"), "to"),
    ],
)
async def test_a_wrong_question_names_its_field(shop: Shop, request_: WindowsRequest, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await shop.service.windows(request_)
    assert refused.value.field == field


async def test_a_late_order_is_in_its_window_and_told(shop: Shop) -> None:
    await counted(shop, sold(1, 600), sold(2, 541), sold(3, 539), sold(4, 0, "bob"))
    figures = await shop.figures()
    late = figures.late.orders
    assert (figures.orders, figures.revenue) == (4, D(20))
    assert late in {1, 2}, "bob's is late only where he shares alice's partition"
    by_start = {one.start: one for one in await shop.windows("minute")}
    assert (by_start["2026-01-05T08:08:00Z"].orders, by_start["2026-01-05T08:08:00Z"].late) == (1, 1)
    assert (by_start["2026-01-05T08:09:00Z"].orders, by_start["2026-01-05T08:09:00Z"].late) == (1, 0)


async def test_what_comes_later_than_minutes_are_kept_is_in_every_total(shop: Shop) -> None:
    await counted(shop, sold(1, 0), sold(2, -WEEK), sold(3, -WEEK - 60), sold(4, -10 * WEEK))
    figures = await shop.figures()
    assert (figures.orders, figures.late.orders, figures.late.beyond) == (4, 3, 2)
    assert len(await shop.windows("minute")) == 2
    assert len(await shop.windows("hour")) == 4 or sum(one.orders for one in await shop.windows("hour")) == 4
    assert sum(one.revenue for one in await shop.windows("day")) == figures.revenue == D(20)


async def test_old_minutes_go_when_time_goes_on(shop: Shop) -> None:
    await counted(shop, sold(1, 0), sold(2, 61))
    shop.clock.advance(timedelta(seconds=WEEK + 60))
    await counted(shop, sold(3, WEEK + 60))
    assert [one.orders for one in await shop.windows("minute")] == [1, 1]
    assert sum(one.orders for one in await shop.windows("hour")) == 3


async def test_one_clock_that_is_far_ahead_makes_nobody_late(shop: Shop) -> None:
    await counted(shop, sold(1, 0), sold(2, 999 * WEEK), sold(3, 10))
    figures = await shop.figures()
    assert (figures.orders, figures.late.orders) == (3, 0)
    assert len(await shop.windows("minute")) == 2


async def test_a_moment_in_another_time_zone_is_the_same_moment(shop: Shop) -> None:
    event = sold(1).event("orders")
    await shop.publish(replace(event, data={**event.data, "created_at": "2026-01-05T10:30:00+02:00"}))
    await shop.consumer().drain()
    assert await starts(shop) == ["2026-01-05T08:30:00Z"]
    assert (await shop.figures()).last_order.created_at == "2026-01-05T08:30:00.000000Z"


@pytest.mark.parametrize(
    "wrong",
    [
        {"total_amount": "much"},
        {"total_amount": None},
        {"total_amount": -1},
        {"total_amount": Decimal(10) ** 20},
        {"created_at": "soon"},
        {"created_at": "0001-01-01T00:00:00.000000Z"},
        {"created_at": "2026-01-05T08:00:00"},
        {"items": "none"},
        {"items": [{"sku": "A", "quantity": True, "price": 1}]},
        {"items": [{"sku": "A", "quantity": "sNaN", "price": 1}]},
        {"items": [{"sku": "A", "quantity": -5, "price": 1}]},
        {"items": [{"sku": "A", "quantity": 0, "price": 1}]},
        {"items": [{"sku": "A", "price": 1}]},
    ],
)
async def test_an_event_that_cannot_be_counted_is_parked_once_and_the_rest_goes_on(
    shop: Shop, wrong: dict[str, object]
) -> None:
    good = [sold(number, number) for number in range(6)]
    bad = good[0].event("orders")
    bad = replace(bad, event_id=ids.new(), data={**bad.data, **wrong})
    await shop.publish(*(one.event("orders") for one in good[:3]), bad, *(one.event("orders") for one in good[3:]))
    parked: list[tuple[Record, InvalidInput]] = []

    async def park(record: Record, error: InvalidInput) -> None:
        parked.append((record, error))

    consumer = shop.consumer()
    consumer._on_bad = park
    await consumer.drain()
    assert (await shop.figures()).orders == 6
    ((record, error),) = parked
    assert bad.event_id.encode() in record.value and error.field.startswith("orders/")


async def test_a_partition_stands_where_nobody_parks_and_others_go_on(shop: Shop) -> None:
    bad = replace(sold(1).event("orders"), data={})
    await shop.publish(sold(2).event("orders"), bad, *(sold(n, customer=f"c{n}").event("orders") for n in range(9)))
    consumer = shop.consumer()
    with pytest.raises(InvalidInput):
        await consumer.drain()
    assert 1 <= (await shop.figures()).orders < 10
    assert consumer.problem is not None and await consumer.lag() > 0


async def test_events_of_other_types_and_records_of_others_are_passed_over(shop: Shop) -> None:
    await shop.publish(
        Event(ids.new(), "PurchaseOrderApproved", "orders", "PO-1", "2026-01-05T08:00:00.000000Z", {}),
        Event(ids.new(), "StockReserved", "orders", "A", "2026-01-05T08:00:00.000000Z", {"status": "LowStock"}),
        Event(
            ids.new(),
            "PurchaseOrderCreated",
            "orders",
            "PO-1",
            "2026-01-05T08:00:00.000000Z",
            {"currency": "USD", "grand_total": D("10.5")},
        ),
        sold(1).event("orders"),
    )
    await shop.log.publish([Message("orders", "x", b'{"some": "thing"}')])
    await shop.consumer().drain()
    figures = await shop.figures()
    assert (figures.orders, figures.events, figures.stock_events) == (1, 3, {"LowStock": 1})
    assert [(one.currency, one.orders, one.amount) for one in figures.purchase_orders] == [("USD", 1, D("10.5"))]
    assert figures.topics == ["orders"]


async def test_members_share_the_partitions_and_count_each_event_once(shop: Shop) -> None:
    first, second = shop.consumer(), shop.consumer()
    owned: list[int] = []
    parts = len(await shop.log.watermarks("orders"))
    number = 0
    async with asyncio.timeout(20):
        while len(owned) < 2 or sum(owned) < parts or min(owned) == 0:
            await shop.publish(*(sold(number + n, n, f"c{n}").event("orders") for n in range(20)))
            number += 20
            await asyncio.gather(first.drain(), second.drain())
            owned = [len(one.owns) for one in await shop.log.members("analytics")]
            await asyncio.sleep(0.05)
    await shop.publish(*(sold(number + n, n, f"c{n}").event("orders") for n in range(20)))
    done = await asyncio.gather(first.drain(), second.drain())
    assert sum(done) == 20 and min(done) > 0, "each counts its part"
    assert (await shop.figures()).orders == number + 20
    assert set((await shop.log.lag("analytics")).values()) == {0}
    await first.close()
    await shop.publish(*(sold(number + 20 + n, n, f"c{n}").event("orders") for n in range(20)))
    await asyncio.sleep(0.6)  # the next look
    assert await second.drain() == 20
    assert (await shop.figures()).orders == number + 40
    await second.close()
    assert await shop.log.members("analytics") == []


async def test_two_who_count_at_once_count_once(shop: Shop) -> None:
    await shop.publish(*(sold(number, number, f"c{number % 5}").event("orders") for number in range(500)))
    await asyncio.gather(*(shop.consumer().drain() for _ in range(3)))
    assert (await shop.figures()).orders == 500


@pytest.mark.parametrize(
    "ids_",
    [
        ["0198C0DE-0000-7000-8000-000000000000"],
        ["0198c0de-0000-4000-8000-000000000000"],
        ["0198c0de00000-7000-8000-000000000000"],
        ["0198c0de-0000-7000-8000-00000000000", "00198c0de-0000-7000-8000-000000000000"],
        ["0198c0de-0000-7000-8000-0000000000 0"],
        ["x"],
    ],
)
def test_only_identifiers_that_tell_their_time_are_packed(ids_: list[str]) -> None:
    assert seen._packed(ids_) is None
    assert seen._packed([*ids.many(3), *ids_]) is None
    assert len(seen._packed(ids.many(3)) or b"") == 48
