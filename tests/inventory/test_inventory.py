"""Inventory on its database: counts, customer orders and receipts, each with its event, each once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput
from restock.core.event import Event
from restock.core.ids import Ids
from restock.engine.database import Transaction
from restock.engine.stream import SCHEMA as STREAM
from restock.engine.stream import EmbeddedLog, Relay, Subscriber, Unfit
from restock.engine.stream.codec import encode
from restock.engine.stream.port import EVENT_ID_HEADER, Message
from restock.inventory import store
from restock.inventory.consumer import InventoryConsumer
from restock.inventory.model import Item, StockCount
from restock.inventory.port import (
    BackordersRequest,
    CatalogueRequest,
    PositionsRequest,
    PutItemsRequest,
    PutStockRequest,
)
from restock.inventory.service import InventoryService

Handler = Callable[[Transaction, Sequence[Event]], Awaitable[None]]


class Depot:
    """An inventory service with its consumers, and what a test looks at beside it."""

    def __init__(self, home: Path) -> None:
        self.databases = EmbeddedDatabases(home, {"inventory": [store.SCHEMA], "stream": [STREAM]})
        self.database = self.databases["inventory"]
        self.clock = SystemClock()
        self.service = InventoryService(self.database, self.clock, Ids(self.clock))
        self.consumer = InventoryConsumer(self.service, self.clock)
        self.log = EmbeddedLog(self.databases["stream"], self.clock, FilePresence(home))

    async def count(self, **on_hand: str) -> int:
        rows = [StockCount(product, Decimal(number)) for product, number in on_hand.items()]
        return (await self.service.put_stock(PutStockRequest(rows))).changed

    async def happen(self, handler: Handler, *events: Event) -> None:
        async def unit(tx: Transaction) -> None:
            await handler(tx, events)

        await self.database.write("consume", unit)

    async def ordered(self, *events: Event) -> None:
        await self.happen(self.consumer.on_orders, *events)

    async def received(self, *events: Event) -> None:
        await self.happen(self.consumer.on_receipts, *events)

    async def stock(self, product: str) -> tuple[Decimal, ...] | None:
        """On hand, reserved, backordered, received."""
        frame = await self.service.positions(PositionsRequest([product]))
        if not len(frame):
            return None
        assert frame.available[0] == frame.on_hand[0] - frame.reserved[0] >= 0
        return frame.on_hand[0], frame.reserved[0], frame.backordered[0], frame.received_total[0]

    async def waiting(self) -> list[tuple[str, str, Decimal]]:
        frame = await self.service.backorders(BackordersRequest())
        return list(zip(frame.order_id, frame.product_id, frame.quantity, strict=True))


def order(order_id: str, event_id: str = "", **items: str) -> Event:
    lines = [{"sku": sku, "quantity": Decimal(quantity)} for sku, quantity in items.items()]
    data = {"order_id": order_id, "items": lines}
    return Event(event_id or f"e-{order_id}", "OrderPlaced", "orders", "C", "2026-01-05T08:00:00.000000Z", data)


def receipt(event_id: str, **items: str) -> Event:
    lines = [
        {"line_no": 1, "product_id": sku, "warehouse_id": "WH-001", "quantity": Decimal(quantity)}
        for sku, quantity in items.items()
    ]
    at = "2026-01-05T08:00:00.000000Z"
    return Event(event_id, "GoodsReceived", "purchase-orders", "PO", at, {"po_id": "PO", "lines": lines})


@pytest.fixture
async def depot(tmp_path: Path) -> AsyncIterator[Depot]:
    depot = Depot(tmp_path)
    yield depot
    await depot.databases.close()


async def test_counts_are_stored_once_and_make_their_products_known(depot: Depot) -> None:
    start = await depot.service.revision()
    assert await depot.count(A="2.5", B="0") == 2
    after = await depot.service.revision()
    assert after > start
    assert await depot.count(A="2.5", B="0") == 0
    assert await depot.service.revision() == after
    assert await depot.stock("A") == (Decimal("2.5"), 0, 0, 0)
    assert await depot.stock("UNKNOWN") is None
    assert (await store.OUTBOX.backlog(depot.database)).events == 2
    catalogue = await depot.service.catalogue(CatalogueRequest())
    assert list(catalogue.product_id) == ["A", "B"]


async def test_a_count_that_stock_cannot_have_is_refused_whole(depot: Depot) -> None:
    rows = [StockCount("A", Decimal(5)), StockCount("B", Decimal(1), Decimal(2))]
    with pytest.raises(InvalidInput):
        await depot.service.put_stock(PutStockRequest(rows))
    assert await depot.stock("A") is None


async def test_products_are_stored_once_and_a_count_does_not_overwrite_them(depot: Depot) -> None:
    one = Item("A", "A widget", "METRE", Decimal("1.5"))
    assert (await depot.service.put_items(PutItemsRequest([one]))).changed == 1
    assert (await depot.service.put_items(PutItemsRequest([one]))).changed == 0
    await depot.count(A="1", B="1")
    frame = await depot.service.catalogue(CatalogueRequest())
    assert list(frame.rows()) == [
        {"product_id": "A", "description": "A widget", "stock_unit": "METRE", "safety_stock": Decimal("1.5")},
        {"product_id": "B", "description": "", "stock_unit": "PIECE", "safety_stock": Decimal(0)},
    ]
    assert list((await depot.service.catalogue(CatalogueRequest("A", 1))).product_id) == ["B"]


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_pages_have_a_limit(depot: Depot, limit: int) -> None:
    with pytest.raises(InvalidInput):
        await depot.service.catalogue(CatalogueRequest("", limit))
    with pytest.raises(InvalidInput):
        await depot.service.backorders(BackordersRequest(0, limit))


async def test_an_order_takes_what_is_there_and_waits_for_the_rest(depot: Depot) -> None:
    await depot.count(A="5", B="1")
    await depot.ordered(order("O1", A="3", B="1"), order("O2", A="4"))
    assert await depot.stock("A") == (5, 5, 2, 0)
    assert await depot.stock("B") == (1, 1, 0, 0)
    assert await depot.waiting() == [("O2", "A", Decimal(2))]


async def test_receipts_serve_backorders_oldest_first(depot: Depot) -> None:
    await depot.count(A="1", B="0")
    for number in range(1, 5):
        await depot.ordered(order(f"O{number}", A="2", B="1"))
    await depot.received(receipt("r1", A="4"))
    assert await depot.waiting() == [
        ("O1", "B", Decimal(1)),
        ("O2", "B", Decimal(1)),
        ("O3", "A", Decimal(1)),
        ("O3", "B", Decimal(1)),
        ("O4", "A", Decimal(2)),
        ("O4", "B", Decimal(1)),
    ]
    await depot.received(receipt("r2", A="2.5"), receipt("r3", B="10", A="10"))
    assert await depot.waiting() == []
    assert await depot.stock("A") == (Decimal("17.5"), 8, 0, Decimal("16.5"))
    assert await depot.stock("B") == (10, 4, 0, 10)


async def test_a_product_without_a_count_waits_for_all_of_it(depot: Depot) -> None:
    await depot.service.put_items(PutItemsRequest([Item("X")]))
    await depot.ordered(order("O1", X="2"), order("O2", X="3"))
    assert await depot.stock("X") == (0, 0, 5, 0)
    assert await depot.waiting() == [("O1", "X", Decimal(2)), ("O2", "X", Decimal(3))]
    await depot.received(receipt("r1", X="4"), receipt("r2", X="4"))
    assert await depot.waiting() == []
    assert await depot.stock("X") == (8, 5, 0, 8)


async def test_orders_for_a_product_that_nobody_knows_are_named_and_nothing_is_reserved(depot: Depot) -> None:
    await depot.count(A="9")
    with pytest.raises(Unfit, match="'X', which nobody knows") as refused:
        await depot.ordered(order("O1", A="1", X="2"), order("O2", A="1"), order("O3", Y="2"))
    assert set(refused.value.reasons) == {"e-O1", "e-O3"}
    assert await depot.stock("A") == (9, 0, 0, 0)
    await depot.received(receipt("r1", X="4"))
    await depot.ordered(order("O1", A="1", X="2"))
    assert (await depot.stock("A"), await depot.stock("X")) == ((9, 1, 0, 0), (4, 2, 0, 4))


async def test_events_of_another_kind_change_nothing(depot: Depot) -> None:
    await depot.count(A="5")
    before = await depot.service.revision()
    other = Event("e", "OrderCancelled", "orders", "C", "2026-01-05T08:00:00.000000Z", {})
    await depot.ordered(other)
    await depot.received(other)
    assert await depot.service.revision() == before


PRODUCTS = st.sampled_from(["A", "B", "NEW"])
AMOUNTS = st.integers(1, 60).map(lambda quarters: str(Decimal(quarters) / 4))
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(["order", "receipt"]), st.lists(st.tuples(PRODUCTS, AMOUNTS), min_size=1, max_size=3)),
    max_size=12,
)


@settings(max_examples=20, deadline=None)
@given(HAPPENINGS, st.integers(1, 4))
async def test_everything_promised_is_reserved_or_waited_for(
    happenings: list[tuple[str, list[tuple[str, str]]]], size: int
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        depot = Depot(Path(folder))
        await depot.count(A="10", B="0")
        await depot.service.put_items(PutItemsRequest([Item("NEW")]))
        promised = dict.fromkeys(("A", "B", "NEW"), Decimal(0))
        arrived = dict(promised)
        for number, (kind, rows) in enumerate(happenings):
            items = dict(rows)
            for product, quantity in items.items():
                (promised if kind == "order" else arrived)[product] += Decimal(quantity)
            event = order(f"O{number:02}", **items) if kind == "order" else receipt(f"r{number}", **items)
            await (depot.ordered if kind == "order" else depot.received)(event)
        waiting = await depot.waiting()
        for product, counted in (("A", 10), ("B", 0), ("NEW", 0)):
            on_hand, reserved, backordered, received = await depot.stock(product) or (Decimal(0),) * 4
            listed = sum((quantity for _, sku, quantity in waiting if sku == product), Decimal(0))
            assert on_hand == counted + arrived[product]
            assert received == arrived[product]
            assert reserved + listed == promised[product]
            if await depot.stock(product) is not None:
                assert backordered == listed
                assert not (listed and on_hand > reserved)
        assert [order_id for order_id, _, _ in waiting] == sorted(order_id for order_id, _, _ in waiting)
        await depot.databases.close()


async def test_each_event_has_its_effect_once_however_often_it_comes(depot: Depot) -> None:
    await depot.count(A="10")
    for topic in ("orders", "purchase-orders", "inventory-updates"):
        await depot.log.create_topic(topic, 2)
    events = [order(f"O{number}", A="1.5") for number in range(4)] + [receipt("r1", A="3")]
    for again in range(3):
        await depot.log.publish(
            [Message(one.topic, one.key, encode(one), {EVENT_ID_HEADER: one.event_id}) for one in events * (again + 1)]
        )
        for group, topics, handler, inbox in (
            ("inventory.orders", ["orders"], depot.consumer.on_orders, store.ORDERS_INBOX),
            ("inventory.receipts", ["purchase-orders"], depot.consumer.on_receipts, store.RECEIPTS_INBOX),
        ):
            await Subscriber(depot.log, group, topics, handler, depot.database, inbox).drain()
        assert await depot.stock("A") == (13, 6, 0, 3)
    await Relay(depot.database, store.OUTBOX, depot.log).drain()
    told = sum(high for _, high in (await depot.log.watermarks("inventory-updates")).values())
    assert told == 1 + 4 + 1, "a count, four reservations, a receipt"
