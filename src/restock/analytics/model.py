"""What the events of a batch add to the figures. Pure; amounts and quantities in whole millionths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from restock.core.event import Event
from restock.core.quantity import decimal, to_scaled

K = TypeVar("K")

ORDERS, STOCK, ORDERED = "orders", "stock_events", "purchase_orders"
"""Kinds of tallies: customer orders, stock events by status, purchase orders by currency."""


TYPES = ("OrderPlaced", "StockReserved", "StockCounted", "StockReceived", "PurchaseOrderCreated")
"""The events that change a figure."""


@dataclass
class Additions:
    """Counts and sums to add: by customer, by product, and by (kind, label)."""

    customers: dict[str, list[int]] = field(default_factory=dict)
    products: dict[str, list[int]] = field(default_factory=dict)
    tallies: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def tally(self, kind: str, label: str, amount: int) -> None:
        """Count one of a kind and add its amount."""
        _add(self.tallies, (kind, label), amount)


def additions(events: Iterable[Event]) -> Additions:
    """Give what the events add. Types that no figure needs are passed over."""
    added = Additions()
    for event in events:
        if event.type == "OrderPlaced":
            _order(added, event.data)
        elif event.type.startswith("Stock"):
            added.tally(STOCK, str(event.data["status"]), 0)
        elif event.type == "PurchaseOrderCreated":
            added.tally(ORDERED, str(event.data["currency"]), to_scaled(decimal(event.data["grand_total"])))
    return added


def _order(added: Additions, data: Mapping[str, object]) -> None:
    total = to_scaled(decimal(data["total_amount"]))
    added.tally(ORDERS, "", total)
    _add(added.customers, str(data["customer_id"]), total)
    items = data["items"]
    assert isinstance(items, Sequence)
    quantities: Counter[str] = Counter()
    for item in items:
        quantities[str(item["sku"])] += to_scaled(decimal(item["quantity"]))
    for sku, quantity in quantities.items():
        _add(added.products, sku, quantity)


def _add(sums: dict[K, list[int]], key: K, amount: int) -> None:
    entry = sums.setdefault(key, [0, 0])
    entry[0] += 1
    entry[1] += amount
