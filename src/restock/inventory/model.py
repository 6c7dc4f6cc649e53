"""Stock and what may happen to it. Pure: quantities of `Stock` are whole millionths (`restock.core.quantity`).

A reservation takes what is available; what is missing becomes a backorder, so available stock never goes below zero and
nothing promised is forgotten. A receipt serves backorders first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from restock.core.defaults import DEFAULT_UNIT, DEFAULT_WAREHOUSE
from restock.core.errors import InvalidInput
from restock.core.quantity import ONE, decimal, not_negative, plain
from restock.core.text import name

LOW_STOCK = 10 * ONE
"""Below this many available, a stock event is labelled LowStock, as published. It labels; it triggers nothing."""


IN_STOCK, RESERVED, LOW, OUT = "InStock", "Reserved", "LowStock", "OutOfStock"
"""The published labels of stock; an order that leaves enough is told as Reserved."""

Place = tuple[str, str]
"""Product and warehouse."""


@dataclass(frozen=True)
class Item:
    """A product: what it is, the unit it is counted in, the stock kept against surprises."""

    product_id: str
    description: str = ""
    stock_unit: str = DEFAULT_UNIT
    safety_stock: Decimal = Decimal(0)


@dataclass(frozen=True)
class StockCount:
    """What was found on the shelf, and how much of it is promised."""

    product_id: str
    on_hand: Decimal
    reserved: Decimal = Decimal(0)
    warehouse_id: str = DEFAULT_WAREHOUSE


class Stock(NamedTuple):
    """Stock of one product in one warehouse. `version` counts its changes; `received_total` is all ever received."""

    on_hand: int
    reserved: int = 0
    backordered: int = 0
    received_total: int = 0
    version: int = 0

    @property
    def available(self) -> int:
        """What can still be promised; never below 0."""
        return self.on_hand - self.reserved

    def reserve(self, quantity: int) -> Stock:
        """Promise the quantity: what is available now, the rest from a later receipt."""
        on_hand, reserved, backordered, received_total, version = self
        left = on_hand - reserved
        taken = quantity if quantity <= left else left
        now = (on_hand, reserved + taken, backordered + quantity - taken, received_total, version + 1)
        return tuple.__new__(Stock, now)  # what `Stock` itself does, at a third of the price: replays reserve thousands

    def receive(self, quantity: int) -> Stock:
        """Put goods on the shelf; backorders are served first."""
        served = min(quantity + self.available, self.backordered)
        return Stock(
            self.on_hand + quantity,
            self.reserved + served,
            self.backordered - served,
            self.received_total + quantity,
            self.version + 1,
        )

    def count(self, on_hand: int, reserved: int) -> Stock:  # type: ignore[override]  # nobody counts a member of a tuple
        """Replace what is believed by what was counted."""
        return Stock(on_hand, reserved, self.backordered, self.received_total, self.version + 1)

    @property
    def status(self) -> str:
        """The published label of this stock."""
        left = self.on_hand - self.reserved
        if left == 0:
            return OUT
        return LOW if left < LOW_STOCK else IN_STOCK


def item(row: Mapping[str, object]) -> Item:
    """Read a product from named values. Raises InvalidInput naming the field."""
    return Item(
        name(row.get("product_id"), "product_id"),
        str(row.get("description") or ""),
        name(row.get("stock_unit") or DEFAULT_UNIT, "stock_unit"),
        not_negative(row.get("safety_stock") or 0, "safety_stock"),
    )


def checked_item(one: Item) -> Item:
    """Give back a product that can be stored as it is. Raises InvalidInput naming the field."""
    return item(vars(one))


def stock_count(row: Mapping[str, object]) -> StockCount:
    """Read a count from named values. Raises InvalidInput naming the field."""
    return checked_count(
        StockCount(
            name(row.get("product_id"), "product_id"),
            not_negative(row.get("on_hand"), "on_hand"),
            _given(row, "reserved"),
            name(row.get("warehouse_id") or DEFAULT_WAREHOUSE, "warehouse_id"),
        )
    )


def checked_count(one: StockCount) -> StockCount:
    """Give back a count that stock can have. Raises InvalidInput naming the field."""
    on_hand, reserved = not_negative(one.on_hand, "on_hand"), not_negative(one.reserved, "reserved")
    if reserved > on_hand:
        raise InvalidInput(
            f"{plain(reserved)} reserved is more than {plain(on_hand)} on hand.",
            field="reserved",
            remedy="What is promised beyond the stock is a backorder.",
        )
    return one


def _given(row: Mapping[str, object], field: str) -> Decimal:
    value = row.get(field)
    return Decimal(0) if value is None or value == "" else decimal(value, field)
