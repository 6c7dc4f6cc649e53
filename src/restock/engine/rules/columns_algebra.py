"""What expressions ask of a kind of column beyond Python's operators, and the folding that all kinds share.

A column is a Polars expression, a register of the NumPy tape, or a plain int, bool or text where the value is fixed.
Numbers are int64: the writer of expressions has proved that none passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, Literal, Protocol

from restock.engine.rules.ir import RoundingMode
from restock.engine.rules.limits import INT64_LIMIT, MAX_TEXT

Column = Any  # Any: a Polars expression, a register of the tape, or a plain value; they share operators and no type

Held = Literal["number", "bool", "code", "text"]
"""What a column holds: a scaled int64, a bool, the code of a known text, or a text."""


class Algebra(Protocol):
    """Operations of one kind of column; `+ - * // < <= == != & | ~` are Python's."""

    def choose(self, test: Sequence[tuple[Column, Column]], otherwise: Column, held: Held) -> Column:
        """Give the value of the first test that holds."""
        ...

    def smaller(self, one: Column, other: Column) -> Column:
        """Give the smaller number."""
        ...

    def larger(self, one: Column, other: Column) -> Column:
        """Give the larger number."""
        ...

    def absolute(self, one: Column) -> Column:
        """Give a number without its sign."""
        ...

    def text(self, function: str, arguments: Sequence[Column]) -> Column:
        """Apply length, contains, startsWith, endsWith, lower, upper, trim, join, or ascii (only such characters)."""
        ...

    def decoded(self, codes: Column, texts: Sequence[str]) -> Column:
        """Give the texts of codes."""
        ...


@dataclass(frozen=True, slots=True)
class Bounded:
    """A column of whole numbers, and what its values lie between."""

    value: Column
    low: int
    high: int


def inverted(test: Column) -> Column:
    """Give the opposite."""
    return not test if isinstance(test, bool) else ~test


def both(one: Column, other: Column) -> Column:
    """Give whether both hold."""
    if isinstance(one, bool):
        return other if one else False
    if isinstance(other, bool):
        return one if other else False
    return one & other


def either(one: Column, other: Column) -> Column:
    """Give whether one holds at least."""
    if isinstance(one, bool):
        return True if one else other
    if isinstance(other, bool):
        return True if other else one
    return one | other


def any_of(tests: Sequence[Column]) -> Column:
    """Give whether any holds, nested as little as possible: thousands in one chain are too deep for a planner."""
    found = [test for test in tests if test is not False]
    while len(found) > 1:
        found = [either(one, other) for one, other in zip_longest(found[::2], found[1::2], fillvalue=False)]
    return found[0] if found else False


def chosen(algebra: Algebra, branches: Sequence[tuple[Column, Column]], otherwise: Column, held: Held) -> Column:
    """Give the value of the first branch whose test holds, with as few choices as possible.

    Fixed tests and fixed bools need no choice, and a branch that gives what stands otherwise only blocks those below it:
    a choice costs eight bytes a row, logic a bit.
    """
    useful: list[tuple[Column, Column]] = []
    blocked: Column = False
    fixed = next((value for test, value in branches if test is True), otherwise)
    for test, value in branches:
        if test is True:
            break
        if isinstance(fixed, int | str) and type(value) is type(fixed) and value == fixed:
            blocked = either(blocked, test)
        elif test is not False:
            useful.append((both(inverted(blocked), test), value))
    if held == "bool" and (isinstance(fixed, bool) or all(isinstance(value, bool) for _, value in useful)):
        return _chosen_bool(useful, fixed)
    return algebra.choose(useful, fixed, held) if useful else fixed


def _chosen_bool(branches: Sequence[tuple[Column, Column]], otherwise: Column) -> Column:
    """Choose between bools by logic, which costs a bit a row."""
    result = otherwise
    for test, value in reversed(branches):
        result = either(both(test, value), both(inverted(test), result)) if value is not True else either(test, result)
    return result


def product(one: Column, other: Column) -> Column:
    """Multiply; a fixed 1, which a scaled 0.1 is, costs nothing."""
    if isinstance(one, int) and one == 1:
        return other
    return one if isinstance(other, int) and other == 1 else one * other


def rounded_quotient(algebra: Algebra, dividend: Bounded, divisor: Bounded, mode: RoundingMode) -> Column:
    """Divide and round once; where the divisor is 0 the result means nothing, and the caller has flagged the row."""
    over, under = dividend.value, divisor.value
    if divisor.low <= 0 <= divisor.high:
        under = chosen(algebra, [(under == 0, 1)], under, "number")
    if mode == "floor":
        return over // under
    if mode == "ceil":
        return -(-over // under)
    if dividend.low >= 0 and divisor.low > 0:
        if mode == "down":
            return over // under
        if mode == "up":
            return -(-over // under)
        if mode == "half_up" and dividend.high + divisor.high // 2 < INT64_LIMIT:
            return (over + under // 2) // under
    return _by_size(
        algebra, Bounded(over, dividend.low, dividend.high), Bounded(under, divisor.low, divisor.high), mode
    )


def _by_size(algebra: Algebra, dividend: Bounded, divisor: Bounded, mode: RoundingMode) -> Column:
    """Divide sizes, round away from zero where the mode says so, and put the sign back."""
    size, step = magnitude(algebra, dividend), magnitude(algebra, divisor)
    whole = size // step
    rest = size - whole * step
    if mode != "down":
        gap = step - rest
        raised = {
            "up": lambda: rest > 0,
            "half_up": lambda: rest >= gap,
            "half_even": lambda: (rest > gap) | ((rest == gap) & (whole - whole // 2 * 2 == 1)),
        }[mode]()
        whole = chosen(algebra, [(raised, whole + 1)], whole, "number")
    negative = dividend.low < 0 and dividend.value < 0
    if divisor.low < 0:
        negative = (dividend.value < 0) != (divisor.value < 0)
    return chosen(algebra, [(negative, -whole)], whole, "number")


def remainder_column(algebra: Algebra, dividend: Bounded, divisor: Bounded) -> Column:
    """Give the remainder with the sign of the dividend; for divisor 0 the result means nothing."""
    step = divisor.value
    if divisor.low <= 0 <= divisor.high:
        step = chosen(algebra, [(step == 0, 1)], step, "number")
    size, step = magnitude(algebra, dividend), magnitude(algebra, Bounded(step, divisor.low, divisor.high))
    rest = size - size // step * step
    return chosen(algebra, [(dividend.low < 0 and dividend.value < 0, -rest)], rest, "number")


def magnitude(algebra: Algebra, number: Bounded) -> Column:
    """Give a number without its sign."""
    if isinstance(number.value, int):
        return abs(number.value)
    return number.value if number.low >= 0 else algebra.absolute(number.value)


def applied_text(algebra: Algebra, function: str, texts: Sequence[Column]) -> Column:
    """Apply a text function; fixed texts give a fixed result."""
    if all(isinstance(text, str) for text in texts):
        return FIXED_TEXT[function](*texts)
    return algebra.text(function, texts)


def _joined(one: str, other: str) -> str:
    """Join; a text past the limit becomes empty, in a row that is flagged."""
    return one + other if len(one) + len(other) <= MAX_TEXT else ""


FIXED_TEXT: Final[dict[str, Callable[..., Column]]] = {
    "length": len,
    "contains": lambda text, part: part in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
    "join": _joined,
    "ascii": str.isascii,
}
"""The text functions on one text."""
