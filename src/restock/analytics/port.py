"""What the analytics context promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from restock.analytics.model import GROUP
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
class LastOrder:
    """The newest customer order by its own moment, not by when it was counted."""

    order_id: str = ""
    created_at: str = ""


@dataclass(frozen=True)
class Late:
    """Orders that came late: more than a minute older than the newest one of their partition (`LATE_AFTER`).

    They are in every total and in the windows of their moment. `beyond` of them came more than a week late (`MINUTES_KEPT`):
    their hour and day have them, their minute is no longer kept.
    """

    orders: int = 0
    revenue: Decimal = Decimal(0)
    beyond: int = 0


@dataclass(frozen=True)
class Figures:
    """The figures as of the last event consumed. `stock_events` counts by status; `events` is how many were counted.

    `group` and `topics` tell as whom and what analytics consumes; a topic is listed once something of it was counted.
    """

    orders: int
    revenue: Decimal
    average_order_value: Decimal
    unique_customers: int
    top_customers: list[TopCustomer]
    top_products: list[TopProduct]
    stock_events: dict[str, int]
    purchase_orders: list[Money]
    late: Late = Late()
    last_order: LastOrder = LastOrder()
    events: int = 0
    group: str = GROUP
    topics: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class WindowsRequest:
    """Which windows: minute, hour or day, from one moment up to, not including, another; newest first."""

    size: str = "minute"
    from_: str = ""
    to: str = ""
    limit: int = 60


@dataclass(frozen=True)
class Window:
    """What was ordered in one minute, hour or day (UTC), by the moment of the order. `late` of the orders came late."""

    start: str
    orders: int
    revenue: Decimal
    average_order_value: Decimal
    late: int


class Analytics(Protocol):
    """Knows the figures."""

    async def figures(self, request: FiguresRequest) -> Figures:
        """Give the figures: exact, each event counted once, whatever crashes or repeats."""
        ...

    async def windows(self, request: WindowsRequest) -> list[Window]:
        """Give the windows in which something was ordered, newest first. Raises InvalidInput naming the field.

        Windows of a minute are kept for a week before the newest order, hours and days for ever.
        """
        ...

    async def revision(self) -> int:
        """Give a number that is another once anything was counted."""
        ...


OPERATIONS = (
    Operation("analytics.figures", FiguresRequest, Figures, "GET", "/api/v1/figures", "Live figures"),
    Operation(
        "analytics.windows",
        WindowsRequest,
        list[Window],
        "GET",
        "/api/v1/figures/windows",
        "Orders and revenue by minute, hour or day",
    ),
)
