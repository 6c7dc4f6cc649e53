"""What the purchasing context promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import RestockError
from restock.core.frame import Frame
from restock.core.operation import Operation, Permission
from restock.core.value import value
from restock.purchasing.model import OrderEvent, PurchaseOrder


@dataclass(frozen=True)
class PlansRequest:
    """Which products' plan rows, in which warehouse."""

    products: list[str]
    warehouse_id: str = DEFAULT_WAREHOUSE


@dataclass(frozen=True)
class PlanFrame(Frame):
    """What was ever ordered, a row per product that ever was. The version counts the changes of the row.

    on_order = ordered_total - received_total, where received_total comes with the stock (inventory).
    """

    product_id: Sequence[str]
    ordered_total: Sequence[Decimal]
    version: Sequence[int]


@value
class NewLine:
    """A line to order; `plan_version` is the version of the plan row on which the quantity was decided (0: none)."""

    product_id: str
    quantity: Decimal
    purchase_quantity: Decimal
    purchase_unit: str
    unit_price: Decimal
    total_amount: Decimal
    plan_version: int
    warehouse_id: str = DEFAULT_WAREHOUSE
    decision_id: str = ""


@value
class NewOrder:
    """An order to create in `state` approved, pending_approval or draft; `send` sends it in the same step."""

    supplier_id: str
    supplier_name: str
    currency: str
    lines: list[NewLine]
    total_amount: Decimal
    discount_amount: Decimal
    tax_amount: Decimal
    grand_total: Decimal
    state: str
    send: bool = False
    send_method: str = ""
    reason: str = ""
    expected_on: str = ""
    decision_id: str = ""
    run_id: str = ""
    causation_id: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True)
class CreateRequest:
    """Orders to create, and who asks for them."""

    orders: list[NewOrder]
    actor: str = "restock"


@dataclass(frozen=True)
class Created:
    """A result per order asked for: the order, or why there is none (Stale: decide again)."""

    results: list[PurchaseOrder | RestockError]


@dataclass(frozen=True)
class CoverRequest:
    """Which products' open orders."""

    products: list[str]
    warehouse_id: str = DEFAULT_WAREHOUSE


@dataclass(frozen=True)
class CoverFrame(Frame):
    """The newest open order of each product that has one."""

    product_id: Sequence[str]
    po_id: Sequence[str]
    state: Sequence[str]
    to_come: Sequence[Decimal]


@dataclass(frozen=True)
class ChangeRequest:
    """One move of one order: who, and why."""

    po_id: str
    actor: str = "restock"
    reason: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True)
class Receipt:
    """What arrived of one line, in the stock unit."""

    line_no: int
    quantity: Decimal


@dataclass(frozen=True)
class ReceiveRequest:
    """Goods that arrived for an order; no lines means all that was still to come."""

    po_id: str
    lines: list[Receipt] = field(default_factory=list)
    actor: str = "restock"
    reason: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True)
class OrderRequest:
    """Which purchase order."""

    po_id: str


@dataclass(frozen=True)
class ByKeyRequest:
    """The idempotency key an order was created with."""

    key: str


@dataclass(frozen=True)
class OrdersRequest:
    """A page of orders, newest first, before the given one; by state, supplier or product when given."""

    before: str = ""
    limit: int = 100
    state: str = ""
    supplier_id: str = ""
    product_id: str = ""


class Purchasing(Protocol):
    """Keeps purchase orders. Every change is an event, stored with the projection and the outbox in one transaction."""

    async def plans(self, request: PlansRequest) -> PlanFrame:
        """Give the plan rows of the products that were ever ordered."""
        ...

    async def create(self, request: CreateRequest) -> Created:
        """Create orders. A line whose plan row has moved on makes its order Stale; the others are created.

        The same idempotency key gives the same order again.
        """
        ...

    async def covering(self, request: CoverRequest) -> CoverFrame:
        """Give the newest open order of each product that has one."""
        ...

    async def approve(self, request: ChangeRequest) -> PurchaseOrder:
        """Approve a waiting order and send it. Its creator may not (Refused)."""
        ...

    async def reject(self, request: ChangeRequest) -> PurchaseOrder:
        """Reject a waiting order; the need is open again."""
        ...

    async def cancel(self, request: ChangeRequest) -> PurchaseOrder:
        """Cancel an order of which nothing came; the need is open again."""
        ...

    async def send(self, request: ChangeRequest) -> PurchaseOrder:
        """Send an approved order: the order file is written to the outbox folder."""
        ...

    async def acknowledge(self, request: ChangeRequest) -> PurchaseOrder:
        """Record that the supplier confirmed."""
        ...

    async def receive(self, request: ReceiveRequest) -> PurchaseOrder:
        """Record goods that arrived; stock rises when inventory hears of it."""
        ...

    async def close(self, request: ChangeRequest) -> PurchaseOrder:
        """Close an order: what did not come is a need again."""
        ...

    async def order(self, request: OrderRequest) -> PurchaseOrder:
        """Give one order. Raises NotFound."""
        ...

    async def order_by_key(self, request: ByKeyRequest) -> PurchaseOrder | None:
        """Give the order, as it was created, that an idempotency key made."""
        ...

    async def orders(self, request: OrdersRequest) -> list[PurchaseOrder]:
        """Give a page of orders."""
        ...

    async def history(self, request: OrderRequest) -> list[OrderEvent]:
        """Give everything that happened to an order, oldest first."""
        ...

    async def revision(self) -> int:
        """Give a number that grows whenever supply changes."""
        ...


def _change(name: str, summary: str, permission: Permission = Permission.BUY) -> Operation:
    path = f"/api/v1/purchase-orders/{{po_id}}/{name}"
    return Operation(f"purchasing.{name}", ChangeRequest, PurchaseOrder, "POST", path, summary, permission, writes=True)


OPERATIONS = (
    Operation(
        "purchasing.orders",
        OrdersRequest,
        list[PurchaseOrder],
        "GET",
        "/api/v1/purchase-orders",
        "Purchase orders, newest first",
    ),
    Operation(
        "purchasing.order",
        OrderRequest,
        PurchaseOrder,
        "GET",
        "/api/v1/purchase-orders/{po_id}",
        "One purchase order with its lines",
    ),
    Operation(
        "purchasing.history",
        OrderRequest,
        list[OrderEvent],
        "GET",
        "/api/v1/purchase-orders/{po_id}/events",
        "What happened to an order",
    ),
    _change("approve", "Approve a waiting order and send it", Permission.APPROVE),
    _change("reject", "Reject a waiting order", Permission.APPROVE),
    _change("cancel", "Cancel an order"),
    _change("send", "Send an approved order"),
    _change("acknowledge", "Record the supplier's confirmation"),
    _change("close", "Close an order; what did not come is a need again"),
    Operation(
        "purchasing.receive",
        ReceiveRequest,
        PurchaseOrder,
        "POST",
        "/api/v1/purchase-orders/{po_id}/receive",
        "Record goods that arrived",
        Permission.BUY,
        writes=True,
    ),
    Operation(
        "purchasing.plans",
        PlansRequest,
        PlanFrame,
        "POST",
        "/api/v1/purchase-orders/plans/query",
        "Ordered totals of many products",
    ),
    Operation(
        "purchasing.covering",
        CoverRequest,
        CoverFrame,
        "POST",
        "/api/v1/purchase-orders/covering/query",
        "The open orders that cover products",
    ),
)
