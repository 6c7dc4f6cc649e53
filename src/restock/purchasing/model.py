"""The purchase order: its states, the moves between them, and how it is rebuilt from its events. Pure.

An order is what its events say. `apply` folds one event into it; the stored projection is the same fold, kept up to date in
the transaction that writes the event, and a rebuild must equal it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from restock.core.errors import Conflict
from restock.core.value import changed, value

TOPIC = "purchase-orders"
PARTITIONS = 4


class State(StrEnum):
    """Where an order stands."""

    DRAFT = "draft"
    PENDING_APPROVAL = "pending_approval"
    APPROVED = "approved"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    PARTLY_RECEIVED = "partly_received"
    RECEIVED = "received"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


OPEN = (
    State.DRAFT,
    State.PENDING_APPROVAL,
    State.APPROVED,
    State.SENT,
    State.ACKNOWLEDGED,
    State.PARTLY_RECEIVED,
)
"""States in which what is still to come counts as supply."""

ENDED = tuple(state for state in State if state not in OPEN)

MOVES: Mapping[str, tuple[State, ...]] = {
    "PurchaseOrderApproved": (State.DRAFT, State.PENDING_APPROVAL),
    "PurchaseOrderRejected": (State.DRAFT, State.PENDING_APPROVAL),
    "PurchaseOrderSent": (State.APPROVED,),
    "PurchaseOrderAcknowledged": (State.SENT,),
    "GoodsReceived": (State.SENT, State.ACKNOWLEDGED, State.PARTLY_RECEIVED),
    "PurchaseOrderClosed": (State.PARTLY_RECEIVED, State.RECEIVED),
    "PurchaseOrderCancelled": (State.DRAFT, State.PENDING_APPROVAL, State.APPROVED, State.SENT, State.ACKNOWLEDGED),
}
"""Which event is allowed in which states: the one table of moves."""

_AFTER = {
    "PurchaseOrderApproved": State.APPROVED,
    "PurchaseOrderRejected": State.REJECTED,
    "PurchaseOrderSent": State.SENT,
    "PurchaseOrderAcknowledged": State.ACKNOWLEDGED,
    "PurchaseOrderClosed": State.CLOSED,
    "PurchaseOrderCancelled": State.CANCELLED,
}

GIVES_BACK = ("PurchaseOrderRejected", "PurchaseOrderCancelled", "PurchaseOrderClosed")
"""Events after which what was not received is a need again."""


@value
class Line:
    """One product on an order. `quantity` and `received` are in the stock unit, the price per purchase unit.

    `plan_version` is the version of the product's plan row that this line satisfies: product, warehouse and version
    together are the need, and a need has one line.
    """

    line_no: int
    product_id: str
    warehouse_id: str
    plan_version: int
    quantity: Decimal
    purchase_quantity: Decimal
    purchase_unit: str
    unit_price: Decimal
    total_amount: Decimal
    decision_id: str = ""
    received: Decimal = Decimal(0)

    @property
    def to_come(self) -> Decimal:
        """What has not been received yet; never below 0."""
        return max(Decimal(0), self.quantity - self.received)


@value
class PurchaseOrder:
    """One document to one supplier, as its events left it. Amounts in `currency`; moments as RFC 3339 text."""

    po_id: str
    supplier_id: str
    supplier_name: str
    currency: str
    state: State
    lines: tuple[Line, ...]
    total_amount: Decimal
    discount_amount: Decimal
    tax_amount: Decimal
    grand_total: Decimal
    created_at: str
    created_by: str
    expected_on: str
    decision_id: str = ""
    run_id: str = ""
    approved_by: str = ""
    sent_at: str = ""
    send_method: str = ""
    version: int = 1


@value
class OrderEvent:
    """One thing that happened to an order: who, when, why, and the data that `apply` needs."""

    po_id: str
    version: int
    type: str
    at: str
    actor: str
    reason: str
    data: Mapping[str, object]


def allowed(order: PurchaseOrder, event_type: str) -> None:
    """Refuse an event that the order's state does not allow. Raises Conflict."""
    if order.state not in MOVES[event_type]:
        states = ", ".join(MOVES[event_type])
        raise Conflict(
            f"Purchase order {order.po_id} is {order.state}; this needs it to be {states}.",
            field="po_id",
            remedy=f"Look at it with `restock explain {order.po_id}`.",
        )


def apply(order: PurchaseOrder, event: OrderEvent) -> PurchaseOrder:
    """Give the order after the event. The event is a fact: it is not judged here."""
    if event.type == "GoodsReceived":
        return _received(order, event)
    state = _AFTER[event.type]
    if event.type == "PurchaseOrderApproved":
        return changed(order, version=event.version, state=state, approved_by=event.actor)
    if event.type == "PurchaseOrderSent":
        method = str(event.data["send_method"])
        return changed(order, version=event.version, state=state, sent_at=event.at, send_method=method)
    return changed(order, version=event.version, state=state)


def rebuilt(created: PurchaseOrder, events: Iterable[OrderEvent]) -> PurchaseOrder:
    """Give the order that a creation and the later events make."""
    order = created
    for event in events:
        order = apply(order, event)
    return order


def _received(order: PurchaseOrder, event: OrderEvent) -> PurchaseOrder:
    arrived = receipt_lines(event.data)
    lines = tuple(changed(line, received=line.received + arrived.get(line.line_no, Decimal(0))) for line in order.lines)
    complete = all(line.received >= line.quantity for line in lines)
    state = State.RECEIVED if complete else State.PARTLY_RECEIVED
    return changed(order, version=event.version, lines=lines, state=state)


def receipt_lines(data: Mapping[str, object]) -> dict[int, Decimal]:
    """Read from the data of a GoodsReceived event what arrived, by line number, in the stock unit."""
    rows = data["lines"]
    assert isinstance(rows, Sequence)
    return {int(row["line_no"]): Decimal(row["quantity"]) for row in rows}


def supply_change(before: PurchaseOrder, after: PurchaseOrder, event_type: str) -> dict[tuple[str, str], Decimal]:
    """Give by how much the ordered total of each product and warehouse changes with an event.

    The total counts what was ever ordered; on_order is that minus what was ever received. So an order that ends early
    gives back what did not come, and goods beyond the order are ordered by their receipt.
    """
    changes: dict[tuple[str, str], Decimal] = {}
    for old, new in zip(before.lines, after.lines, strict=True):
        change = Decimal(0)
        if event_type in GIVES_BACK:
            change = -old.to_come
        elif event_type == "GoodsReceived":
            change = max(new.received, new.quantity) - max(old.received, old.quantity)
        if change:
            place = (old.product_id, old.warehouse_id)
            changes[place] = changes.get(place, Decimal(0)) + change
    return changes
