"""Purchase orders as rows and back: the projection, and the events as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

import msgspec

from restock.core.quantity import from_scaled, to_scaled
from restock.engine.database import Row
from restock.purchasing.model import Line, OrderEvent, PurchaseOrder, State

ORDER_FIELDS = tuple(field.name for field in fields(PurchaseOrder) if field.name != "lines")
LINE_FIELDS = tuple(field.name for field in fields(Line))
EVENT_FIELDS = tuple(field.name for field in fields(OrderEvent))

_AMOUNTS = ("total_amount", "discount_amount", "tax_amount", "grand_total")
_NUMBERS = ("quantity", "purchase_quantity", "unit_price", "total_amount", "received")

_decode_order = msgspec.json.Decoder(PurchaseOrder).decode
_decode_data = msgspec.json.Decoder(dict[str, object]).decode
encode = msgspec.json.Encoder().encode
"""Decimals become text, so no reader can lose a digit."""


def order_row(order: PurchaseOrder) -> dict[str, object]:
    """Give the row of the projection."""
    row = dict(order.__dict__)
    del row["lines"]
    row["state"] = order.state.value
    for name in _AMOUNTS:
        row[name] = to_scaled(row[name])
    return row


def line_row(po_id: str, line: Line) -> dict[str, object]:
    """Give the row of one line."""
    row = dict(line.__dict__)
    row["po_id"] = po_id
    for name in _NUMBERS:
        row[name] = to_scaled(row[name])
    return row


def event_row(event: OrderEvent, order: PurchaseOrder | None = None) -> dict[str, object]:
    """Give the row of one event; a creation carries the whole order."""
    row = dict(event.__dict__)
    row["data"] = encode(order if order is not None else event.data).decode()
    return row


def orders_of(order_rows: Iterable[Row], line_rows: Iterable[Row]) -> list[PurchaseOrder]:
    """Give the orders of rows in the order of `ORDER_FIELDS` and `po_id` + `LINE_FIELDS`."""
    lines: dict[str, list[Line]] = {}
    for po_id, *values in line_rows:
        named = dict(zip(LINE_FIELDS, values, strict=True))
        for name in _NUMBERS:
            named[name] = from_scaled(named[name])
        lines.setdefault(po_id, []).append(Line(**named))
    orders = []
    for row in order_rows:
        named = dict(zip(ORDER_FIELDS, row, strict=True))
        for name in _AMOUNTS:
            named[name] = from_scaled(named[name])
        named["state"] = State(named["state"])
        orders.append(PurchaseOrder(lines=tuple(lines.get(named["po_id"], ())), **named))
    return orders


def created_order(data: str) -> PurchaseOrder:
    """Give the order that a creation made."""
    return _decode_order(data)


def events_of(rows: Sequence[Row]) -> list[OrderEvent]:
    """Give the events of rows in the order of `EVENT_FIELDS`."""
    return [
        OrderEvent(po_id, version, kind, at, actor, reason, _data(data))
        for po_id, version, kind, at, actor, reason, data in rows
    ]


def _data(text: str) -> Mapping[str, object]:
    return _decode_data(text)
