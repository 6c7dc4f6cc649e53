"""A small company for the scenario tests, one life of its loop, and what is left of it: the business state without ids.

The life is idempotent: after a crash the whole program runs again from the start and continues. Orders carry idempotency
keys, every product is ordered by one customer only (events of one customer keep their order, those of two need not), and
each request is followed by a settling, so that an interrupted run and a whole one pass the same states.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import func, select

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.analytics.port import FiguresRequest
from restock.app import App, opened
from restock.core.clock import SimulatedClock
from restock.core.ids import Ids
from restock.engine.database import Statement
from restock.inventory import store as inventory_store
from restock.inventory.model import Item, StockCount
from restock.inventory.port import BackordersRequest, PositionsRequest, PutItemsRequest, PutStockRequest
from restock.inventory.store import INVENTORY_LEVELS
from restock.orders import tables as orders_tables
from restock.orders.model import Demand, NewOrder, OrderItem
from restock.orders.port import OrdersRequest as CustomerOrdersRequest
from restock.orders.port import PlaceRequest, PutDemandRequest
from restock.purchasing import tables as purchasing_tables
from restock.purchasing.model import OPEN, PurchaseOrder
from restock.purchasing.port import ChangeRequest, OrdersRequest, PlansRequest, ReceiveRequest
from restock.purchasing.tables import DISPATCH, PLAN
from restock.replenishment import proposals
from restock.replenishment.port import FlowReply, FlowRequest, PlanRequest, PurchaseRequest
from restock.services import SCHEMAS
from restock.settings import Settings
from restock.suppliers import store as suppliers_store
from restock.suppliers.model import Terms
from restock.suppliers.port import PutTermsRequest
from restock.units import store as units_store
from restock.units.model import Conversion
from restock.units.port import PutConversionsRequest

D = Decimal
TABLES = {
    "po": purchasing_tables.METADATA,
    "inventory": inventory_store.METADATA,
    "oms": orders_tables.METADATA,
    "supplier": suppliers_store.METADATA,
    "uom": units_store.METADATA,
}
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
WAREHOUSE = "WH-001"
T = TypeVar("T")

ITEMS = [
    Item("PROD-001", "Filter", "PIECE"),
    Item("PROD-002", "Ring", "PIECE"),
    Item("PROD-003", "Cloth", "CASE"),
    Item("WIDGET", "sold, bought, received", "PIECE", D(10)),
    Item("GADGET", "sold, expensive: waits for approval", "PIECE", D(10)),
    Item("TOOL", "sold, its supplier is inactive", "PIECE", D(4)),
    Item("BOLT", "planned together with NUT", "PIECE"),
    Item("NUT", "planned together with BOLT", "PIECE"),
]
STOCK = [
    StockCount("PROD-001", D(25), D(5)),
    StockCount("PROD-002", D(10), D(5)),
    StockCount("PROD-003", D(10), D(3)),
    StockCount("WIDGET", D(50)),
    StockCount("GADGET", D(75)),
    StockCount("TOOL", D(30)),
    StockCount("BOLT", D(0)),
    StockCount("NUT", D(3)),
]
TERMS = [
    Terms("PROD-001", "SUP-001", D("15.99"), 7, "Standard Filters", D(20), D(20), "PIECE"),
    Terms("PROD-002", "SUP-002", D("15.50"), 5, "Ring & Seal", D(100), D(1), "PIECE"),
    Terms("PROD-003", "SUP-003", D(25), 5, "Cloth Works", D(10), D(10), "CASE"),
    Terms("WIDGET", "SUP-101", D("216"), 3, "Northwind", D(2), D(1), "CASE"),
    Terms("GADGET", "SUP-102", D("68.00"), 7, "Harbour", D(200), D(10), "PIECE"),
    Terms("TOOL", "SUP-103", D("8.75"), 5, "Ironbridge", D(20), D(20), "PIECE", is_active=False),
    Terms("BOLT", "SUP-104", D("0.02"), 5, "Hardware", D(1000), D(100), "PIECE"),
    Terms("NUT", "SUP-104", D("0.0305"), 5, "Hardware", D(0), D(7), "PIECE"),
]
DEMAND = [
    Demand("PROD-001", D("15.5"), "increasing"),
    Demand("PROD-002", D(50)),
    Demand("PROD-003", D(22), "increasing"),
    Demand("WIDGET", D(12)),
    Demand("GADGET", D(5)),
    Demand("TOOL", D(4), "decreasing"),
    Demand("BOLT", D("12.5")),
    Demand("NUT", D("3.3333")),
]
CONVERSIONS = [
    Conversion("PROD-001", "CASE", "PIECE", D(12)),
    Conversion("PROD-002", "CASE", "PIECE", D(24)),
    Conversion("PROD-003", "PALLET", "CASE", D(48)),
    Conversion("WIDGET", "CASE", "PIECE", D(12)),
]
PRODUCTS = [one.product_id for one in ITEMS]

FIRST_ORDERS = [
    ("alice", [("WIDGET", "3", "29.99"), ("NO-SUCH", "1", "5.00")]),
    ("bob", [("GADGET", "31", "99.99"), ("TOOL", "25", "14.99")]),
    ("alice", [("WIDGET", "6", "29.99")]),
]
SECOND_ORDERS = [
    ("alice", [("WIDGET", "80", "29.99"), ("WIDGET", "5.5", "29.99")]),
    ("bob", [("GADGET", "1", "99.99")]),
    ("carol", [("PROD-001", "30", "20.005")]),
]
"""The WIDGETs do not suffice: backorders. PROD-001 is bought by its flow, and again when this order comes."""


def order(key: str, customer: str, items: Iterable[tuple[str, str, str]]) -> NewOrder:
    wanted = [OrderItem(sku, D(quantity), D(price)) for sku, quantity, price in items]
    return NewOrder(customer, wanted, "1 Road", key)


def make_home(target: Path) -> Path:
    """Make a home with empty, current stores."""

    async def made() -> Path:
        await EmbeddedDatabases(target, SCHEMAS).close()
        return target

    return unlooped(made())


def unlooped(work: Coroutine[Any, Any, T]) -> T:
    """Run work on a loop of its own, for fixtures that outlive the loop of a test."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def copy_home(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target, dirs_exist_ok=True))


@asynccontextmanager
async def together(settings: Settings, clock: SimulatedClock, seed: int) -> AsyncIterator[App]:
    """Open the program in one piece."""
    async with opened(settings, clock, Ids.seeded(clock, seed)) as app:
        yield app


SHAPE: Callable[[Settings, SimulatedClock, int], AbstractAsyncContextManager[Any]] = together
"""How a life opens the program; `test_loop_apart` puts the other shape in its place."""


@asynccontextmanager
async def life(
    home: Path, seed: int = 1, session: int = 10, *, rough: bool = True, ballast: int = 0, kafka_prefix: str = ""
) -> AsyncIterator[App]:
    """Open the program; another life has another seed and a later clock, as a restarted process has.

    Its stream is rough, because it may be; not where the passings of failpoints are counted. With a prefix it is on the
    broker of the environment.
    """
    clock = SimulatedClock(START + timedelta(minutes=seed))
    settings = Settings(
        home=home,
        dispatch_process=False,
        session_seconds=session,
        rough_seed=seed if rough else 0,
        ballast_mib=ballast,
        kafka_servers=os.environ["RESTOCK_KAFKA"] if kafka_prefix else "",
        kafka_prefix=kafka_prefix,
    )
    async with SHAPE(settings, clock, seed) as app:
        yield app


async def load(
    app: App,
    items: list[Item] = ITEMS,
    stock: list[StockCount] = STOCK,
    terms: list[Terms] = TERMS,
    demand: list[Demand] = DEMAND,
    conversions: list[Conversion] = CONVERSIONS,
) -> None:
    """Store the company; stock that is there stays, because it has moved since. Loading wakes no flow."""
    await app.inventory.put_items(PutItemsRequest(items))
    there = set((await app.inventory.positions(PositionsRequest([one.product_id for one in stock]))).product_id)
    await app.inventory.put_stock(PutStockRequest([one for one in stock if one.product_id not in there]))
    await app.settle()
    await app.suppliers.put_terms(PutTermsRequest(terms))
    await app.units.put_conversions(PutConversionsRequest(conversions))
    await app.orders.put_demand(PutDemandRequest(demand))


async def run_loop(app: App) -> None:
    """Everything the loop does, each step once however often the program starts."""
    await load(app)
    await place(app, "first", FIRST_ORDERS)
    reply = await app.replenishment.flow(FlowRequest("PROD-001", idempotency_key="flow-1"))
    assert reply.outcome == "ordered", reply
    await app.settle()
    widget = await oldest(app, "WIDGET")
    await app.purchasing.receive(ReceiveRequest(widget.po_id, [], "dock", idempotency_key="receipt-1"))
    await app.settle()
    await place(app, "second", SECOND_ORDERS)
    await app.replenishment.plan(PlanRequest())
    bought = await app.replenishment.purchase(PurchaseRequest())
    assert not bought.refused, bought
    await app.settle()
    gadget = await oldest(app, "GADGET")
    await app.purchasing.approve(ChangeRequest(gadget.po_id, "boss", "needed", "approval-1"))
    await app.settle()
    await app.replenishment.plan(PlanRequest())
    await app.settle()


async def place(app: App, name: str, orders: list[tuple[str, list[tuple[str, str, str]]]]) -> None:
    wanted = [order(f"{name}-{number}", *one) for number, one in enumerate(orders)]
    placed = await app.orders.place(PlaceRequest(wanted))
    assert all(one.error is None for one in placed.orders), placed
    await app.settle()


async def all_orders(app: App, **chosen: str) -> list[PurchaseOrder]:
    """Every purchase order, oldest first."""
    found: list[PurchaseOrder] = []
    while page := await app.purchasing.orders(OrdersRequest(found[-1].po_id if found else "", 1000, **chosen)):
        found += page
    return found[::-1]


async def oldest(app: App, product: str) -> PurchaseOrder:
    return (await all_orders(app, product_id=product))[0]


_STOCK = Statement(select(*INVENTORY_LEVELS.c).order_by(INVENTORY_LEVELS.c.product_id))
_PLANS = Statement(select(PLAN.c.product_id, PLAN.c.ordered_total, PLAN.c.version).order_by(PLAN.c.product_id))
_DISPATCH = Statement(select(DISPATCH.c.state, func.count()).group_by(DISPATCH.c.state))

_IDENTITY = {"po_id", "created_at", "sent_at", "expected_on", "decision_id", "run_id"}


async def business_state(app: App) -> dict[str, object]:
    """Give what the company is left with: no identifier, no moment, no order number, nothing of how it came about."""
    figures = await app.analytics.figures(FiguresRequest(100))
    customers = (await app.orders.orders(CustomerOrdersRequest(1000))).orders
    latest = await proposals.latest(app.databases["decisions"])
    waiting = await app.inventory.backorders(BackordersRequest(0, 1000))
    return {
        "customer orders": sorted((one.customer_id, str(one.items), one.total_amount) for one in customers),
        "stock": [row[:7] for row in await app.databases["inventory"].read(_STOCK)],
        "backorders": sorted(zip(waiting.product_id, waiting.quantity, waiting.reason, strict=True)),
        "plan rows": await app.databases["po"].read(_PLANS),
        "purchase orders": await purchase_orders(app),
        "figures": _without(asdict(figures), {"last_order"}),
        "dispatch": await app.databases["po"].read(_DISPATCH),
        "files": order_files(app.settings.home / "outbox"),
        "last plan": latest and (latest[0].products, latest[0].outcomes),
        "backlog": await app.backlog(),
        "problems": app.problems(),
    }


async def purchase_orders(app: App) -> list[tuple[object, ...]]:
    shown = []
    for one in await all_orders(app):
        assert await app.purchasing.rebuild(one.po_id) == one, "the projection is what the events say"
        lines = sorted((*_without(asdict(line), _IDENTITY).values(),) for line in one.lines)
        head = _without({**one.__dict__, "lines": ()}, _IDENTITY)
        shown.append((tuple(line[1] for line in lines), tuple(head.items()), tuple(lines)))
    return sorted(shown, key=str)


def order_files(folder: Path) -> list[str]:
    """Give the order files without numbers and moments; each has its PDF beside it, and nothing else is there."""
    found = []
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_bytes(), parse_float=str)
        assert path.stem == content["po_id"]
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        content["lines"] = [_without(line, _IDENTITY) for line in content["lines"]]
        found.append(json.dumps(_without(content, _IDENTITY), sort_keys=True))
    names = {path.name for path in folder.glob("*")}
    assert len(names) == 2 * len(found), names
    return sorted(found)


def _without(values: dict[str, object], names: set[str]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name not in names}


async def check_supply(app: App) -> None:
    """Check the invariant of every product: to come on open orders = ordered total - received total; one line per need."""
    orders = await all_orders(app)
    lines = [(one, line) for one in orders for line in one.lines]
    products = sorted({line.product_id for _, line in lines})
    plans = {row["product_id"]: row for row in (await app.purchasing.plans(PlansRequest(products))).rows()}
    stock = {row["product_id"]: row for row in (await app.inventory.positions(PositionsRequest(products))).rows()}
    for product in products:
        mine = [(one, line) for one, line in lines if line.product_id == product]
        to_come = sum((line.to_come for one, line in mine if one.state in OPEN), D(0))
        assert to_come == plans[product]["ordered_total"] - stock[product]["received_total"], product
        versions = [line.plan_version for _, line in mine]
        assert len(set(versions)) == len(versions), f"{product}: one need, one line"


async def kept(app: App, database: str = "po") -> list[object]:
    """Give everything that a database keeps."""
    store = app.databases[database]
    return [await store.read(Statement(select(*table.c))) for table in TABLES[database].sorted_tables]


async def outcome_of(app: App, product: str) -> str:
    return (await app.replenishment.flow(FlowRequest(product))).outcome


def covered(reply: FlowReply, po_id: str) -> bool:
    return (
        reply.outcome == "covered" and reply.message == f"covered by open purchase order {po_id}" and reply.po is None
    )
