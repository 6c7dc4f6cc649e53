"""Keeps the promise of the analytics port on a database."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

from restock.analytics import store
from restock.analytics.model import BEYOND, LATE, ORDERED, ORDERS, STOCK, WINDOWS
from restock.analytics.port import (
    Figures,
    FiguresRequest,
    LastOrder,
    Late,
    Money,
    TopCustomer,
    TopProduct,
    Window,
    WindowsRequest,
)
from restock.core.clock import moment, timestamp
from restock.core.errors import InvalidInput
from restock.core.quantity import from_scaled, plain, round_half_up
from restock.engine.database import Database

MAX_TOP = 100

MAX_WINDOWS = 1000
"""Windows in one answer: sixteen hours of minutes, 100 KB."""

_REST = "0000-00-00T00:00:00Z"
"""What completes the start of a window to a moment."""

_SECONDS = 19
_NO_FRACTION = ".000000Z"


class AnalyticsService:
    """The analytics context over analytics_db."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def figures(self, request: FiguresRequest) -> Figures:
        """Give the figures as of the last event consumed."""
        if not 1 <= request.top <= MAX_TOP:
            raise InvalidInput(f"{request.top} is not 1 to {MAX_TOP}.", field="top")
        tallies = await store.tallies(self._database)
        sums = {kind: (n, amount) for kind, label, n, amount in tallies if not label}
        orders, revenue = sums.get(ORDERS, (0, 0))
        late, late_revenue = sums.get(LATE, (0, 0))
        at, order_id = await store.last_order(self._database)
        return Figures(
            orders=orders,
            revenue=from_scaled(revenue),
            average_order_value=_average(revenue, orders),
            unique_customers=await store.customers(self._database),
            top_customers=[
                TopCustomer(name, n, from_scaled(amount))
                for name, n, amount in await store.top_customers(self._database, request.top)
            ],
            top_products=[
                TopProduct(sku, n, from_scaled(quantity))
                for sku, n, quantity in await store.top_products(self._database, request.top)
            ],
            stock_events={label: n for kind, label, n, _ in tallies if kind == STOCK},
            purchase_orders=[Money(label, n, from_scaled(a)) for kind, label, n, a in tallies if kind == ORDERED],
            late=Late(late, from_scaled(late_revenue), sums.get(BEYOND, (0, 0))[0]),
            last_order=LastOrder(order_id, at),
            events=sum(n for kind, _, n, _ in tallies if kind in (ORDERS, STOCK, ORDERED)),
            topics=sorted({topic for topic, _ in await store.reaches(self._database)}),
        )

    async def windows(self, request: WindowsRequest) -> list[Window]:
        """Give the windows in which something was ordered, newest first."""
        length = WINDOWS.get(request.size)
        if length is None:
            raise InvalidInput(
                f"{request.size!r} is no size of a window.", field="size", remedy=f"Give {', '.join(WINDOWS)}."
            )
        if not 1 <= request.limit <= MAX_WINDOWS:
            raise InvalidInput(f"{request.limit} is not 1 to {MAX_WINDOWS}.", field="limit")
        since = _moment(request.from_, "from")[:length]
        until = _end(request.to, length)
        found = await store.windows(self._database, request.size, since, until, request.limit)
        return [
            Window(start + _REST[len(start) :], n, from_scaled(amount), _average(amount, n), late)
            for start, n, amount, late in found
        ]

    async def revision(self) -> int:
        """Give a number that is another once anything was counted."""
        return await self._database.changes()


def _average(revenue: int, orders: int) -> Decimal:
    return plain(round_half_up(from_scaled(revenue) / orders, 2)) if orders else Decimal(0)


def _moment(text: str, field: str) -> str:
    """Read a day or a moment; empty stays empty."""
    if not text:
        return ""
    try:
        read = moment(text)
        return timestamp(read if read.tzinfo else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text[:64]!r} is no moment.", field=field, remedy="Write it like 2026-01-31 or 2026-01-31T08:00:00Z."
        ) from None


def _end(text: str, length: int) -> str:
    """Give the text before which windows start: one that starts at the moment itself is not wanted, one before it is."""
    to = _moment(text, "to")
    if not to:
        return "~"
    start = to[:length]
    return start if start + _REST[length:] == to[:_SECONDS] + "Z" and to[_SECONDS:] == _NO_FRACTION else start + "~"
