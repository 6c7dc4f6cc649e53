"""Exact rounding, remainder and text helpers that the engines share.

`round_fraction` is the definition; `divide` is the same on integers and is tested against it.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction

from restock.engine.rules.ir import RoundingMode
from restock.engine.rules.limits import MAX_TEXT, REFERENCE_DIGITS

EXACT = Context(
    prec=REFERENCE_DIGITS,
    rounding=ROUND_CEILING,
    traps=[Inexact, InvalidOperation, Overflow],
    Emax=10**6,
    Emin=-(10**6),
)
"""Decimal arithmetic that raises `decimal.Inexact` instead of rounding."""


def shown(number: Decimal) -> Decimal:
    """Give the same number without exponent and trailing zeros, exactly, however long it is."""
    whole = int(number)
    return Decimal(whole) if number == whole else number.normalize(EXACT)


def divide(dividend: int, divisor: int, mode: RoundingMode) -> int:
    """Divide integers and round the quotient. Raises ZeroDivisionError for divisor 0.

    half_up is away from zero at the middle, half_even to the even neighbour, up away from zero, down towards zero.
    """
    if mode == "floor":
        return dividend // divisor
    if mode == "ceil":
        return -(-dividend // divisor)
    quotient, rest = divmod(abs(dividend), abs(divisor))
    double = 2 * rest - abs(divisor)
    raised = {
        "up": rest > 0,
        "down": False,
        "half_up": double >= 0,
        "half_even": double > 0 or (double == 0 and quotient % 2 == 1),
    }[mode]
    quotient += raised
    return -quotient if (dividend < 0) != (divisor < 0) else quotient


def round_fraction(value: Fraction, decimals: int, mode: RoundingMode) -> Decimal:
    """Round an exact value to so many decimals."""
    scaled = value * 10**decimals
    return Decimal(divide(scaled.numerator, scaled.denominator, mode)).scaleb(-decimals, EXACT)


def remainder(dividend: int, divisor: int) -> int:
    """Give the remainder with the sign of the dividend. Raises ZeroDivisionError for divisor 0."""
    rest = abs(dividend) % abs(divisor)
    return -rest if dividend < 0 else rest


def join_texts(left: str, right: str) -> str:
    """Join two texts. Raises OverflowError past the longest text."""
    if len(left) + len(right) > MAX_TEXT:
        raise OverflowError(f"a text is longer than {MAX_TEXT} characters")
    return left + right
