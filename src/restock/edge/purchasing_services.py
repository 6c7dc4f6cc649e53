"""The published calls of the purchasing services, in values: facts of a product, and what the rules say of facts.

REST and gRPC answer with the same values. Each call reads what its context keeps, and raises the errors of Restock.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, cast

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import NotFound, RestockError
from restock.core.frame import Frame
from restock.decisions.port import DecideRequest, Decision, Decisions
from restock.inventory.port import Inventory, PositionsRequest
from restock.orders.port import DemandRequest, Orders
from restock.purchasing.port import PlansRequest, Purchasing
from restock.suppliers.port import Suppliers, TermsRequest
from restock.units.port import ConversionsRequest, Units

RULEBOOK = "purchasing"
"""What the rule service evaluates: the rulebook that the flow asks."""


class Asked(Protocol):
    """The contexts that are asked."""

    @property
    def orders(self) -> Orders:
        """Demand."""
        ...

    @property
    def inventory(self) -> Inventory:
        """Stock."""
        ...

    @property
    def suppliers(self) -> Suppliers:
        """Terms."""
        ...

    @property
    def units(self) -> Units:
        """Conversions."""
        ...

    @property
    def decisions(self) -> Decisions:
        """Rules."""
        ...

    @property
    def purchasing(self) -> Purchasing:
        """What is on order."""
        ...


@dataclass(frozen=True)
class History:
    """What customers want of a product, in its stock unit."""

    product_id: str
    avg_daily_demand: Decimal
    trend: str


@dataclass(frozen=True)
class Levels:
    """Stock of a product in a warehouse."""

    product_id: str
    warehouse_id: str
    current_qty: Decimal
    reserved_qty: Decimal
    available_qty: Decimal


@dataclass(frozen=True)
class Info:
    """The terms of the supplier asked first, per purchase unit."""

    supplier_id: str
    product_id: str
    moq: Decimal
    lead_time_days: int
    unit_price: Decimal
    is_active: bool


@dataclass(frozen=True)
class Conversion:
    """How many of one unit are one of another."""

    product_id: str
    from_uom: str
    to_uom: str
    conversion_factor: Decimal


@dataclass(frozen=True)
class OmsData:
    """Demand, as the rule service is given it."""

    avg_daily_demand: Decimal
    product_id: str = ""
    trend: str = ""


@dataclass(frozen=True)
class InventoryData:
    """Stock, as the rule service is given it."""

    available_qty: Decimal
    product_id: str = ""
    warehouse_id: str = DEFAULT_WAREHOUSE
    current_qty: Decimal = Decimal(0)
    reserved_qty: Decimal = Decimal(0)


@dataclass(frozen=True)
class SupplierData:
    """Terms, as the rule service is given them."""

    lead_time_days: int
    unit_price: Decimal
    moq: Decimal = Decimal(0)
    is_active: bool = True
    supplier_id: str = ""
    product_id: str = ""


@dataclass(frozen=True)
class EvaluateRequest:
    """Facts to evaluate."""

    oms_data: OmsData
    inventory_data: InventoryData
    supplier_data: SupplierData


@dataclass(frozen=True)
class Evaluation:
    """What the rules say."""

    need_reorder: bool
    shortage: Decimal
    order_qty: Decimal
    total_amount: Decimal
    requires_approval: bool
    approval_status: str
    should_create_po: bool
    should_send_po: bool
    po_status: str
    send_method: str
    grand_total: Decimal


class PurchasingServices:
    """The published calls that read and evaluate, on the ports of the contexts."""

    def __init__(self, app: Asked) -> None:
        self._app = app

    async def history(self, product: str) -> History:
        """Give the demand of a product. Raises NotFound."""
        row = _row(await self._app.orders.demand(DemandRequest([product])), product, "demand")
        return History(product, row["demand_per_day"], row["trend"])

    async def levels(self, product: str) -> Levels:
        """Give the stock of a product. Raises NotFound."""
        row = _row(await self._app.inventory.positions(PositionsRequest([product])), product, "stock")
        return Levels(product, row["warehouse_id"], row["on_hand"], row["reserved"], row["available"])

    async def on_order(self, product: str) -> Decimal:
        """Give what is ordered and has not come. Raises NotFound for a product without stock."""
        row = _row(await self._app.inventory.positions(PositionsRequest([product])), product, "stock")
        for plan in (await self._app.purchasing.plans(PlansRequest([product]))).rows():
            return max(Decimal(0), cast("Decimal", plan["ordered_total"]) - cast("Decimal", row["received_total"]))
        return Decimal(0)

    async def supplier_name(self, product: str) -> str:
        """Give the name of the supplier asked first. Raises NotFound."""
        row = _row(await self._app.suppliers.terms(TermsRequest([product])), product, "supplier")
        return str(row["supplier_name"])

    async def info(self, product: str) -> Info:
        """Give the terms of a product. Raises NotFound."""
        row = _row(await self._app.suppliers.terms(TermsRequest([product])), product, "supplier")
        return Info(row["supplier_id"], product, row["moq"], row["lead_time_days"], row["unit_price"], row["is_active"])

    async def conversion(self, product: str) -> Conversion:
        """Give the first conversion of a product, the one from its largest packing. Raises NotFound."""
        frame = await self._app.units.conversions(ConversionsRequest([product]))
        found = max(frame.conversions(), key=lambda one: one.factor, default=None)
        if found is None:
            raise _unknown(product, "conversion")
        return Conversion(product, found.from_unit, found.to_unit, found.factor)

    async def evaluate(self, asked: EvaluateRequest) -> Evaluation:
        """Ask the rules; nothing is stored. Raises InvalidInput for facts that no rule can judge."""
        facts: dict[str, object] = {
            "avg_daily_demand": asked.oms_data.avg_daily_demand,
            "available_qty": asked.inventory_data.available_qty,
            "lead_time_days": Decimal(asked.supplier_data.lead_time_days),
            "moq": asked.supplier_data.moq,
            "unit_price": asked.supplier_data.unit_price,
            "is_active": asked.supplier_data.is_active,
        }
        decided = await self._app.decisions.decide(DecideRequest(RULEBOOK, [facts], record=False))
        (decision,) = decided.results
        if isinstance(decision, RestockError):
            raise decision
        return _evaluation(decision)


def _evaluation(decision: Decision) -> Evaluation:
    outputs = cast("Any", decision.outputs)
    return Evaluation(**{name: outputs[name] for name in Evaluation.__dataclass_fields__})


def _row(frame: Frame, product: str, what: str) -> dict[str, Any]:
    for row in frame.rows():
        return cast("dict[str, Any]", row)
    raise _unknown(product, what)


def _unknown(product: str, what: str) -> NotFound:
    return NotFound(
        f"{product} has no {what} on file.",
        field="product_id",
        remedy="Check the name, or import it with `restock import`.",
    )
