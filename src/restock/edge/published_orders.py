"""The published purchase order service, in values: orders as programs ask for them, judged by the rules.

The published service made a draft of whatever it was given, and sent any draft. Here the rules are asked about the order as
about every other: they give its tax and say whether a person must approve it first.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from restock.core.defaults import DEFAULT_UNIT
from restock.core.errors import Conflict, InvalidInput, NotFound, RestockError, Stale, Unavailable
from restock.core.quantity import plain
from restock.decisions.port import DecideRequest, Decision
from restock.edge.purchasing_services import RULEBOOK, Asked
from restock.inventory.port import PositionsRequest
from restock.purchasing.model import PurchaseOrder, State
from restock.purchasing.port import ChangeRequest, CreateRequest, NewLine, NewOrder, OrderRequest, PlansRequest
from restock.suppliers.port import OffersRequest
from restock.units.model import factor_between
from restock.units.port import ConversionsRequest

ACTOR = "po-service"
"""Who made an order that was asked for here."""

CONFLICT_ROUNDS = 8
"""How often an order is tried again because another order for the product came between."""

NEARLY = Decimal("0.005")
"""How far a given total may be from the exact one: it comes as a double."""

_STATUS = {
    State.SENT: "sent",
    State.ACKNOWLEDGED: "confirmed",
    State.PARTLY_RECEIVED: "confirmed",
    State.RECEIVED: "confirmed",
    State.CLOSED: "confirmed",
    State.REJECTED: "cancelled",
    State.CANCELLED: "cancelled",
}
"""The published states; what is not sent yet is a draft."""


@dataclass(frozen=True)
class CreateOrderRequest:
    """What to order, from whom: the quantity and the price are of the supplier's purchase unit."""

    product_id: str
    supplier_id: str
    qty: int
    unit_price: Decimal
    total_amount: Decimal = Decimal(0)
    idempotency_key: str = ""


@dataclass(frozen=True)
class PublishedOrder:
    """A purchase order, in the published members."""

    po_id: str
    product_id: str
    supplier_id: str
    qty: int
    unit_price: Decimal
    total_amount: Decimal
    status: str
    created_at: str
    sent_at: str


class PublishedOrders:
    """Makes and sends orders for programs of the published service."""

    def __init__(self, app: Asked) -> None:
        self._app = app

    async def create(self, asked: CreateOrderRequest) -> PublishedOrder:
        """Make an order. Raises NotFound, InvalidInput when the rules refuse it, Unavailable."""
        if asked.qty <= 0:
            raise InvalidInput("is not above 0.", field="qty", remedy="Give a whole number of purchase units.")
        terms = await self._terms(asked)
        factor = await self._factor(asked.product_id, terms)
        decision = await self._judged(asked, terms, factor)
        for _ in range(CONFLICT_ROUNDS):
            order = _order(asked, terms, factor, decision, await self._version(asked.product_id))
            (made,) = (await self._app.purchasing.create(CreateRequest([order], ACTOR))).results
            if not isinstance(made, RestockError):
                return told(made)
            if not isinstance(made, Stale):
                raise made
        raise Unavailable(f"{asked.product_id} is ordered by too many at once.", remedy="Try again.")

    async def send(self, po_id: str) -> PublishedOrder:
        """Send an order; one that is sent already is left as it is. Raises NotFound, Conflict before its approval."""
        order = await self._app.purchasing.order(OrderRequest(po_id))
        if order.state is State.PENDING_APPROVAL:
            raise Conflict(
                f"{po_id} waits for approval.",
                field="po_id",
                remedy=f"Another person approves it: restock approve {po_id}.",
            )
        if order.state is not State.APPROVED and _STATUS.get(order.state) in {"sent", "confirmed"}:
            return told(order)
        return told(await self._app.purchasing.send(ChangeRequest(po_id, ACTOR)))

    async def _terms(self, asked: CreateOrderRequest) -> dict[str, Any]:
        offers = await self._app.suppliers.offers(OffersRequest([asked.product_id]))
        for row in offers.rows():
            if row["supplier_id"] == asked.supplier_id:
                return cast("dict[str, Any]", row)
        raise NotFound(
            f"{asked.supplier_id} does not sell {asked.product_id}.",
            field="supplier_id",
            remedy="Check the names, or import its terms with `restock import suppliers FILE`.",
        )

    async def _factor(self, product: str, terms: dict[str, Any]) -> Decimal:
        """Give the stock units in a purchase unit. Raises InvalidInput when no conversion is on file."""
        positions = (await self._app.inventory.positions(PositionsRequest([product]))).rows()
        stock_unit = next((str(row["stock_unit"]) for row in positions), DEFAULT_UNIT)
        unit = str(terms["purchase_unit"] or stock_unit)
        conversions = (await self._app.units.conversions(ConversionsRequest([product]))).conversions()
        steps = [(one.from_unit, one.to_unit, one.factor) for one in conversions]
        factor = factor_between(steps, unit, stock_unit)
        if factor is None:
            raise InvalidInput(f"No conversion from {unit} to {stock_unit} is on file.", field="product_id")
        return factor

    async def _version(self, product: str) -> int:
        for row in (await self._app.purchasing.plans(PlansRequest([product]))).rows():
            return int(cast("int", row["version"]))
        return 0

    async def _judged(self, asked: CreateOrderRequest, terms: dict[str, Any], factor: Decimal) -> Decision:
        """Ask the rules about a need of just this quantity."""
        facts: dict[str, object] = {
            "avg_daily_demand": Decimal(0),
            "lead_time_days": Decimal(terms["lead_time_days"]),
            "required_qty": asked.qty * factor,
            "available_qty": Decimal(0),
            "purchase_factor": factor,
            "unit_price": asked.unit_price,
            "is_active": terms["is_active"],
        }
        request = DecideRequest(RULEBOOK, [facts], subjects=[asked.product_id])
        (decision,) = (await self._app.decisions.decide(request)).results
        if isinstance(decision, RestockError):
            raise decision
        if not decision.outputs["should_create_po"]:
            reason = decision.outputs["blocked_reason"] or "the rules order nothing"
            raise InvalidInput(f"cannot be ordered: {reason}.", field="product_id")
        total = cast("Decimal", decision.outputs["total_amount"])
        if asked.total_amount and abs(asked.total_amount - total) > NEARLY:
            raise InvalidInput(
                f"is {plain(asked.total_amount)}, but {asked.qty} at {plain(asked.unit_price)} are {plain(total)}.",
                field="total_amount",
            )
        return decision


def _order(
    asked: CreateOrderRequest, terms: dict[str, Any], factor: Decimal, decision: Decision, version: int
) -> NewOrder:
    outputs = cast("dict[str, Any]", decision.outputs)
    line = NewLine(
        product_id=asked.product_id,
        quantity=outputs["order_qty"],
        purchase_quantity=outputs["order_qty"] / factor,
        purchase_unit=str(terms["purchase_unit"]),
        unit_price=asked.unit_price,
        total_amount=outputs["total_amount"],
        plan_version=version,
        decision_id=decision.decision_id,
    )
    return NewOrder(
        supplier_id=asked.supplier_id,
        supplier_name=str(terms["supplier_name"]),
        currency=str(terms["currency"]),
        lines=[line],
        total_amount=outputs["total_amount"],
        discount_amount=outputs["discount_amount"],
        tax_amount=outputs["tax_amount"],
        grand_total=outputs["grand_total"],
        state=outputs["po_status"],
        reason=", ".join(decision.fired),
        decision_id=decision.decision_id,
        idempotency_key=asked.idempotency_key,
    )


def told(order: PurchaseOrder) -> PublishedOrder:
    """Give an order in the published members: of its first line, as published orders have one."""
    line = order.lines[0]
    return PublishedOrder(
        po_id=order.po_id,
        product_id=line.product_id,
        supplier_id=order.supplier_id,
        qty=int(line.purchase_quantity),
        unit_price=line.unit_price,
        total_amount=order.total_amount,
        status=_STATUS.get(order.state, "draft"),
        created_at=order.created_at,
        sent_at=order.sent_at,
    )
