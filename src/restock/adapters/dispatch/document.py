"""A purchase order as JSON, for programs: what was agreed when it was sent, nothing that changes afterwards.

States and receipts are left out on purpose: the same order gives the same bytes whenever it is written.
"""

from __future__ import annotations

import msgspec

from restock.core.quantity import plain
from restock.purchasing.model import Line, PurchaseOrder

FORMAT = "restock/purchase-order/1"
"""Name and version of the document's shape; readers compare it."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def document(order: PurchaseOrder, buyer: str = "") -> bytes:
    """Give the order as one JSON object; numbers are plain decimal numbers. `buyer` is who orders."""
    return msgspec.json.format(
        _encode(
            {
                "format": FORMAT,
                "po_id": order.po_id,
                "buyer": {"name": buyer},
                "supplier": {"supplier_id": order.supplier_id, "name": order.supplier_name},
                "currency": order.currency,
                "created_at": order.created_at,
                "created_by": order.created_by,
                "approved_by": order.approved_by,
                "sent_at": order.sent_at,
                "send_method": order.send_method,
                "expected_on": order.expected_on,
                "lines": [_line(line) for line in order.lines],
                "total_amount": plain(order.total_amount),
                "discount_amount": plain(order.discount_amount),
                "tax_amount": plain(order.tax_amount),
                "grand_total": plain(order.grand_total),
                "decision_id": order.decision_id,
                "run_id": order.run_id,
            }
        ),
        indent=2,
    )


def _line(line: Line) -> dict[str, object]:
    return {
        "line_no": line.line_no,
        "product_id": line.product_id,
        "warehouse_id": line.warehouse_id,
        "quantity": plain(line.quantity),
        "purchase_quantity": plain(line.purchase_quantity),
        "purchase_unit": line.purchase_unit,
        "unit_price": plain(line.unit_price),
        "total": plain(line.total_amount),
        "decision_id": line.decision_id,
    }
