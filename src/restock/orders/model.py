"""Customer orders and demand. Pure values, checked when they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from restock.core.errors import InvalidInput
from restock.core.quantity import MAX_NUMBER, ONE, not_negative, plain, positive, round_half_up, to_scaled
from restock.core.text import name

MAX_ITEMS = 1000
"""Items of one order: with names of full length its event stays below the 1 MiB of a stream message."""

MAX_ADDRESS = 1000
"""Characters of a shipping address."""

AMOUNT_DECIMALS = 2
"""An amount of money is rounded half-up to these, once per item."""

DEMAND_DECIMALS = 4
"""Demand per day is rounded half-up to these, once."""

CREATED = "created"
"""The status of an order that was accepted."""

MAX_CENTS = int(MAX_NUMBER) * 10**AMOUNT_DECIMALS
SCALED_CENT = ONE // 10**AMOUNT_DECIMALS
"""A cent in whole millionths."""
_CENT = ONE * ONE // 10**AMOUNT_DECIMALS
"""A cent in the unit of a product of two scaled numbers."""
_HALF_CENT = _CENT // 2

CHECKED_VALUES = 1 << 16
"""Customers, items and totals that are remembered: a shop sells the same products at the same prices all day."""


class Trend(StrEnum):
    """Where demand goes."""

    INCREASING = "increasing"
    STABLE = "stable"
    DECREASING = "decreasing"


class Source(StrEnum):
    """Where a demand comes from: a person or file said so, or it was computed from imported history."""

    STATED = "stated"
    HISTORY = "history"


@dataclass(frozen=True)
class OrderItem:
    """One product of an order; quantity in stock units, price per stock unit."""

    sku: str
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True)
class NewOrder:
    """What a customer asks for. The same idempotency key gives the same order, however often it is sent."""

    customer_id: str
    items: list[OrderItem]
    shipping_address: str | None = None
    idempotency_key: str = ""


Kept = TypeVar("Kept")
"""What is kept of an item that was checked."""


class CheckedOrder(NamedTuple, Generic[Kept]):
    """An order that may be accepted: names trimmed, numbers plain, the total exact, in cents."""

    customer_id: str
    items: list[Kept]
    cents: int
    shipping_address: str | None

    @property
    def total_amount(self) -> Decimal:
        """The total as money."""
        return _money(self.cents)


@dataclass(frozen=True)
class Demand:
    """How much of a product is sold per day, and where that goes.

    `window_days` and `as_of` tell which days it was computed from: that many days before `as_of`; 0 and empty when stated.
    """

    product_id: str
    demand_per_day: Decimal
    trend: str = Trend.STABLE
    window_days: int = 0
    as_of: str = ""
    source: str = Source.STATED


def checked(order: NewOrder, line: Callable[[str, Decimal, Decimal], tuple[Kept, int]]) -> CheckedOrder[Kept]:
    """Check an order and total it: each item rounded half-up to cents, the total their sum.

    `line` is `checked_line` or something over it: it gives what is kept of an item, and its cents. Raises InvalidInput that
    names the field, for example `items[2].quantity`.
    """
    known = isinstance(order.customer_id, str)
    customer_id = _customer(order.customer_id) if known else name(order.customer_id, "customer_id")
    if not isinstance(order.items, list) or not 0 < len(order.items) <= MAX_ITEMS:
        raise InvalidInput(f"An order has 1 to {MAX_ITEMS} items.", field="items")
    kept: list[Kept] = []
    cents = 0
    try:
        for item in order.items:
            right, amount = line(item.sku, item.quantity, item.price)
            kept.append(right)
            cents += amount
    except InvalidInput as error:
        raise InvalidInput(error.what, remedy=error.remedy, field=f"items[{len(kept)}].{error.field}") from None
    if cents > MAX_CENTS:
        raise InvalidInput("The total is too large.", field="items", remedy=f"The limit is {plain(MAX_NUMBER)}.")
    return CheckedOrder(customer_id, kept, cents, _address(order.shipping_address))


def checked_line(sku: str, quantity: Decimal, price: Decimal) -> tuple[OrderItem, int]:
    """Give the item with a trimmed name and plain numbers, and its amount in cents, rounded half-up.

    Raises InvalidInput, or TypeError for a value that cannot be remembered: `wrong_line` then says what is wrong.
    """
    counted, scaled_quantity = _quantity(quantity)
    priced, scaled_price = _price(price)
    return OrderItem(_sku(sku), counted, priced), (scaled_quantity * scaled_price + _HALF_CENT) // _CENT


def wrong_line(sku: object, quantity: object, price: object) -> InvalidInput:
    """Say what is wrong with a line of which a value is neither text nor number."""
    try:
        name(sku, "sku")
        positive(quantity, "quantity")
        not_negative(price, "price")
    except InvalidInput as error:
        return error
    return InvalidInput("is not an item.", field="sku")


def demand(row: Mapping[str, object]) -> Demand:
    """Read a stated demand from named values. Raises InvalidInput naming the field."""
    per_day = not_negative(row.get("demand_per_day"), "demand_per_day")
    if per_day != round_half_up(per_day, DEMAND_DECIMALS):
        raise InvalidInput(f"{per_day} has more than {DEMAND_DECIMALS} decimals.", field="demand_per_day")
    trend = str(row.get("trend") or Trend.STABLE).strip().lower()
    if trend not in set(Trend):
        raise InvalidInput(f"{trend!r} is not a trend.", field="trend", remedy=f"Give one of {', '.join(Trend)}.")
    return Demand(name(row.get("product_id"), "product_id"), plain(per_day), trend)


def stated(given: Demand) -> Demand:
    """Check a demand that somebody states; whatever it says of window and source, it is a stated one."""
    read = demand(
        {"product_id": given.product_id, "demand_per_day": given.demand_per_day, "trend": given.trend},
    )
    return replace(read, source=Source.STATED)


@lru_cache(CHECKED_VALUES)
def _customer(value: str) -> str:
    return _written(name(value, "customer_id"), "customer_id")


@lru_cache(CHECKED_VALUES)
def _sku(value: str) -> str:
    return _written(name(value, "sku"), "sku")


@lru_cache(CHECKED_VALUES, typed=True)
def _quantity(value: Decimal) -> tuple[Decimal, int]:
    right = plain(positive(value, "quantity"))
    return right, to_scaled(right)


@lru_cache(CHECKED_VALUES, typed=True)
def _price(value: Decimal) -> tuple[Decimal, int]:
    right = plain(not_negative(value, "price"))
    return right, to_scaled(right)


@lru_cache(CHECKED_VALUES)
def _money(cents: int) -> Decimal:
    return plain(Decimal(cents).scaleb(-AMOUNT_DECIMALS))


def _address(value: str | None) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_ADDRESS or "\0" in value:
        raise InvalidInput(f"is not a text of at most {MAX_ADDRESS} characters.", field="shipping_address")
    return _written(value, "shipping_address")


def _written(text: str, field: str) -> str:
    """Give back a text that can be written as UTF-8; half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{text!r} is not Unicode text.", field=field) from None
    return text
