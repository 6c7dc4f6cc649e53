"""Exact numbers: decimals at the edges, integers of a millionth in stores and compiled rules.

No binary floating point comes near a quantity or an amount of money. A number has at most `SCALE` decimals and at most
`MAX_NUMBER` in size, so that a stored number is an int64 and sums of a whole catalogue stay one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache

from restock.core.errors import InvalidInput

SCALE = 6
"""Decimals of a stored number: conversions and prices have 4, a fixed point more leaves room for a cost per piece."""

ONE = 10**SCALE

MAX_NUMBER = Decimal(10) ** 12
"""Largest quantity or amount: 10^12 at `SCALE` uses 10^18 of the 9.2 x 10^18 of an int64."""

_EXACT = Context(prec=60)
"""Wide enough that no sum or product of two allowed numbers is ever rounded by the context."""


_MAX_SCALED = int(MAX_NUMBER) * ONE
_MAX_ADJUSTED = MAX_NUMBER.adjusted()


def decimal(value: object, field: str = "") -> Decimal:
    """Read an exact number from an int, Decimal or decimal text; floats are refused because they already lost digits.

    Raises InvalidInput, naming `field`, for anything that is not a finite number within `SCALE` and `MAX_NUMBER`.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise InvalidInput(f"{value!r} is not a decimal number.", field=field, remedy="Write it like 12 or 12.5.")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise InvalidInput(
            f"{value!r} is not a decimal number.", field=field, remedy="Write it like 12 or 12.5."
        ) from None
    if not number.is_finite():
        raise InvalidInput(f"{value} is not a finite number.", field=field, remedy="Write it like 12 or 12.5.")
    if number.copy_abs() > MAX_NUMBER:  # abs would overflow on 1e999999999, which is a text like any other
        raise InvalidInput(f"{value} is too large.", field=field, remedy=f"The limit is {plain(MAX_NUMBER)}.")
    exponent = number.as_tuple().exponent
    if (
        isinstance(exponent, int)
        and -exponent > SCALE
        and number != number.quantize(Decimal(1).scaleb(-SCALE), context=_EXACT)
    ):
        raise InvalidInput(f"{value} has more than {SCALE} decimals.", field=field, remedy="Round it first.")
    return number


def storable(number: Decimal) -> bool:
    """Tell whether `decimal` would take the number; for hot code that asks about many good ones."""
    if number.adjusted() > _MAX_ADJUSTED or not number.is_finite():  # before an int of as many digits is made
        return False
    scaled = number.scaleb(SCALE, _EXACT)
    whole = int(scaled)
    return -_MAX_SCALED <= whole <= _MAX_SCALED and whole == scaled


def not_negative(value: object, field: str = "") -> Decimal:
    """Read an exact number that is 0 or more."""
    number = decimal(value, field)
    if number < 0:
        raise InvalidInput(f"{plain(number)} is negative.", field=field, remedy="Give 0 or more.")
    return number


def positive(value: object, field: str = "") -> Decimal:
    """Read an exact number that is above 0."""
    number = decimal(value, field)
    if number <= 0:
        raise InvalidInput(f"{plain(number)} is not above 0.", field=field, remedy="Give a number above 0.")
    return number


def to_scaled(number: Decimal) -> int:
    """Give the number as whole millionths. The number must have passed `decimal`."""
    return int(number.scaleb(SCALE, _EXACT))


@lru_cache(maxsize=1 << 16)  # prices, minimums and stock levels of a catalogue repeat
def from_scaled(scaled: int) -> Decimal:
    """Give the exact decimal of whole millionths, without trailing zeros."""
    whole, rest = divmod(scaled, ONE)
    return Decimal(whole) if rest == 0 else plain(Decimal(scaled).scaleb(-SCALE, _EXACT))


def plain(number: Decimal) -> Decimal:
    """Give the same number so that `str` shows no exponent and no trailing zeros."""
    whole = int(number)
    if number == whole:
        return Decimal(whole)
    return number.normalize(_EXACT)


def round_half_up(number: Decimal, decimals: int) -> Decimal:
    """Round half away from zero, the rule for amounts of money (one rounding, at a named place)."""
    return number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _EXACT)


def ceil_to_step(need: Decimal, step: Decimal) -> Decimal:
    """Give the smallest multiple of `step` that is not below `need`; `step` is above 0."""
    steps = -(-to_scaled(need) // to_scaled(step))
    return step * steps


def total(numbers: Iterable[Decimal]) -> Decimal:
    """Add exactly; 0 for none."""
    result = Decimal(0)
    for number in numbers:
        result = _EXACT.add(result, number)
    return result
