"""Bad input at the ports: an outcome or an error that says what is wrong, nothing written, the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from scenario_world import D, all_orders, kept, life, load, order, outcome_of

from restock.app import App
from restock.core.errors import InvalidInput, NotFound, RestockError, StorageUnusable
from restock.core.quantity import MAX_NUMBER
from restock.inventory.model import Item, StockCount, item, stock_count
from restock.inventory.port import PutItemsRequest, PutStockRequest
from restock.orders.model import Demand, NewOrder, OrderItem, demand
from restock.orders.port import PlaceRequest, PutDemandRequest
from restock.purchasing.port import Receipt, ReceiveRequest
from restock.replenishment.port import (
    FlowBatchRequest,
    FlowReply,
    FlowRequest,
    PlanRequest,
    ProposalsRequest,
    SkipsRequest,
)
from restock.suppliers.model import Terms, terms
from restock.suppliers.port import PutTermsRequest
from restock.units.model import Conversion, conversion
from restock.units.port import PutConversionsRequest

GOOD = Terms("P", "S", D("2.50"), 4, "Supplier", D(10), D(5))
NEED = "No PO creation needed based on business rules: "


async def company(
    app: App,
    stock: str | None = "5",
    per_day: str | None = "10",
    of: Terms | None = GOOD,
    conversions: list[Conversion] | None = None,
    safety: str = "0",
) -> None:
    """Store a product P with the facts given and a product Q with a need, which bad facts of P must not disturb."""
    await load(
        app,
        [Item("P", safety_stock=D(safety)), Item("Q")],
        [StockCount(p, D(s)) for p, s in (("P", stock), ("Q", "5")) if s is not None],
        [one for one in (of, replace(GOOD, product_id="Q")) if one is not None],
        [Demand(p, D(d)) for p, d in (("P", per_day), ("Q", "10")) if d is not None],
        conversions or [],
    )


MISSING = [
    ({"stock": None}, "P", "Product P has no stock in WH-001 on file; a missing fact is never taken as zero."),
    ({"per_day": None}, "P", "Product P has no demand on file; a missing fact is never taken as zero."),
    ({}, "NO-SUCH", "There is no product NO-SUCH with stock, demand or a supplier."),
    ({}, "p", "There is no product p with stock, demand or a supplier."),
]


@pytest.mark.parametrize(("facts", "product", "message"), MISSING)
async def test_a_missing_fact_is_an_error_for_that_product_alone(
    fresh: Path, facts: dict[str, None], product: str, message: str
) -> None:
    async with life(fresh) as app:
        await company(app, **facts)  # type: ignore[arg-type]
        before = await kept(app, "po")
        with pytest.raises(NotFound) as refused:
            await app.replenishment.flow(FlowRequest(product))
        assert refused.value.what == message
        assert (refused.value.field, bool(refused.value.remedy)) == ("product_id", True)
        assert await kept(app, "po") == before
        wrong, right = (await app.replenishment.flow_batch(FlowBatchRequest([product, "Q"]))).results
        assert isinstance(wrong, NotFound)
        assert isinstance(right, FlowReply) and right.outcome == "ordered"


async def test_a_product_in_a_warehouse_without_stock_is_an_error(fresh: Path) -> None:
    async with life(fresh) as app:
        await company(app)
        with pytest.raises(NotFound, match="no stock in WH-9"):
            await app.replenishment.flow(FlowRequest("P", "WH-9"))


CASE = replace(GOOD, purchase_unit="CASE")
BLOCKED = [
    ({"of": None}, "Blocked: No supplier sells it."),
    ({"of": replace(GOOD, is_active=False)}, "Blocked: The supplier is inactive."),
    ({"of": replace(GOOD, unit_price=D(0))}, "Blocked: The unit price is 0."),
    ({"of": replace(GOOD, unit_price=D("0.0001"), moq=D(0))}, "Blocked: The total rounds to 0."),
    ({"of": CASE}, "Blocked: No conversion from CASE to PIECE is on file."),
    (
        {"of": CASE, "conversions": [Conversion("P", "PALLET", "CASE", D(48))]},
        "Blocked: No conversion from CASE to PIECE is on file.",
    ),
    (
        {"of": CASE, "conversions": [Conversion("Q", "CASE", "PIECE", D(48))]},
        "Blocked: No conversion from CASE to PIECE is on file.",
    ),
]


@pytest.mark.parametrize(("facts", "message"), BLOCKED)
async def test_a_need_that_cannot_be_ordered_is_blocked_with_the_reason(
    fresh: Path, facts: dict[str, object], message: str
) -> None:
    async with life(fresh) as app:
        await company(app, **facts)  # type: ignore[arg-type]
        before = await kept(app, "po")
        reply = await app.replenishment.flow(FlowRequest("P"))
        assert (reply.outcome, reply.message, reply.po, reply.success) == ("blocked", message, None, True)
        assert await kept(app, "po") == before
        plan = await app.replenishment.plan(PlanRequest())
        assert plan.outcomes == {"blocked": 1, "proposed": 1}
        (skip,) = await app.replenishment.skips(SkipsRequest())
        assert (skip.product_id, skip.outcome, f"Blocked: {skip.reason}") == ("P", "blocked", message)
        assert [one.product_id for one in await app.replenishment.proposals(ProposalsRequest())] == ["Q"]


async def test_an_inactive_supplier_blocks_only_a_need(fresh: Path) -> None:
    async with life(fresh) as app:
        await company(app, stock="400", of=replace(GOOD, is_active=False))
        assert await outcome_of(app, "P") == "no_need"


async def test_an_active_supplier_of_a_lower_rank_is_asked_before_an_inactive_one(fresh: Path) -> None:
    async with life(fresh) as app:
        await company(app, of=replace(GOOD, is_active=False))
        await app.suppliers.put_terms(PutTermsRequest([replace(GOOD, supplier_id="T", rank=9)]))
        reply = await app.replenishment.flow(FlowRequest("P"))
        assert reply.po is not None and reply.po.supplier_id == "T"


QUANTITIES = [
    # stock, demand, safety, terms, quantity: what is legal at the edge of each fact
    ("5", "10", "0", GOOD, "35"),
    ("5", "10", "0", replace(GOOD, moq=D(0)), "35"),
    ("5", "10", "0", replace(GOOD, moq=D(36)), "40"),
    ("5", "10", "0", replace(GOOD, moq=D(0), order_multiple=D(1)), "35"),
    ("5", "10", "0", replace(GOOD, order_multiple=D("0.5"), moq=D(0)), "35"),
    ("0", "0", "7", replace(GOOD, lead_time_days=0, moq=D(0), order_multiple=D(1)), "7"),
    ("0", "10", "0.000001", replace(GOOD, lead_time_days=0, moq=D(0), order_multiple=D(1)), "1"),
    ("39.999999", "10", "0", replace(GOOD, moq=D(0), order_multiple=D(1)), "1"),
    ("4.5", "1.2345", "0.000001", replace(GOOD, moq=D(0), order_multiple=D("0.25")), "0.5"),
]


@pytest.mark.parametrize(("stock", "per_day", "safety", "of", "quantity"), QUANTITIES)
async def test_quantities_at_the_edge(
    fresh: Path, stock: str, per_day: str, safety: str, of: Terms, quantity: str
) -> None:
    async with life(fresh) as app:
        await company(app, stock, per_day, of, safety=safety)
        reply = await app.replenishment.flow(FlowRequest("P"))
        assert reply.po is not None, reply
        assert (reply.outcome, reply.po.qty) == ("ordered", D(quantity))


NO_NEED = [
    ("0", "0", "0", GOOD),
    ("0", "10", "0", replace(GOOD, lead_time_days=0)),
    ("40", "10", "0", GOOD),
    ("40.000001", "10", "0", GOOD),
    ("-0", "-0", "-0", GOOD),
]


@pytest.mark.parametrize(("stock", "per_day", "safety", "of"), NO_NEED)
async def test_no_need_is_said_and_orders_nothing(
    fresh: Path, stock: str, per_day: str, safety: str, of: Terms
) -> None:
    async with life(fresh) as app:
        await company(app, stock, per_day, of, safety=safety)
        reply = await app.replenishment.flow(FlowRequest("P"))
        assert (reply.outcome, reply.po, reply.calculation.order_qty) == ("no_need", None, 0)
        assert reply.message.startswith(NEED)
        assert await all_orders(app) == []


async def test_facts_beyond_what_the_rules_take_are_an_error_for_that_product(fresh: Path) -> None:
    async with life(fresh) as app:
        await company(app, of=replace(GOOD, moq=D(2_000_000)))
        wrong, right = (await app.replenishment.flow_batch(FlowBatchRequest(["P", "Q"]))).results
        assert isinstance(wrong, InvalidInput) and "moq" in str(wrong)
        assert isinstance(right, FlowReply) and right.outcome == "ordered"
        plan = await app.replenishment.plan(PlanRequest())
        assert plan.outcomes == {"error": 1, "covered": 1, "proposed": 0}


NUMBERS: list[object] = [
    "-1",
    "-0.000001",
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "1e13",
    "1000000000000.1",
    "x",
    "",
    1.5,
]
NUMBERS += [True, None, "1.0000001", "１２x", "1e-7", "1_000_000_000_000_0"]


def word(value: object) -> str:
    return repr(value)


READERS: list[tuple[Callable[[dict[str, object]], object], dict[str, object], list[str]]] = [
    (terms, {"product_id": "P", "supplier_id": "S", "unit_price": "1", "lead_time_days": "1"}, ["unit_price"]),
    (terms, {"product_id": "P", "supplier_id": "S", "unit_price": "1", "lead_time_days": "1"}, ["lead_time_days"]),
    (stock_count, {"product_id": "P", "on_hand": "1"}, ["on_hand"]),
    (demand, {"product_id": "P", "demand_per_day": "1"}, ["demand_per_day"]),
    (conversion, {"product_id": "P", "from_unit": "A", "to_unit": "B", "factor": "1"}, ["factor"]),
]


@pytest.mark.parametrize("value", NUMBERS, ids=word)
@pytest.mark.parametrize(("reader", "row", "fields"), READERS)
def test_a_number_that_is_none_is_refused_by_name(
    reader: Callable[[dict[str, object]], object], row: dict[str, object], fields: list[str], value: object
) -> None:
    for field in fields:
        with pytest.raises(InvalidInput) as refused:
            reader({**row, field: value})
        assert refused.value.field == field


OPTIONAL = [
    (terms, {"product_id": "P", "supplier_id": "S", "unit_price": "1", "lead_time_days": "1"}, "moq"),
    (terms, {"product_id": "P", "supplier_id": "S", "unit_price": "1", "lead_time_days": "1"}, "order_multiple"),
    (item, {"product_id": "P"}, "safety_stock"),
    (stock_count, {"product_id": "P", "on_hand": "1"}, "reserved"),
]


@pytest.mark.parametrize("value", [one for one in NUMBERS if one not in {"", None}], ids=word)
@pytest.mark.parametrize(("reader", "row", "field"), OPTIONAL)
def test_an_optional_number_that_is_none_is_refused_by_name(
    reader: Callable[[dict[str, object]], object], row: dict[str, object], field: str, value: object
) -> None:
    with pytest.raises(InvalidInput) as refused:
        reader({**row, field: value})
    assert refused.value.field == field


def test_absent_and_zero_minimum_and_step() -> None:
    row = {"product_id": "P", "supplier_id": "S", "unit_price": "-0", "lead_time_days": "0"}
    assert (terms(row).moq, terms(row).order_multiple, terms(row).unit_price) == (0, 1, 0)
    assert terms({**row, "moq": "0", "order_multiple": ""}).order_multiple == 1
    for wrong in ("0", "-1", "-0"):
        with pytest.raises(InvalidInput) as refused:
            terms({**row, "order_multiple": wrong})
        assert refused.value.field == "order_multiple"


BAD = [D("NaN"), D("sNaN"), D("Infinity"), D("-1"), MAX_NUMBER * 10, D("1e500"), D("0.0000001"), 1.5, "x"]


@pytest.mark.parametrize("value", [*BAD, None, D(0), D("-0")], ids=word)
async def test_an_order_with_a_quantity_that_is_none_is_refused_and_leaves_nothing(fresh: Path, value: object) -> None:
    async with life(fresh) as app:
        bad = NewOrder("c", [OrderItem("P", value, D(1))])  # type: ignore[arg-type]
        good = order("k", "c", [("P", "1", "1")])
        wrong, right = (await app.orders.place(PlaceRequest([bad, good]))).orders
        assert wrong.error is not None and wrong.error.field == "items[0].quantity"
        assert right.error is None
        assert (await app.backlog())["publish oms"] == 1


STORES = ("inventory", "oms", "supplier", "uom")


@pytest.mark.parametrize("value", BAD, ids=word)
async def test_a_port_that_stores_refuses_numbers_that_are_none(fresh: Path, value: Decimal) -> None:
    """Whoever calls a port in this program gets the same answer as whoever sends JSON: nothing is stored."""
    async with life(fresh) as app:
        wrong = [
            lambda: app.inventory.put_stock(PutStockRequest([StockCount("P", D(1)), StockCount("Q", value)])),
            lambda: app.inventory.put_items(PutItemsRequest([Item("P"), Item("Q", safety_stock=value)])),
            lambda: app.orders.put_demand(PutDemandRequest([Demand("P", D(1)), Demand("Q", value)])),
            lambda: app.suppliers.put_terms(PutTermsRequest([GOOD, replace(GOOD, product_id="Q", moq=value)])),
            lambda: app.suppliers.put_terms(PutTermsRequest([GOOD, replace(GOOD, product_id="Q", unit_price=value)])),
            lambda: app.suppliers.put_terms(PutTermsRequest([replace(GOOD, order_multiple=value)])),
            lambda: app.units.put_conversions(PutConversionsRequest([Conversion("P", "A", "B", value)])),
        ]
        for number, call in enumerate(wrong):
            before = [await kept(app, name) for name in STORES]
            with pytest.raises(RestockError):
                await call()
            assert [await kept(app, name) for name in STORES] == before, number


async def test_a_receipt_that_is_none_changes_nothing(fresh: Path) -> None:
    async with life(fresh) as app:
        await company(app)
        reply = await app.replenishment.flow(FlowRequest("P"))
        assert reply.po is not None
        before = await kept(app, "po")
        for value in (D(0), D(-1), D("NaN"), MAX_NUMBER * 2, D("0.0000001")):
            with pytest.raises(InvalidInput):
                await app.purchasing.receive(ReceiveRequest(reply.po.po_id, [Receipt(1, value)]))
        with pytest.raises(InvalidInput, match="no line 2"):
            await app.purchasing.receive(ReceiveRequest(reply.po.po_id, [Receipt(2, D(1))]))
        assert await kept(app, "po") == before


async def test_many_bad_calls_beside_good_ones_fail_alone(fresh: Path) -> None:
    async with life(fresh) as app:
        await company(app, of=None)
        products = ["P", "Q", "NO-SUCH"] * 20
        replies = await asyncio.gather(
            *(app.replenishment.flow(FlowRequest(product)) for product in products), return_exceptions=True
        )
        for product, reply in zip(products, replies, strict=True):
            if product == "NO-SUCH":
                assert isinstance(reply, NotFound)
            else:
                assert isinstance(reply, FlowReply)
                assert reply.outcome in ({"blocked"} if product == "P" else {"ordered", "covered"})
        assert len(await all_orders(app)) == 1


def stores(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*.db")}


async def test_a_store_of_a_newer_program_is_refused_and_no_file_is_touched(fresh: Path) -> None:
    import sqlite3
    from contextlib import closing

    for name in ("oms", "po", "stream"):
        path = fresh / "stores" / f"{name}.db"
        with closing(sqlite3.connect(path)) as file:
            (table,) = file.execute("SELECT name FROM sqlite_master WHERE name LIKE '%schema_version'").fetchone()
            (old,) = file.execute(f"SELECT version_num FROM {table}").fetchone()
            file.execute(f"UPDATE {table} SET version_num = '0999'")
            file.commit()
        before = stores(fresh)
        with pytest.raises(StorageUnusable, match="newer") as refused:
            async with life(fresh):
                pass
        assert "Install" in refused.value.remedy
        assert stores(fresh) == before
        with closing(sqlite3.connect(path)) as file:
            file.execute(f"UPDATE {table} SET version_num = '{old}'")
            file.commit()
    async with life(fresh) as app:
        assert await all_orders(app) == []


@pytest.mark.parametrize("product", ["", "  ", "a\tb", "x" * 129])
async def test_what_is_no_name_is_invalid_alone_and_in_a_batch(fresh: Path, product: str) -> None:
    async with life(fresh) as app:
        with pytest.raises(InvalidInput) as refused:
            await app.replenishment.flow(FlowRequest(product))
        assert refused.value.field == "product_id"
        (wrong,) = (await app.replenishment.flow_batch(FlowBatchRequest([product]))).results
        assert isinstance(wrong, InvalidInput)


async def test_a_key_gives_its_order_again_whatever_space_stands_around_the_name(fresh: Path) -> None:
    async with life(fresh) as app:
        await company(app)
        first = await app.replenishment.flow(FlowRequest("P", idempotency_key="k"))
        again = await app.replenishment.flow(FlowRequest(" P ", idempotency_key="k"))
        assert first.po is not None and again.po is not None
        assert again.po.po_id == first.po.po_id
