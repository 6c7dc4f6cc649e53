"""The arithmetic, end to end: what a flow and a purchase order equals a plain recomputation of the published formulas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scenario_world import D, all_orders, check_supply, copy_home, life, load, unlooped

from restock.app import App
from restock.inventory.model import Item, StockCount
from restock.orders.model import Demand
from restock.purchasing.model import PurchaseOrder
from restock.replenishment.port import FlowReply, FlowRequest, PlanRequest, PurchaseRequest
from restock.suppliers.model import Terms
from restock.units.model import Conversion

CENT = D("0.01")


@dataclass(frozen=True)
class Facts:
    """What is known of one product."""

    on_hand: Decimal
    reserved: Decimal
    demand: Decimal
    lead_time: int
    safety: Decimal
    moq: Decimal
    multiple: Decimal
    factor: Decimal
    price: Decimal
    active: bool


@dataclass(frozen=True)
class Expected:
    """What must come out; the formulas of the product's specification, one after the other."""

    shortage: Decimal
    order_qty: Decimal
    purchase_qty: Decimal
    total: Decimal


@dataclass(frozen=True)
class Money:
    """What becomes of a total."""

    discount: Decimal
    tax: Decimal
    grand_total: Decimal
    state: str


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def line(facts: Facts) -> Expected:
    required = facts.demand * facts.lead_time + facts.safety
    shortage = required - (facts.on_hand - facts.reserved)
    need = max(D(0), shortage)
    minimum, step = facts.moq * facts.factor, facts.multiple * facts.factor
    if need == 0 or not facts.active:
        return Expected(shortage, D(0), D(0), D(0))
    quantity = (max(need, minimum) / step).to_integral_value(ROUND_CEILING) * step
    bought = quantity / facts.factor
    return Expected(shortage, quantity, bought, cents(bought * facts.price))


def money(total: Decimal) -> Money:
    discount = cents(total * D("0.1")) if total >= 50_000 else D(0)
    tax = cents((total - discount) * D("0.08"))
    return Money(discount, tax, total - discount + tax, "pending_approval" if total > 10_000 else "sent")


def decimals(low: str, high: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(D(low), D(high), places=places, allow_nan=False, allow_infinity=False)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    on_hand = draw(st.one_of(st.just(D(0)), decimals("0", "900", 0), decimals("0", "900", 6)))
    reserved = min(on_hand, draw(st.one_of(st.just(D(0)), decimals("0", "900", 0))))
    return Facts(
        on_hand,
        reserved,
        draw(st.one_of(decimals("0", "60", 0), decimals("0", "60", 4))),
        draw(st.integers(0, 60)),
        draw(st.one_of(st.just(D(0)), decimals("0", "99", 6))),
        draw(st.one_of(st.just(D(0)), decimals("0", "400", 0), decimals("0", "40", 2))),
        draw(st.one_of(st.just(D(1)), decimals("1", "60", 0), decimals("0.01", "9", 2))),
        draw(st.one_of(st.just(D(1)), decimals("1", "48", 0), decimals("0.005", "12", 4))),
        draw(st.one_of(decimals("0.01", "40", 2), decimals("0.0001", "999", 4), decimals("1", "9999", 0))),
        draw(st.sampled_from([True, True, True, False])),
    )


@contextmanager
def new_home(template: Path) -> Iterator[Path]:
    """Give a home for one example; the folder of a test would serve all of its examples."""
    with TemporaryDirectory() as folder:
        yield copy_home(template, Path(folder) / "home")


async def company(app: App, all_facts: list[Facts], suppliers: int) -> list[str]:
    products = [f"P{number:03}" for number in range(len(all_facts))]
    named = list(zip(products, all_facts, strict=True))
    await load(
        app,
        [Item(p, safety_stock=f.safety) for p, f in named],
        [StockCount(p, f.on_hand, f.reserved) for p, f in named],
        [
            Terms(p, f"S{n % suppliers}", f.price, f.lead_time, "S", f.moq, f.multiple, "BOX", "USD", f.active)
            for n, (p, f) in enumerate(named)
        ],
        [Demand(p, f.demand) for p, f in named],
        [Conversion(p, "BOX", "PIECE", f.factor) for p, f in named],
    )
    return products


def check_line(facts: Facts, quantity: Decimal, bought: Decimal, amount: Decimal) -> None:
    """Check a line against the formulas, and the formulas against what they are for."""
    expected = line(facts)
    assert (quantity, bought, amount) == (expected.order_qty, expected.purchase_qty, expected.total)
    step = facts.multiple * facts.factor
    assert quantity % step == 0, "a multiple of the step"
    assert quantity >= facts.moq * facts.factor, "not below the minimum"
    assert quantity >= expected.shortage, "not below the need"
    smaller = quantity - step
    assert smaller < facts.moq * facts.factor or smaller < expected.shortage, "the smallest such"


def check_money(order: PurchaseOrder) -> None:
    assert order.total_amount == sum(one.total_amount for one in order.lines)
    expected = money(order.total_amount)
    assert order.discount_amount == expected.discount
    assert order.tax_amount == expected.tax
    assert order.grand_total == expected.grand_total
    assert order.state.value == expected.state
    assert all(amount == cents(amount) for amount in (order.total_amount, order.tax_amount, order.grand_total))


KNOWN = [
    Facts(D(25), D(5), D("15.5"), 7, D(0), D(20), D(20), D(1), D("15.99"), True),
    Facts(D(10), D(5), D(50), 5, D(0), D(100), D(1), D(1), D("15.50"), True),
    Facts(D(10), D(3), D(22), 5, D(0), D(10), D(10), D(1), D(25), True),
    Facts(D(0), D(0), D(100), 1, D(0), D(2), D(1), D(12), D(10), True),
    Facts(D(0), D(0), D(100), 1, D(0), D(0), D(1), D(1), D(100), True),  # exactly 10,000: approved
    Facts(D(0), D(0), D(100), 1, D("0.000001"), D(0), D("0.01"), D(1), D(100), True),  # 10,001: waits
    Facts(D(0), D(0), D(500), 1, D(0), D(0), D(1), D(1), D(100), True),  # exactly 50,000: discount
    Facts(D(0), D(0), D(499), 1, D(0), D(0), D(1), D(1), D(100), True),
    Facts(D(0), D(0), D(1), 1, D(0), D(0), D(1), D(1), D("0.005"), True),  # half a cent rounds up
    Facts(D(0), D(0), D(1), 1, D(0), D(0), D(1), D(1), D("0.0049"), True),  # rounds to nothing
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(known=st.lists(facts(), min_size=4, max_size=12))
@example(known=KNOWN)
def test_a_flow_orders_what_the_formulas_say(known: list[Facts], template: Path) -> None:
    async def lived(home: Path) -> None:
        async with life(home) as app:
            products = await company(app, known, len(known))
            for product, one in zip(products, known, strict=True):
                reply = await app.replenishment.flow(FlowRequest(product))
                await check_reply(app, product, one, reply)
            await check_supply(app)

    with new_home(template) as home:
        unlooped(lived(home))


async def check_reply(app: App, product: str, one: Facts, reply: FlowReply) -> None:
    expected = line(one)
    if expected.shortage <= 0:
        assert (reply.outcome, reply.po) == ("no_need", None), reply
    elif expected.total == 0:
        assert (reply.outcome, reply.po) == ("blocked", None), reply
    else:
        assert reply.outcome == "ordered", (reply, one)
        assert reply.po is not None
        (order,) = await all_orders(app, product_id=product)
        (only,) = order.lines
        check_line(one, only.quantity, only.purchase_quantity, only.total_amount)
        check_money(order)
        assert (reply.po.qty, reply.po.total_amount) == (only.quantity, only.total_amount)
        assert (reply.po.grand_total, reply.po.status) == (order.grand_total, order.state.value)
        assert reply.calculation.shortage == expected.shortage


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(known=st.lists(facts(), min_size=3, max_size=15), suppliers=st.integers(1, 3))
@example(known=KNOWN, suppliers=1)
@example(known=KNOWN, suppliers=3)
def test_a_purchase_joins_lines_and_the_money_adds_up(known: list[Facts], suppliers: int, template: Path) -> None:
    async def lived(home: Path) -> None:
        async with life(home) as app:
            products = await company(app, known, suppliers)
            plan = await app.replenishment.plan(PlanRequest())
            wanted = {product: one for product, one in zip(products, known, strict=True) if line(one).total > 0}
            assert plan.outcomes.get("proposed", 0) == len(wanted)
            assert plan.amounts.get("USD", D(0)) == sum(line(one).total for one in wanted.values())
            bought = await app.replenishment.purchase(PurchaseRequest())
            assert not bought.refused
            orders = await all_orders(app)
            assert {one.po_id for one in bought.orders} == {one.po_id for one in orders}
            groups = {one.supplier_id: [part.product_id for part in one.lines] for one in orders}
            assert groups == {
                f"S{number}": mine
                for number in range(suppliers)
                if (mine := [p for n, p in enumerate(products) if n % suppliers == number and p in wanted])
            }
            for order in orders:
                check_money(order)
                for part in order.lines:
                    check_line(wanted[part.product_id], part.quantity, part.purchase_quantity, part.total_amount)
            await check_supply(app)

    with new_home(template) as home:
        unlooped(lived(home))


SUMS = [
    # lines, price of the single piece that each orders; discount, tax, grand total, state
    (10, "9000", "9000.00", "6480.00", "87480.00", "pending_approval"),
    (2, "5000", "0", "800.00", "10800.00", "sent"),
    (2, "5000.01", "0", "800.00", "10800.02", "pending_approval"),
    (5, "10000", "5000.00", "3600.00", "48600.00", "pending_approval"),
    (5, "9999.99", "0", "4000.00", "53999.95", "pending_approval"),
    (3, "0.0149", "0", "0.00", "0.03", "sent"),
    (7, "0.0051", "0", "0.01", "0.08", "sent"),
]


@pytest.mark.parametrize(("count", "price", "discount", "tax", "grand_total", "state"), SUMS)
async def test_the_rules_decide_on_the_sum_of_the_lines(
    fresh: Path, count: int, price: str, discount: str, tax: str, grand_total: str, state: str
) -> None:
    one = Facts(D(0), D(0), D(1), 1, D(0), D(0), D(1), D(1), D(price), True)
    async with life(fresh) as app:
        await company(app, [one] * count, 1)
        await app.replenishment.plan(PlanRequest())
        (order,) = (await app.replenishment.purchase(PurchaseRequest())).orders
        assert len(order.lines) == count
        assert order.total_amount == cents(D(price)) * count
        assert (order.discount_amount, order.tax_amount) == (D(discount), D(tax))
        assert (order.grand_total, order.state.value) == (D(grand_total), state)
        check_money(order)
        await app.settle()
        assert len(list((fresh / "outbox").glob("*.json"))) == (state == "sent")
