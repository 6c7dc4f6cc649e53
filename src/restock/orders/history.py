"""Imported history: what each line of a sales file is, and how demand follows from it.

**Every line is a sale, a return, or a reject with a reason.** For the export of the "Online Retail" shop (`retail_line`):

1. Quantity and price must be exact numbers, the date `YYYY-MM-DD` with or without a time (reasons `bad-number`, `bad-date`),
   invoice, code and customer must be names (`bad-name`).
2. A product code is five digits and at most two letters (`85123A`, `15056BL`). Codes that differ only in case are one
   product, written in upper case, and counted. What is no product is rejected: postage, charges, corrections, samples and
   vouchers as `service`; any other code, such as the DCGS codes of another sales channel, as `no-product`. These products
   have no stock and no supplier, so nothing could be bought for them.
3. An invoice that begins with C is a cancellation. With a quantity below 0 the line is a *return*; with another it is
   rejected (`bad-sign`). Any other invoice that is not a number is bookkeeping (`bookkeeping`).
4. A quantity below 0 without a cancellation is a count or damage written into the sales (`adjustment`), 0 is
   `zero-quantity`, a price below 0 is `negative-price`.
5. Price 0 with a customer is a gift: the goods left the shelf, so it is a *sale* over 0. Price 0 without a customer is
   stock found, moved or tested (`no-price`).
6. Everything else is a *sale*. A missing customer or description is allowed, demand needs neither, and is counted.

A file of other origin (`order_line`) has no such codes: a quantity above 0 is a sale, below 0 a return, 0 a reject.

**A line is known by its content** (`line_key`): kind, invoice, product, quantity, price, moment, customer, and its number
among the equal lines of its file, because shops sell the same thing twice on one invoice. So the same file again, or the
rest of a file after a crash, or two exports that overlap, add nothing twice.

**Demand per day** of a product with history (`computed`): the window is the N days before the stock date; the stock date
itself is not in it, because stock is counted before its sales. Sold minus returned in the window (a return counts on the
day it was booked), not below 0, divided by N: days without a sale count as 0, and so do days before the first sale.
Rounded half-up to 4 decimals, here and nowhere else.

**Trend**: net sales per day of the later half against the earlier half of the window (of an odd window the later half is
one day longer): more than 10 % above is increasing, more than 10 % below is decreasing, anything else is stable.
A demand that somebody stated is never replaced by a computed one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from restock.core.errors import InvalidInput
from restock.core.quantity import ONE, decimal, from_scaled, plain
from restock.core.text import name
from restock.orders.model import DEMAND_DECIMALS, Demand, Source, Trend

TREND_PERCENT = 10
"""Change between the halves of the window, in percent, from which demand is called increasing or decreasing."""

MAX_WINDOW_DAYS = 3650
"""Ten years: a longer window is a typing error."""

DIGEST_BYTES = 12
"""Of a line's content, behind its day: 96 bits, so that two lines of a day never share them by chance."""

KEY_LENGTH = 8 + 2 * DIGEST_BYTES

REMEMBERED = 1 << 16
"""Texts of numbers, dates and codes whose meaning is remembered: files repeat them all the time."""

SERVICES = {
    "POST": "postage",
    "DOT": "postage",
    "C2": "carriage",
    "M": "a manual correction",
    "D": "a discount",
    "S": "samples",
    "B": "bad debt",
    "PADS": "a note",
    "CRUK": "a commission",
    "AMAZONFEE": "a fee",
    "BANK CHARGES": "bank charges",
}
"""Codes of the shop, in upper case, that stand for something other than a product."""

VOUCHER = "GIFT_"
"""How codes of gift vouchers begin, in upper case."""

_PRODUCT = re.compile(r"[0-9]{5}[A-Z]{0,2}")
_NO_CUSTOMER = ""


class Kind(StrEnum):
    """What an accepted line is."""

    SALE = "sale"
    RETURN = "return"


class Reason(StrEnum):
    """Why a line is rejected."""

    BAD_NUMBER = "bad-number"
    BAD_DATE = "bad-date"
    BAD_NAME = "bad-name"
    SERVICE = "service"
    NO_PRODUCT = "no-product"
    BOOKKEEPING = "bookkeeping"
    BAD_SIGN = "bad-sign"
    ADJUSTMENT = "adjustment"
    ZERO_QUANTITY = "zero-quantity"
    NEGATIVE_PRICE = "negative-price"
    NO_PRICE = "no-price"


class HistoryLine(NamedTuple):
    """A sale or return. `moment` is the text of date and time, `day` its day; quantity is above 0 for both kinds."""

    kind: Kind
    product_id: str
    quantity: Decimal
    price: Decimal
    day: str
    moment: str
    reference: str
    customer_id: str


class Reject(NamedTuple):
    """A line that is neither, with the field that decided."""

    reason: Reason
    field: str
    what: str


class _Bad(Exception):
    """A line cannot be read."""

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.what)
        self.reject = reject


def retail_line(row: Mapping[str, str]) -> HistoryLine | Reject:
    """Say what a line of the shop's export is; `row` has the fields of `order_line`, all but the customer filled."""
    try:
        quantity, price = number(row["quantity"], "quantity"), number(row["price"], "price")
        day, reference = _day(row["date"]), _name(row["order_id"], "order_id")
        customer = _name(row["customer_id"], "customer_id") if row["customer_id"] else _NO_CUSTOMER
        product = retail_product(row["product_id"])
    except _Bad as bad:
        return bad.reject
    kind = _retail_kind(reference, quantity, price, customer)
    if isinstance(kind, Reject):
        return kind
    return HistoryLine(kind, product, abs(quantity), price, day, row["date"], reference, customer)


def order_line(row: Mapping[str, str]) -> HistoryLine | Reject:
    """Say what a line of any other file is: product_id, quantity, date; price, customer_id and order_id if there are."""
    try:
        quantity, price = number(row["quantity"], "quantity"), number(row.get("price") or "0", "price")
        day, product = _day(row["date"]), _name(row["product_id"], "product_id")
        reference = _name(row["order_id"], "order_id") if row.get("order_id") else ""
        customer = _name(row["customer_id"], "customer_id") if row.get("customer_id") else _NO_CUSTOMER
    except _Bad as bad:
        return bad.reject
    if price < 0:
        return Reject(Reason.NEGATIVE_PRICE, "price", f"The price {price} is below 0.")
    if quantity == 0:
        return Reject(Reason.ZERO_QUANTITY, "quantity", "Nothing was sold.")
    kind = Kind.SALE if quantity > 0 else Kind.RETURN
    return HistoryLine(kind, product, abs(quantity), price, day, row["date"], reference, customer)


@lru_cache(REMEMBERED)
def retail_product(code: str) -> str:
    """Give the product of a code of the shop, or raise for what is none."""
    upper = code.strip().upper()
    if _PRODUCT.fullmatch(upper):
        return upper
    meaning = "a gift voucher" if upper.startswith(VOUCHER) else SERVICES.get(upper)
    if meaning:
        raise _Bad(Reject(Reason.SERVICE, "product_id", f"{code!r} is {meaning}, not a product."))
    raise _Bad(Reject(Reason.NO_PRODUCT, "product_id", f"{code!r} is not five digits and at most two letters."))


def _retail_kind(reference: str, quantity: Decimal, price: Decimal, customer: str) -> Kind | Reject:
    if price < 0:
        return Reject(Reason.NEGATIVE_PRICE, "price", f"The price {price} is below 0.")
    if reference[0] in "Cc":
        if quantity < 0:
            return Kind.RETURN
        return Reject(Reason.BAD_SIGN, "quantity", f"A cancellation of {quantity} returns nothing.")
    if not (reference.isascii() and reference.isdigit()):
        return Reject(Reason.BOOKKEEPING, "order_id", f"{reference!r} is neither an invoice nor a cancellation.")
    if quantity < 0:
        return Reject(Reason.ADJUSTMENT, "quantity", f"{quantity} without a cancellation is a stock adjustment.")
    if quantity == 0:
        return Reject(Reason.ZERO_QUANTITY, "quantity", "Nothing was sold.")
    if price == 0 and not customer:
        return Reject(Reason.NO_PRICE, "price", "Neither price nor customer: stock that was found, moved or tested.")
    return Kind.SALE


def line_key(line: HistoryLine, occurrence: int) -> str:
    """Give the key of the line: its content, and its number among the equal lines of its file, from 1.

    It begins with the day, so that the lines of a file, which are nearly in order, lie together in the store: with keys in
    random order a commit of a thousand lines writes a thousand pages.
    """
    kind, product, quantity, price, day, moment, reference, customer = line
    text = f"{kind}\x1f{product}\x1f{quantity}\x1f{price}\x1f{moment}\x1f{reference}\x1f{customer}\x1f{occurrence}"
    return day[:4] + day[5:7] + day[8:] + blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


@lru_cache(REMEMBERED)
def number(text: str, field: str) -> Decimal:
    """Read an exact number of a file."""
    try:
        return plain(decimal(text.strip(), field))
    except InvalidInput as error:
        raise _Bad(Reject(Reason.BAD_NUMBER, field, error.what)) from None


@lru_cache(REMEMBERED)
def _day(text: str) -> str:
    try:
        return datetime.fromisoformat(text.strip()).date().isoformat()
    except ValueError:
        raise _Bad(
            Reject(Reason.BAD_DATE, "date", f"{text!r} is not a date like 2011-09-30 or 2011-09-30 08:15:00.")
        ) from None


@lru_cache(REMEMBERED)
def _name(text: str, field: str) -> str:
    try:
        return name(text, field)
    except InvalidInput as error:
        raise _Bad(Reject(Reason.BAD_NAME, field, error.what)) from None


class Window(NamedTuple):
    """The days that demand is computed from: from `start` to before `end`; the later half begins at `middle`."""

    start: date
    middle: date
    end: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.end - self.start).days


def window(stock_date: date, days: int) -> Window:
    """Give the window of so many days before the stock date. Raises InvalidInput."""
    if not 2 <= days <= MAX_WINDOW_DAYS:
        raise InvalidInput(f"A window of {days} days is not 2 to {MAX_WINDOW_DAYS}.", field="window_days")
    try:
        start = stock_date - timedelta(days)
    except OverflowError:
        raise InvalidInput(f"There are no {days} days before {stock_date}.", field="stock_date") from None
    return Window(start, start + timedelta(days // 2), stock_date)


def computed(product_id: str, earlier: int, later: int, over: Window) -> Demand:
    """Give the demand of a product from its net sales, in whole millionths, in the two halves of the window."""
    step = ONE // 10**DEMAND_DECIMALS
    net, divisor = max(0, earlier + later), over.days * step
    per_day = (2 * net + divisor) // (2 * divisor) * step  # the one rounding, half-up
    as_of = over.end.isoformat()
    return Demand(product_id, from_scaled(per_day), _trend(earlier, later, over), over.days, as_of, Source.HISTORY)


def _trend(earlier: int, later: int, over: Window) -> Trend:
    """Compare net sales per day, multiplied out: exact."""
    before = max(0, earlier) * (over.end - over.middle).days
    after = max(0, later) * (over.middle - over.start).days
    if after * 100 > before * (100 + TREND_PERCENT):
        return Trend.INCREASING
    if after * 100 < before * (100 - TREND_PERCENT):
        return Trend.DECREASING
    return Trend.STABLE
