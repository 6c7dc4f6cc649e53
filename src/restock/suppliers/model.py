"""Supplier terms: what one supplier asks for one product. Pure values, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from restock.core.defaults import DEFAULT_CURRENCY
from restock.core.errors import InvalidInput
from restock.core.quantity import decimal, not_negative, plain
from restock.core.text import name, optional_name

MAX_LEAD_TIME_DAYS = 3650
"""Ten years: a longer lead time is a typing error."""

MAX_PRICE_DECIMALS = 4

CENTS = 2
"""Decimals that the rules round amounts of money to."""

_WITHOUT_CENTS = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
_IN_THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_IN_TEN_THOUSANDTHS = ("CLF", "UYW")

OTHER_DECIMALS = {
    **dict.fromkeys(_WITHOUT_CENTS, 0),
    **dict.fromkeys(_IN_THOUSANDTHS, 3),
    **dict.fromkeys(_IN_TEN_THOUSANDTHS, 4),
}
"""Currencies of ISO 4217 whose smallest coin is no hundredth: their orders would be rounded to coins there are not."""

_CURRENCY = re.compile("[A-Z]{3}")

MAX_RANK = 1000
"""Suppliers of one product: nobody compares more."""


@dataclass(frozen=True)
class Terms:
    """Terms of one supplier for one product; moq, order_multiple and unit_price are per purchase unit.

    An empty purchase unit means the product's stock unit. Rank 1 is the supplier that is asked first. Who does not say
    whether a supplier is active leaves it as it is, and a new one active: a price list blocks nobody and frees nobody.
    """

    product_id: str
    supplier_id: str
    unit_price: Decimal
    lead_time_days: int
    supplier_name: str = ""
    moq: Decimal = Decimal(0)
    order_multiple: Decimal = Decimal(1)
    purchase_unit: str = ""
    currency: str = DEFAULT_CURRENCY
    is_active: bool | None = None
    rank: int = 1


def terms(row: Mapping[str, object]) -> Terms:
    """Read terms from named values. Raises InvalidInput naming the field."""
    price = not_negative(row.get("unit_price"), "unit_price")
    exponent = price.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_PRICE_DECIMALS:
        raise InvalidInput(f"{price} has more than {MAX_PRICE_DECIMALS} decimals.", field="unit_price")
    multiple = decimal(_given(row, "order_multiple", 1), "order_multiple")
    if multiple <= 0:
        raise InvalidInput(f"{multiple} is not above 0.", field="order_multiple", remedy="Leave it out for 1.")
    return Terms(
        product_id=name(row.get("product_id"), "product_id"),
        supplier_id=name(row.get("supplier_id"), "supplier_id"),
        unit_price=price,
        lead_time_days=_whole(row.get("lead_time_days"), "lead_time_days", MAX_LEAD_TIME_DAYS),
        supplier_name=optional_name(row.get("supplier_name"), "supplier_name"),
        moq=not_negative(_given(row, "moq", 0), "moq"),
        order_multiple=multiple,
        purchase_unit=optional_name(row.get("purchase_unit"), "purchase_unit"),
        currency=_currency(_given(row, "currency", DEFAULT_CURRENCY)),
        is_active=_yes_or_no(_given(row, "is_active", None)),
        rank=_whole(_given(row, "rank", 1), "rank", MAX_RANK),
    )


def checked(one: Terms) -> Terms:
    """Give back terms that can be stored as they are. Raises InvalidInput naming the field."""
    return terms(vars(one))


def _currency(value: object) -> str:
    code = name(value, "currency").upper()
    if not _CURRENCY.fullmatch(code):
        raise InvalidInput(f"{value!r} is no currency.", field="currency", remedy="Give its three letters, like EUR.")
    decimals = OTHER_DECIMALS.get(code, CENTS)
    if decimals != CENTS:
        raise InvalidInput(
            f"{code} has {decimals} decimals, and the rules round to {CENTS}.",
            field="currency",
            remedy="Give prices in a currency of cents.",
        )
    return code


def _whole(value: object, field: str, most: int) -> int:
    number = not_negative(value, field)
    if number != int(number) or number > most:
        raise InvalidInput(
            f"{plain(number)} is not a whole number up to {most}.", field=field, remedy=f"Give 0 to {most}."
        )
    return int(number)


def _given(row: Mapping[str, object], field: str, default: object) -> object:
    value = row.get(field)
    return default if value is None or value == "" else value


def _yes_or_no(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in {"true", "yes", "1", "t", "y"}:
        return True
    if text in {"false", "no", "0", "f", "n"}:
        return False
    raise InvalidInput(f"{value!r} is neither true nor false.", field="is_active")
