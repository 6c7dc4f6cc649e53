"""Every rounding mode in integer arithmetic, from the quotient cut towards zero and its remainder.

The dividend and the divisor are columns or literals here, so that repeating them costs nothing. No step needs more room
than they have: a half is found as `rest >= divisor - rest`, never as `2 * rest`.
"""

from __future__ import annotations

from restock.engine.rules.ir import RoundingMode
from restock.engine.rules.sql.terms import Integers, Term


def rounded(integers: Integers, dividend: Term, divisor: Term, mode: RoundingMode) -> Term:
    """Write dividend / divisor, rounded; the divisor is guarded against 0."""
    quotient = integers.quotient(dividend, divisor)
    if mode == "down" or (mode == "floor" and dividend.low >= 0 and divisor.low >= 0):
        return quotient
    rest = integers.remainder(dividend, divisor)
    if dividend.low >= 0 and divisor.low >= 0:
        raised = _positive(rest.code, divisor.code, quotient.code, mode)
        step = f"CASE WHEN {raised} THEN 1 ELSE 0 END"
        low, high = quotient.low, quotient.high + 1
    else:
        step = _signed(dividend.code, divisor.code, rest.code, quotient.code, mode)
        low, high = quotient.low - 1, quotient.high + 1
    return integers.made(f"({quotient.code} + {step})", (quotient, rest), low, high)


def _positive(rest: str, divisor: str, quotient: str, mode: RoundingMode) -> str:
    """Say when the quotient of two numbers that are not negative goes up."""
    if mode == "half_up":
        return f"{rest} >= {divisor} - {rest}"
    if mode == "half_even":
        return f"{rest} > {divisor} - {rest} OR ({rest} = {divisor} - {rest} AND {quotient} % 2 = 1)"
    return f"{rest} > 0"


def _signed(dividend: str, divisor: str, rest: str, quotient: str, mode: RoundingMode) -> str:
    """Write what is added to the quotient for signs of both kinds."""
    negative = f"({dividend} < 0) <> ({divisor} < 0)"
    if mode == "floor":
        return f"CASE WHEN {rest} <> 0 AND ({negative}) THEN -1 ELSE 0 END"
    if mode == "ceil":
        return f"CASE WHEN {rest} <> 0 AND NOT ({negative}) THEN 1 ELSE 0 END"
    size, width = f"ABS({rest})", f"ABS({divisor})"
    raised = {
        "up": f"{rest} <> 0",
        "half_up": f"{size} >= {width} - {size}",
        "half_even": f"{size} > {width} - {size} OR ({size} = {width} - {size} AND {quotient} % 2 <> 0)",
    }[mode]
    return f"CASE WHEN {raised} THEN CASE WHEN {negative} THEN -1 ELSE 1 END ELSE 0 END"
