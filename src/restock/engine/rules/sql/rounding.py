"""Every rounding mode in integer arithmetic, with one division each: it is the dearest operation there is.

The divisor is a column or a literal here, so that repeating it costs nothing. Where neither number is negative the frequent
modes add before they divide, in one expression that is computed only for the rows that need it; the others take the quotient
cut towards zero and look at what is left.
"""

from __future__ import annotations

from restock.engine.rules.arithmetic import divide
from restock.engine.rules.ir import RoundingMode
from restock.engine.rules.sql.layers import Layers
from restock.engine.rules.sql.terms import INT64, Integers, Term, whole


def rounded(integers: Integers, layers: Layers, dividend: Term, divisor: Term, mode: RoundingMode) -> Term:
    """Write dividend / divisor, rounded; the divisor is guarded against 0."""
    if isinstance(dividend.constant, int) and isinstance(divisor.constant, int) and divisor.constant:
        return whole(divide(dividend.constant, divisor.constant, mode))
    positive = dividend.low >= 0 and divisor.low >= 0
    if mode == "down" or (mode == "floor" and positive):
        return integers.quotient(dividend, divisor)
    if positive and dividend.high + divisor.high < INT64:
        added = _added(integers, divisor, mode)
        if added is not None:
            return integers.quotient(integers.add(dividend, added), divisor)
    dividend = layers.column("dividend", dividend)
    quotient = layers.column("quotient", integers.quotient(dividend, divisor))
    rest = integers.remainder(dividend, divisor)
    if not dividend.wide:  # a product and a difference are quicker than a second division, and fit
        code = f"({dividend.code} - {quotient.code} * {divisor.code})"
        rest = integers.made(code, (dividend, quotient, divisor), rest.low, rest.high)
    rest = layers.column("rest", rest)
    if positive:
        step = f"CASE WHEN {_positive(rest.code, divisor.code, quotient.code, mode)} THEN 1 ELSE 0 END"
        low, high = quotient.low, quotient.high + 1
    else:
        step = _signed(dividend.code, divisor.code, rest.code, quotient.code, mode)
        low, high = quotient.low - 1, quotient.high + 1
    return integers.made(f"({quotient.code} + {step})", (dividend, quotient, rest), low, high)


def _added(integers: Integers, divisor: Term, mode: RoundingMode) -> Term | None:
    """Give what is added to the dividend so that cutting the quotient rounds it; None when no addition does."""
    fixed = divisor.constant if isinstance(divisor.constant, int) else None
    if mode in ("ceil", "up"):
        return integers.subtract(divisor, whole(1)) if fixed is None else whole(fixed - 1)
    return whole(fixed // 2) if mode == "half_up" and fixed is not None else None


def _positive(rest: str, divisor: str, quotient: str, mode: RoundingMode) -> str:
    """Say when the quotient of two numbers that are not negative goes up; `2 * rest` might not fit."""
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
