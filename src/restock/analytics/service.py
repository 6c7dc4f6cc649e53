"""Keeps the promise of the analytics port on a database."""

from __future__ import annotations

from decimal import Decimal

from restock.analytics import store
from restock.analytics.model import ORDERED, ORDERS, STOCK
from restock.analytics.port import Figures, FiguresRequest, Money, TopCustomer, TopProduct
from restock.core.errors import InvalidInput
from restock.core.quantity import from_scaled, plain, round_half_up
from restock.engine.database import Database

MAX_TOP = 100


class AnalyticsService:
    """The analytics context over analytics_db."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def figures(self, request: FiguresRequest) -> Figures:
        """Give the figures as of the last event consumed."""
        if not 1 <= request.top <= MAX_TOP:
            raise InvalidInput(f"{request.top} is not 1 to {MAX_TOP}.", field="top")
        tallies = await store.tallies(self._database)
        orders, revenue = next(((n, amount) for kind, _, n, amount in tallies if kind == ORDERS), (0, 0))
        average = round_half_up(from_scaled(revenue) / orders, 2) if orders else Decimal(0)
        return Figures(
            orders=orders,
            revenue=from_scaled(revenue),
            average_order_value=plain(average),
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
        )
