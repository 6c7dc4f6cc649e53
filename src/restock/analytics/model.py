"""What events add to the figures. Pure; amounts and quantities in whole millionths, moments as RFC 3339 text in UTC.

A window is a minute, an hour or a day of event time: the moment at which the customer ordered, not the moment at which the
event was read. Events of one partition come in order, so lateness is measured against the newest order of the same
partition: it is the same however partitions take turns, and in every replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Protocol, SupportsBytes, TypeVar

from restock.core.clock import moment, timestamp
from restock.core.errors import InvalidInput
from restock.core.quantity import SCALE, not_negative, positive, to_scaled

GROUP = "analytics"
"""Under which name the position stands in the stream."""

ORDERS, STOCK, ORDERED, LATE, BEYOND = "orders", "stock_events", "purchase_orders", "late", "beyond"
"""Kinds of tallies: customer orders, stock events by status, purchase orders by currency, late orders, and those of them
that came when their minute was no longer kept."""

LATE_AFTER = timedelta(minutes=1)
"""An order that is older than the newest one of its partition by more than this is late: two requests that are accepted
side by side lie a few seconds apart at most."""

MINUTES_KEPT = timedelta(days=7)
"""How long before the newest order windows of a minute are kept: a week of 10,080 rows answers what happened last night and
what the same hour was like a week ago. Hours and days are kept for ever: 8,800 rows a year."""

AHEAD_AT_MOST = timedelta(days=1)
"""An order whose moment lies further ahead of the moment at which it was stored is counted where it says, but makes no other
order late and no minute old: one wrong clock must not empty the windows."""

MINUTE, HOUR, DAY = "minute", "hour", "day"
WINDOWS = {MINUTE: 16, HOUR: 13, DAY: 10}
"""The sizes of windows, and how many characters of a moment name one."""

FIRST_YEAR = 1970
"""No order is older: a moment before it is a mistake of whoever wrote it."""

_MOMENT = 27
"""Characters of a moment with microseconds, which sorts as text."""

_USUAL = 12
"""Digits before the point of nearly every number; one with more is looked at."""

_LONGEST = 64
"""Characters of a number: one that may be stored has 19 digits."""

_REMEMBERED = 1 << 16
"""Numbers whose reading is remembered: prices and quantities of a shop repeat."""


class Item(Protocol):
    """One line of an order."""

    @property
    def sku(self) -> str:
        """The product."""
        ...

    @property
    def quantity(self) -> int | Decimal:
        """How much of it."""
        ...


class Order(Protocol):
    """The data of OrderPlaced, as far as a figure needs it."""

    @property
    def order_id(self) -> str:
        """Its number."""
        ...

    @property
    def customer_id(self) -> str:
        """Who ordered."""
        ...

    @property
    def items(self) -> Sequence[Item]:
        """Its lines."""
        ...

    @property
    def total_amount(self) -> SupportsBytes:
        """The JSON number of its total."""
        ...

    @property
    def created_at(self) -> str:
        """When the customer ordered."""
        ...


T = TypeVar("T", bound=bytes | int | Decimal)

Sums = list[int]
"""Orders and their amount; of a window also how many of them came late."""


@dataclass
class Additions:
    """Counts and sums to add: by customer, by product, by (kind, label), by minute; and the newest order of all."""

    customers: dict[str, Sums] = field(default_factory=dict)
    products: dict[str, Sums] = field(default_factory=dict)
    tallies: dict[tuple[str, str], Sums] = field(default_factory=dict)
    minutes: dict[str, Sums] = field(default_factory=dict)
    last_order: tuple[str, str] = ("", "")

    def tally(self, kind: str, label: str, amount: int, count: int = 1) -> None:
        """Count some of a kind and add their amount."""
        entry = self.tallies.setdefault((kind, label), [0, 0])
        entry[0] += count
        entry[1] += amount

    def windows(self) -> dict[tuple[str, str], Sums]:
        """Give what to add to each window of each size, by size and start."""
        sums: dict[tuple[str, str], Sums] = {}
        for size, length in WINDOWS.items():
            for minute, added in self.minutes.items():
                one = sums.setdefault((size, minute[:length]), [0, 0, 0])
                for at, number in enumerate(added):
                    one[at] += number
        return sums


class Numbers(dict[T, int]):
    """Numbers as whole millionths; one met before is not read again. Raises what `read` raises."""

    def __init__(self, read: Callable[[T], int]) -> None:
        super().__init__()
        self._read: Callable[[T], int] = read

    def __missing__(self, number: T) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[number] = scaled = self._read(number)
        return scaled


def _read_amount(text: bytes) -> int:
    whole, _, fraction = text.partition(b".")
    if len(fraction) <= SCALE and len(whole) <= _USUAL and (whole + fraction).isdigit() and whole:
        return int(whole + fraction.ljust(SCALE, b"0"))
    shown = text[:_LONGEST].decode(errors="replace")
    if len(text) > _LONGEST:
        raise InvalidInput(f"{shown}… is not a number.")
    return to_scaled(not_negative(shown.strip('"')))


def _read_quantity(number: int | Decimal) -> int:
    return to_scaled(positive(number, "quantity"))


_amounts = Numbers(_read_amount)
"""By their JSON. What inventory and orders refuse is refused here too: figures and stock tell of the same orders."""

_quantities = Numbers(_read_quantity)


class Partition:
    """Counts the orders of one partition in their order. `newest` is the latest moment of an order so far."""

    def __init__(self, added: Additions, newest: str) -> None:
        self.newest = newest
        self._added = added

    def count(self, orders: Iterable[tuple[Order, str]]) -> None:
        """Add orders, each with the moment at which the stream stored it. Raises InvalidInput, TypeError.

        Most orders of a partition follow one another within one minute, so what is known of a minute is added at its end.
        """
        customers, last, last_id = self._added.customers, *self._added.last_order
        newest, latest = self.newest, self.newest[:16]
        minute, stored, limit = "", "", ""
        number = revenue = number_before = revenue_before = 0
        for order, stored_at in orders:
            created = order.created_at
            if created[:16] != minute or created[26:] != "Z":
                self._end_minute(minute, number - number_before, revenue - revenue_before)
                number_before, revenue_before = number, revenue
                created = event_time(created)
                minute = created[:16]
            total = _amounts[bytes(order.total_amount)]
            if created > newest:
                if stored_at is not stored:
                    stored, limit = stored_at, _ahead(stored_at)
                if created <= limit:
                    newest, latest = created, minute
            elif minute < latest:
                self._late(minute, created, newest, total)
            number += 1
            revenue += total
            customer = customers.get(order.customer_id)
            if customer is None:
                customers[order.customer_id] = [1, total]
            else:
                customer[0] += 1
                customer[1] += total
            if created >= last and (created > last or order.order_id > last_id):
                last, last_id = created, order.order_id
        self._end_minute(minute, number - number_before, revenue - revenue_before)
        self.newest, self._added.last_order = newest, (last, last_id)
        if number:
            self._added.tally(ORDERS, "", revenue, number)

    def _end_minute(self, minute: str, orders: int, total: int) -> None:
        if orders:
            window = self._added.minutes.setdefault(minute, [0, 0, 0])
            window[0] += orders
            window[1] += total

    def _late(self, minute: str, created: str, newest: str, total: int) -> None:
        late, beyond = _bounds(newest)
        if created < late:
            self._added.minutes.setdefault(minute, [0, 0, 0])[2] += 1
            self._added.tally(LATE, "", total)
            if minute < beyond:
                self._added.tally(BEYOND, "", total)


def count_items(added: Additions, orders: Iterable[Sequence[Item]]) -> None:
    """Add the lines of orders to the products. Raises InvalidInput, TypeError."""
    products = added.products
    for items in orders:
        for item in items:
            quantity = _quantities[item.quantity]
            product = products.get(item.sku)
            if product is None:
                products[item.sku] = [1, quantity]
            else:
                product[0] += 1
                product[1] += quantity
        if len(items) > 1:
            names = {item.sku for item in items}
            if len(names) != len(items):  # a product that stands twice in an order is in one order all the same
                for item in items:
                    products[item.sku][0] -= 1
                for name in names:
                    products[name][0] += 1


def amount(number: SupportsBytes) -> int:
    """Give a JSON number in whole millionths. Raises InvalidInput."""
    return _amounts[bytes(number)]


def check(order: Order) -> None:
    """Look at everything that will be counted. Raises InvalidInput."""
    amount(order.total_amount)
    for item in order.items:
        positive(item.quantity, "quantity")
    event_time(order.created_at)


def event_time(text: str) -> str:
    """Give a moment in the one form that sorts as text. Raises InvalidInput."""
    try:
        if len(text) == _MOMENT and text[-1] == "Z" and _minute(text[:16]):
            return text
        read = moment(text)
        if read.tzinfo is None or read.year < FIRST_YEAR:
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text[:64]!r} is not a moment with a time zone.", field="data.created_at") from error
    return timestamp(read)


def first_minute_kept(newest: str) -> str:
    """Give the oldest minute that is kept beside an order of this moment; empty when there is none."""
    return _bounds(newest)[1] if newest else ""


@lru_cache(1024)
def _minute(text: str) -> bool:
    """Tell that a text names a minute. Raises ValueError."""
    if moment(text).year < FIRST_YEAR:
        raise ValueError
    return True


@lru_cache(1024)
def _bounds(newest: str) -> tuple[str, str]:
    """Give the moment before which an order is late beside the newest, and the first minute that is kept."""
    latest = moment(newest)
    return timestamp(latest - LATE_AFTER), timestamp(latest - MINUTES_KEPT)[:16]


@lru_cache(1024)
def _ahead(stored_at: str) -> str:
    """Give the latest moment that an order stored then may say and be believed."""
    return timestamp(moment(stored_at) + AHEAD_AT_MOST)
