"""The published order pipeline: its stock, statuses and event fields come out, and its defects do not.

The defects are those that were found in its code; the name of each test says what is true here instead.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from restock.app import App, opened
from restock.core.event import Event
from restock.edge.demo.company import PIPELINE, STOCK
from restock.engine.stream import Unfit, decode
from restock.inventory.consumer import InventoryConsumer
from restock.inventory.port import BackordersRequest, PositionsRequest, PutStockRequest
from restock.orders.model import NewOrder, OrderItem
from restock.orders.port import PlaceRequest
from restock.settings import Settings

START = {"WIDGET-1": 100, "WIDGET-2": 50, "GADGET-A": 200, "GADGET-B": 75, "TOOL-X": 30, "TOOL-Y": 150}
STATUSES = {"Reserved", "Shipped", "OutOfStock", "LowStock", "InStock"}


@pytest.fixture
async def shop(home: Path) -> AsyncIterator[App]:
    """The six products of the demo with their stock, nothing to replenish them."""
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        counts = [one for one in STOCK if one.product_id in PIPELINE]
        await app.inventory.put_stock(PutStockRequest(counts))
        await app.settle()
        yield app


async def buy(app: App, sku: str, quantity: int, customer: str = "cust-alice") -> str:
    item = OrderItem(sku, Decimal(quantity), PIPELINE[sku][1])
    (placed,) = (await app.orders.place(PlaceRequest([NewOrder(customer, [item])]))).orders
    await app.settle()
    return placed.order_id


async def events(app: App) -> list[Event]:
    """Every stock event after the counts."""
    found = []
    for partition, (low, high) in (await app.stream.watermarks("inventory-updates")).items():
        if high > low:
            found += [decode(one) for one in await app.stream.read("inventory-updates", partition, low, high - low)]
    return sorted((one for one in found if one.type != "StockCounted"), key=lambda one: one.event_id)


async def left(app: App) -> dict[str, Decimal]:
    frame = await app.inventory.positions(PositionsRequest(list(PIPELINE)))
    return dict(zip(frame.product_id, frame.available, strict=True))


async def test_it_starts_with_the_published_stock(shop: App) -> None:
    assert await left(shop) == START


@pytest.mark.parametrize(
    ("sku", "quantities", "expected"),
    [
        ("TOOL-X", [2], [("Reserved", -2, 28)]),
        ("TOOL-X", [20], [("Reserved", -20, 10)]),
        ("TOOL-X", [21], [("LowStock", -21, 9)]),
        ("TOOL-X", [29, 1], [("LowStock", -29, 1), ("OutOfStock", -1, 0)]),
        ("WIDGET-2", [41, 8, 1], [("LowStock", -41, 9), ("LowStock", -8, 1), ("OutOfStock", -1, 0)]),
        ("TOOL-Y", [141, 9], [("LowStock", -141, 9), ("OutOfStock", -9, 0)]),
    ],
)
async def test_a_reservation_has_the_published_status(
    shop: App, sku: str, quantities: list[int], expected: list[tuple[str, int, int]]
) -> None:
    orders = [await buy(shop, sku, quantity) for quantity in quantities]
    told = await events(shop)
    assert [(one.data["status"], one.data["change"], one.data["new_quantity"]) for one in told] == expected
    assert [one.data["order_id"] for one in told] == orders


async def test_an_event_has_the_published_fields_version_and_received_total(shop: App) -> None:
    order_id = await buy(shop, "GADGET-A", 3)
    (event,) = await events(shop)
    published = {"event_id", "sku", "order_id", "change", "new_quantity", "status", "timestamp"}
    assert published < set(event.data)
    assert re.fullmatch("INV-[0-9A-F]{8}", str(event.data["event_id"]))
    assert (event.key, event.data["sku"], event.data["order_id"]) == ("GADGET-A", "GADGET-A", order_id)
    assert event.data["status"] in STATUSES
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", str(event.data["timestamp"]))
    assert (event.data["version"], event.data["received_total"], event.data["backordered"]) == (2, 0, 0)


async def test_the_published_identifiers_of_events_differ(shop: App) -> None:
    for _ in range(5):
        await buy(shop, "TOOL-Y", 1)
    names = [one.data["event_id"] for one in await events(shop)]
    assert len(set(names)) == 5


async def test_the_topics_have_the_published_partitions_and_keys(shop: App) -> None:
    await buy(shop, "TOOL-Y", 1)
    assert len(await shop.stream.watermarks("orders")) == 6
    assert len(await shop.stream.watermarks("inventory-updates")) == 4
    keys = [
        record.key
        for partition, (low, high) in (await shop.stream.watermarks("orders")).items()
        if high > low
        for record in await shop.stream.read("orders", partition, low, high - low)
    ]
    assert keys == ["cust-alice"]
    assert {one.key for one in await events(shop)} == {"TOOL-Y"}


# What is wrong or missing in the published code, one test each.


async def test_defect_inventory_and_orders_speak_one_format(shop: App) -> None:
    """There inventory reads JSON while orders are Avro, so it reads nothing."""
    await buy(shop, "WIDGET-1", 2)
    assert (await left(shop))["WIDGET-1"] == 98


async def test_defect_analytics_knows_the_products(shop: App) -> None:
    """There product quantities are never filled."""
    from restock.analytics.port import FiguresRequest

    await buy(shop, "WIDGET-1", 2)
    await buy(shop, "WIDGET-1", 3)
    await buy(shop, "TOOL-X", 1)
    figures = await shop.analytics.figures(FiguresRequest())
    assert [(one.sku, one.quantity) for one in figures.top_products] == [("WIDGET-1", 5), ("TOOL-X", 1)]


async def test_defect_a_restart_counts_nothing_twice(home: Path) -> None:
    """There offsets are never committed, so a restart reads everything again."""
    for life in (1, 2, 3):
        async with opened(Settings(home=home, dispatch_process=False)) as app:
            if life == 1:
                await app.inventory.put_stock(PutStockRequest([one for one in STOCK if one.product_id in PIPELINE]))
            await app.settle()
            await buy(app, "TOOL-Y", 10)
            assert (await left(app))["TOOL-Y"] == 150 - 10 * life


async def test_defect_a_shortage_takes_what_is_there_and_tells_that(shop: App) -> None:
    """There a shortage wipes the stock but reports the whole quantity as its change."""
    order_id = await buy(shop, "TOOL-X", 40)
    (event,) = await events(shop)
    assert (event.data["change"], event.data["new_quantity"], event.data["status"]) == (-30, 0, "OutOfStock")
    assert event.data["backordered"] == 10
    waiting = await shop.inventory.backorders(BackordersRequest())
    assert list(zip(waiting.order_id, waiting.product_id, waiting.quantity, strict=True)) == [(order_id, "TOOL-X", 10)]


async def test_defect_the_same_event_again_reserves_nothing(shop: App) -> None:
    """There nothing is kept by order, so a second delivery takes stock again."""
    from restock.engine.stream import EVENT_ID_HEADER
    from restock.engine.stream.port import Message

    await buy(shop, "TOOL-Y", 5)
    for partition, (low, high) in (await shop.stream.watermarks("orders")).items():
        if high > low:
            (record,) = await shop.stream.read("orders", partition, low, 1)
    again = Message("orders", record.key, record.value, {EVENT_ID_HEADER: record.headers[EVENT_ID_HEADER]})
    await shop.stream.publish([again, again])
    await shop.settle()
    assert (await left(shop))["TOOL-Y"] == 145
    assert len(await events(shop)) == 1


async def test_defect_an_order_for_a_product_that_nobody_knows_becomes_a_dead_letter(shop: App) -> None:
    """There an unknown product is passed over without a word."""
    item = OrderItem("NO-SUCH", Decimal(4), Decimal(1))
    await shop.orders.place(PlaceRequest([NewOrder("cust-bob", [item])]))
    await shop.settle()
    assert await events(shop) == []
    (letter,) = await shop.dead_letters.letters()
    assert (letter.group, "'NO-SUCH', which nobody knows" in letter.reason) == ("inventory.orders", True)


@pytest.mark.parametrize("quantity", [Decimal(-3), 0, "five", None, True, Decimal("1e13")])
async def test_defect_a_quantity_that_cannot_be_releases_no_stock(shop: App, quantity: object) -> None:
    """There a negative quantity raises the stock. Orders refuse it; one that came by another way is refused here too."""
    consumer = InventoryConsumer(shop.inventory, shop.clock)
    data = {"order_id": "ORD-1", "items": [{"sku": "TOOL-X", "quantity": quantity}]}
    event = Event("e-1", "OrderPlaced", "orders", "cust-eve", "2026-01-05T08:00:00.000000Z", data)

    async def unit(tx: object) -> None:
        await consumer.on_orders(tx, [event])  # type: ignore[arg-type]

    with pytest.raises(Unfit, match="e-1"):
        await shop.databases["inventory"].write("consume", unit)
    assert (await left(shop))["TOOL-X"] == 30


async def test_defect_money_is_counted_exactly(shop: App) -> None:
    """There money is a binary float: three times 0.1 is not 0.3."""
    from restock.analytics.port import FiguresRequest

    items = [OrderItem("TOOL-X", Decimal(1), Decimal("0.1"))]
    for _ in range(3):
        await shop.orders.place(PlaceRequest([NewOrder("cust-bob", items)]))
    await shop.settle()
    assert (await shop.analytics.figures(FiguresRequest())).revenue == Decimal("0.3")
