"""What a new order tells the others: its creation what is ordered, its sending only that it was."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from restock.core import trace
from restock.core.quantity import plain
from restock.engine.stream import Waiting, encode_known
from restock.purchasing.model import TOPIC, PurchaseOrder

CREATED, SENT = "PurchaseOrderCreated", "PurchaseOrderSent"


class _Line(msgspec.Struct, gc=False):
    product_id: str
    quantity: Decimal
    total_amount: Decimal


class _Sent(msgspec.Struct, gc=False):
    po_id: str
    state: str
    supplier_id: str
    grand_total: Decimal
    currency: str


class _Created(_Sent, gc=False):
    lines: list[_Line]


def created(event_id: str, order: PurchaseOrder, causation_id: str) -> Waiting:
    """Give the event of a creation."""
    lines = [_Line(line.product_id, plain(line.quantity), plain(line.total_amount)) for line in order.lines]
    total = plain(order.grand_total)
    data = _Created(order.po_id, order.state.value, order.supplier_id, total, order.currency, lines)
    return _waiting(event_id, CREATED, order, data, causation_id)


def sent(event_id: str, order: PurchaseOrder, causation_id: str) -> Waiting:
    """Give the event of a sending."""
    total = plain(order.grand_total)
    data = _Sent(order.po_id, order.state.value, order.supplier_id, total, order.currency)
    return _waiting(event_id, SENT, order, data, causation_id)


def _waiting(event_id: str, kind: str, order: PurchaseOrder, data: _Sent, causation_id: str) -> Waiting:
    value = encode_known(event_id, kind, order.po_id, order.created_at, data, causation_id)
    return Waiting(event_id, TOPIC, order.po_id, value, trace.of(order.run_id, causation_id))
