"""The operations that flows may name: plural calls of the neighbours' ports, one answer per run of a cohort.

Each takes the inputs of all runs that reached the node and asks the port once about all of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TypedDict, cast

from restock.core.clock import Clock
from restock.core.errors import RestockError
from restock.core.frame import Frame
from restock.decisions.port import DecideRequest, Decision, DecisionRequest, Decisions
from restock.inventory.port import Inventory, PositionsRequest
from restock.orders.port import DemandRequest, Orders
from restock.purchasing.port import (
    CoverRequest,
    CreateRequest,
    NewLine,
    NewOrder,
    OrderRequest,
    PlansRequest,
    Purchasing,
)
from restock.replenishment.model import Need, Row, expected_on, need_of
from restock.replenishment.recorder import DECISION_ID, NEED, ORDER_ID
from restock.suppliers.port import Suppliers, TermsRequest
from restock.units.model import factor_between
from restock.units.port import ConversionsRequest, Units

Items = Sequence[Mapping[str, object]]
Conversions = Sequence[tuple[str, str, Decimal]]

SERVICES = {
    "oms": "orders.demand",
    "oms-service": "orders.demand",
    "inventory": "inventory.positions",
    "inventory-service": "inventory.positions",
    "supplier": "suppliers.terms",
    "supplier-service": "suppliers.terms",
    "uom": "units.conversions",
    "uom-service": "units.conversions",
    "po": "purchasing.create",
    "po-service": "purchasing.create",
}
"""Which operation stands behind the host of a published graph's GrpcNode."""


FRESH = {"inventory.positions", "purchasing.plans", "purchasing.covering"}
"""What changes with every order: no answer of before, and nothing else, may stand in for stock and what is on order."""


@dataclass(frozen=True)
class Neighbours:
    """The ports that replenishment asks."""

    orders: Orders
    inventory: Inventory
    suppliers: Suppliers
    units: Units
    decisions: Decisions
    purchasing: Purchasing


@dataclass
class Tally:
    """How many queries went to neighbours, and how long they took in microseconds."""

    queries: int = 0
    query_us: int = 0

    def timed(self, call: Callable[[Items], Awaitable[list[object]]]) -> Callable[[Items], Awaitable[list[object]]]:
        """Give the same call, counted."""

        async def counted(items: Items) -> list[object]:
            start = time.perf_counter_ns()
            try:
                return await call(items)
            finally:
                self.queries += 1
                self.query_us += (time.perf_counter_ns() - start) // 1000

        return counted


@dataclass
class Operations:
    """The operations over a set of neighbours."""

    neighbours: Neighbours
    clock: Clock
    tally: Tally = field(default_factory=Tally)

    def table(self) -> dict[str, Callable[[Items], object]]:
        """Give the operations by the name that flows use."""
        fetches = {
            "orders.demand": self.demand,
            "inventory.positions": self.positions,
            "suppliers.terms": self.terms,
            "units.conversions": self.conversions,
            "purchasing.plans": self.plans,
            "purchasing.covering": self.covering,
        }
        table: dict[str, Callable[[Items], object]] = {n: self.tally.timed(call) for n, call in fetches.items()}
        table["replenishment.need"] = need
        table["purchasing.create"] = self.create
        return table

    async def demand(self, items: Items) -> list[object]:
        """Give each run the demand of its product, or None."""
        frame = await self.neighbours.orders.demand(DemandRequest(_products(items)))
        return _rows(frame, items)

    async def positions(self, items: Items) -> list[object]:
        """Give each run the stock of its product in its warehouse, or None."""
        return await self._by_warehouse(
            items,
            lambda products, warehouse: self.neighbours.inventory.positions(PositionsRequest(products, warehouse)),
        )

    async def terms(self, items: Items) -> list[object]:
        """Give each run the terms of its product's supplier, or None."""
        return _rows(await self.neighbours.suppliers.terms(TermsRequest(_products(items))), items)

    async def conversions(self, items: Items) -> list[object]:
        """Give each run the conversions of its product as (from, to, factor)."""
        frame = await self.neighbours.units.conversions(ConversionsRequest(_products(items)))
        found: dict[str, list[tuple[str, str, Decimal]]] = {}
        for product, source, target, factor in zip(
            frame.product_id, frame.from_unit, frame.to_unit, frame.factor, strict=True
        ):
            found.setdefault(product, []).append((source, target, factor))
        return [found.get(str(item["product_id"]), []) for item in items]

    async def plans(self, items: Items) -> list[object]:
        """Give each run the plan row of its product, or None when it was never ordered."""
        return await self._by_warehouse(
            items, lambda products, warehouse: self.neighbours.purchasing.plans(PlansRequest(products, warehouse))
        )

    async def covering(self, items: Items) -> list[object]:
        """Give each run with something on order the open order that covers it; None without asking for the others."""
        asked = [cast("Need", item["need"]) for item in items]
        waiting = [need for need in asked if need.on_order > 0]
        found: dict[tuple[str, str], Row] = {}
        for warehouse in {need.warehouse_id for need in waiting}:
            products = sorted({need.product_id for need in waiting if need.warehouse_id == warehouse})
            frame = await self.neighbours.purchasing.covering(CoverRequest(products, warehouse))
            found.update(((str(row["product_id"]), warehouse), row) for row in frame.rows())
        return [found.get((need.product_id, need.warehouse_id)) for need in asked]

    async def rulebook(self, name: str, items: Items) -> list[object]:
        """Give each run the decision of the rulebook on its facts."""
        subjects = [str(item.get("product_id", "")) for item in items]
        decided = await self.neighbours.decisions.decide(DecideRequest(name, items, subjects=subjects))
        return list(decided.results)

    async def create(self, items: Items) -> list[object]:
        """Order for each run what its decision says; the order, or Stale when somebody was faster."""
        orders = [self._new_order(item) for item in items]
        created = await self.neighbours.purchasing.create(CreateRequest(orders))
        return list(created.results)

    def _new_order(self, item: Mapping[str, object]) -> NewOrder:
        need, decision = cast("Need", item["need"]), cast("Decision", item["decision"])
        outputs = decision.outputs
        return NewOrder(
            supplier_id=need.supplier_id,
            supplier_name=need.supplier_name,
            currency=need.currency,
            lines=[new_line(need, outputs, decision.decision_id)],
            state=str(outputs["po_status"]),
            send=bool(outputs["should_send_po"]),
            send_method=str(outputs["send_method"]),
            reason=", ".join(decision.fired),
            expected_on=expected_on(self.clock.now().date(), need),
            decision_id=decision.decision_id,
            run_id=str(item["run_id"]),
            causation_id=str(item["causation_id"]),
            idempotency_key=str(item["idempotency_key"]),
            **amounts(outputs),
        )

    async def needs(self, items: Items) -> list[object]:
        """Fetch in parallel and put together what the flow fetches; a Need or an error per item."""
        fetched = await asyncio.gather(
            self.demand(items), self.positions(items), self.terms(items), self.conversions(items), self.plans(items)
        )
        return [_need(item, *row) for item, *row in zip(items, *fetched, strict=True)]

    async def recalled(self, context: dict[str, object]) -> dict[str, object]:
        """Complete the stored context of a run: its decision and order from their owners, its need from what was fetched."""
        whole = dict(context)
        whole["input"] = {name: value for name, value in context.items() if isinstance(value, str)}
        for name, value in context.items():
            if not isinstance(value, dict) or len(value) != 1:
                continue
            if DECISION_ID in value:
                request = DecisionRequest(str(value[DECISION_ID]))
                whole[name] = await self.neighbours.decisions.decision(request)
            elif ORDER_ID in value:
                whole[name] = await self.neighbours.purchasing.order(OrderRequest(str(value[ORDER_ID])))
            elif value == {NEED: True}:
                whole[name] = need([context])[0]
        return whole

    async def _by_warehouse(self, items: Items, ask: Callable[[list[str], str], Awaitable[Frame]]) -> list[object]:
        """Ask once per warehouse; nearly always there is one."""
        found: dict[tuple[str, str], object] = {}
        for warehouse in {str(item["warehouse_id"]) for item in items}:
            mine = [item for item in items if item["warehouse_id"] == warehouse]
            for item, row in zip(mine, _rows(await ask(_products(mine), warehouse), mine), strict=True):
                found[str(item["product_id"]), warehouse] = row
        return [found[str(item["product_id"]), str(item["warehouse_id"])] for item in items]


def need(items: Items) -> list[object]:
    """Put together for each run what was fetched; NotFound in the place of a product with a missing fact."""
    names = ("demand", "stock", "terms", "conversions", "supply")
    return [_need(item, *(item[name] for name in names)) for item in items]


def _need(
    item: Mapping[str, object], demand: object, stock: object, terms: object, conversions: object, supply: object
) -> Need | RestockError:
    try:
        return need_of(
            str(item["product_id"]),
            str(item["warehouse_id"]),
            cast("Row | None", demand),
            cast("Row | None", stock),
            cast("Row | None", terms),
            partial(factor_between, cast("Conversions", conversions)),
            cast("Row | None", supply),
        )
    except RestockError as error:
        return error


def new_line(need: Need, outputs: Mapping[str, object], decision_id: str) -> NewLine:
    """Make the order line of a decision."""
    quantity = _number(outputs["order_qty"])
    bought = outputs.get("purchase_qty")
    return NewLine(
        product_id=need.product_id,
        quantity=quantity,
        purchase_quantity=_number(bought) if bought else quantity / need.purchase_factor,
        purchase_unit=need.purchase_unit,
        unit_price=need.unit_price,
        total_amount=_number(outputs["total_amount"]),
        plan_version=need.plan_version,
        warehouse_id=need.warehouse_id,
        decision_id=decision_id,
    )


class Amounts(TypedDict):
    """The amounts of an order."""

    total_amount: Decimal
    discount_amount: Decimal
    tax_amount: Decimal
    grand_total: Decimal


def amounts(outputs: Mapping[str, object]) -> Amounts:
    """Give the amounts of an order that a decision carries."""
    return {
        "total_amount": _number(outputs["total_amount"]),
        "discount_amount": _number(outputs["discount_amount"]),
        "tax_amount": _number(outputs["tax_amount"]),
        "grand_total": _number(outputs["grand_total"]),
    }


def _products(items: Items) -> list[str]:
    return list(dict.fromkeys(str(item["product_id"]) for item in items))


def _rows(frame: Frame, items: Items) -> list[object]:
    found = {row["product_id"]: row for row in frame.rows()}
    return [found.get(item["product_id"]) for item in items]


def _number(value: object) -> Decimal:
    assert isinstance(value, Decimal)
    return value
