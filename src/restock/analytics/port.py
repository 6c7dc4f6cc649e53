"""What the analytics context promises."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from restock.core.operation import Operation


@dataclass(frozen=True)
class FiguresRequest:
    """How many of the top customers and products."""

    top: int = 5


@dataclass(frozen=True)
class TopCustomer:
    """A customer by revenue."""

    customer_id: str
    orders: int
    revenue: Decimal


@dataclass(frozen=True)
class TopProduct:
    """A product by quantity sold, in its stock unit."""

    sku: str
    orders: int
    quantity: Decimal


@dataclass(frozen=True)
class Money:
    """Purchase orders in one currency and their grand total."""

    currency: str
    orders: int
    amount: Decimal


@dataclass(frozen=True)
class Figures:
    """The figures as of the last event consumed. `stock_events` counts by status."""

    orders: int
    revenue: Decimal
    average_order_value: Decimal
    unique_customers: int
    top_customers: list[TopCustomer]
    top_products: list[TopProduct]
    stock_events: dict[str, int]
    purchase_orders: list[Money]


class Analytics(Protocol):
    """Knows the figures."""

    async def figures(self, request: FiguresRequest) -> Figures:
        """Give the figures: exact, each event counted once, whatever crashes or repeats."""
        ...


OPERATIONS = (Operation("analytics.figures", FiguresRequest, Figures, "GET", "/api/v1/figures", "Live figures"),)
