"""What the tests of analytics share: orders as events, a stream of their own, and the figures computed straight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.analytics.consumer import FiguresConsumer
from restock.analytics.model import AHEAD_AT_MOST, LATE_AFTER, MINUTES_KEPT
from restock.analytics.port import Figures, FiguresRequest, Window, WindowsRequest
from restock.analytics.service import AnalyticsService
from restock.analytics.store import SCHEMA
from restock.core.clock import SimulatedClock, moment, timestamp
from restock.core.event import Event
from restock.core.quantity import plain, round_half_up
from restock.engine.stream import SCHEMA as STREAM_SCHEMA
from restock.engine.stream import EmbeddedLog, Message, encode, partition_for

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
PARTITIONS = 3
D = Decimal
AHEAD = timestamp(START + AHEAD_AT_MOST)
"""The stream stores everything at `START`; a moment after this is not believed."""


@dataclass(frozen=True)
class Sold:
    """An order as the tests think of it."""

    number: int
    customer: str
    seconds: int
    """Its moment after `START`; may lie before that of an order published earlier."""
    lines: tuple[tuple[str, D, D], ...]
    event_id: str

    @property
    def total(self) -> D:
        return sum((quantity * price for _, quantity, price in self.lines), D(0))

    @property
    def created_at(self) -> str:
        return timestamp(START + timedelta(seconds=self.seconds))

    def event(self, topic: str) -> Event:
        data = {
            "order_id": f"ORD-{self.number:08X}",
            "customer_id": self.customer,
            "items": [{"sku": sku, "quantity": quantity, "price": price} for sku, quantity, price in self.lines],
            "total_amount": self.total,
            "shipping_address": None,
            "status": "created",
            "created_at": self.created_at,
        }
        return Event(self.event_id, "OrderPlaced", topic, self.customer, self.created_at, data)


class Shop:
    """A stream and the analytics that count it."""

    def __init__(self, home: Path) -> None:
        self.databases = EmbeddedDatabases(home, {"stream": [STREAM_SCHEMA], "analytics": [SCHEMA]})
        self.clock = SimulatedClock(START)
        self.log = EmbeddedLog(self.databases["stream"], self.clock, FilePresence(home))
        self.service = AnalyticsService(self.databases["analytics"])

    async def close(self) -> None:
        await self.databases.close()

    def consumer(self, topic: str = "orders") -> FiguresConsumer:
        return FiguresConsumer(self.log, [topic], self.databases["analytics"])

    async def publish(self, *events: Event) -> None:
        await self.log.publish([Message(one.topic, one.key, encode(one), {"event-id": one.event_id}) for one in events])

    async def figures(self) -> Figures:
        return await self.service.figures(FiguresRequest(100))

    async def windows(self, size: str) -> list[Window]:
        return await self.service.windows(WindowsRequest(size, limit=1000))

    async def everything(self) -> tuple[object, ...]:
        return await self.figures(), *[await self.windows(size) for size in ("minute", "hour", "day")]


def straight(published: Sequence[Sold]) -> tuple[object, ...]:
    """Compute what `Shop.everything` must give, from the orders in the order in which each first came."""
    first: dict[str, Sold] = {}
    for order in published:
        first.setdefault(order.event_id, order)
    orders = list(first.values())
    newest: dict[int, str] = defaultdict(str)
    late, beyond = set(), set()
    for order in orders:
        part = partition_for(order.customer, PARTITIONS)
        if order.created_at <= AHEAD:
            newest[part] = max(newest[part], order.created_at)
        at, latest = moment(order.created_at), moment(newest[part] or timestamp(START - timedelta(days=999)))
        if at < latest - LATE_AFTER:
            late.add(order.event_id)
            if timestamp(at)[:16] < timestamp(latest - MINUTES_KEPT)[:16]:
                beyond.add(order.event_id)
    latest_text = max(newest.values(), default="")
    kept = timestamp(moment(latest_text) - MINUTES_KEPT)[:16] if latest_text else ""
    customers: dict[str, list[D]] = defaultdict(list)
    products: dict[str, list[D]] = defaultdict(list)
    for order in orders:
        customers[order.customer].append(order.total)
        of_order: dict[str, D] = defaultdict(D)
        for sku, quantity, _ in order.lines:
            of_order[sku] += quantity
        for sku, quantity in of_order.items():
            products[sku].append(quantity)
    revenue = sum((order.total for order in orders), D(0))
    return (
        {
            "orders": len(orders),
            "revenue": revenue,
            "average_order_value": plain(round_half_up(revenue / len(orders), 2)) if orders else D(0),
            "unique_customers": len(customers),
            "top_customers": _ranked(customers),
            "top_products": _ranked(products),
            "late": (len(late), sum((one.total for one in orders if one.event_id in late), D(0)), len(beyond)),
            "last_order": max(((one.created_at, f"ORD-{one.number:08X}") for one in orders), default=("", "")),
            "events": len(orders),
        },
        *(_windows(orders, late, length, kept if length == 16 else "") for length in (16, 13, 10)),
    )


def told(everything: tuple[object, ...]) -> tuple[object, ...]:
    """Lay out what the program gives as `straight` does."""
    figures, *windows = everything
    assert isinstance(figures, Figures)
    return (
        {
            "orders": figures.orders,
            "revenue": figures.revenue,
            "average_order_value": figures.average_order_value,
            "unique_customers": figures.unique_customers,
            "top_customers": [(one.customer_id, one.orders, one.revenue) for one in figures.top_customers],
            "top_products": [(one.sku, one.orders, one.quantity) for one in figures.top_products],
            "late": (figures.late.orders, figures.late.revenue, figures.late.beyond),
            "last_order": (figures.last_order.created_at, figures.last_order.order_id),
            "events": figures.events,
        },
        *[[(one.start, one.orders, one.revenue, one.late) for one in each] for each in windows],  # type: ignore[attr-defined]
    )


def _ranked(sums: dict[str, list[D]]) -> list[tuple[str, int, D]]:
    rows = [(name, len(each), sum(each, D(0))) for name, each in sums.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))


def _windows(orders: Iterable[Sold], late: set[str], length: int, kept: str) -> list[tuple[str, int, D, int]]:
    found: dict[str, list[Sold]] = defaultdict(list)
    for order in orders:
        found[order.created_at[:length]].append(order)
    return [
        (
            start + "0000-00-00T00:00:00Z"[length:],
            len(each),
            sum((one.total for one in each), D(0)),
            sum(one.event_id in late for one in each),
        )
        for start, each in sorted(found.items(), reverse=True)
        if start >= kept
    ]
