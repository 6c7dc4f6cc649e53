"""Whole-number arithmetic as SQL text, each piece with the range it can have, so that BIGINT never overflows.

A `Term` is SQL text that is safe to stand anywhere, the columns it needs, and for a number its decimals and the least and
greatest scaled value. SQL engines differ in what they do on overflow (an error, a wrap, a silent float), so no term leaves
the range unproved: where a step needs more than 63 bits DuckDB gets HUGEINT, and every other target is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from restock.core.errors import InvalidInput
from restock.engine.rules.arithmetic import divide, remainder

INT64: Final = 2**63
INT128: Final = 2**127

NO_COLUMNS: Final[frozenset[str]] = frozenset()


class SqlRefused(InvalidInput):
    """SQL cannot run these rules; the message says which and why."""

    def reason(self, rulebook: str) -> str:
        """Give the why alone, to stand inside a sentence."""
        return self.what.removeprefix(f"SQL cannot run {rulebook}: ").removesuffix(".")


@dataclass(frozen=True, slots=True)
class Term:
    """SQL text. For a number `low` and `high` bound the scaled value, for a text its length.

    `undefined` says that it may be NULL, which stands for "has no value". `constant` is the value of a literal. `codes` are
    the texts that a coded column's numbers stand for. `wide` marks a HUGEINT.
    """

    code: str
    uses: frozenset[str] = NO_COLUMNS
    decimals: int = 0
    low: int = 0
    high: int = 0
    undefined: bool = False
    constant: int | str | bool | None = None
    codes: tuple[str, ...] = ()
    wide: bool = False

    @property
    def simple(self) -> bool:
        """Whether repeating the text costs nothing: a column or a literal."""
        return self.constant is not None or self.code in self.uses

    def narrowed(self, low: int, high: int) -> Term:
        """Give the term with what else is known of its range."""
        return replace(self, low=max(self.low, low), high=min(self.high, high))


def whole(number: int, decimals: int = 0) -> Term:
    """Give a literal."""
    code = f"({number})" if number < 0 else str(number)
    return Term(code, NO_COLUMNS, decimals, number, number, constant=number, wide=not -INT64 <= number < INT64)


def _known(left: Term, right: Term) -> tuple[int, int] | None:
    """Give two literals' numbers. They are computed here: engines give a literal 32 bits, which a product may pass."""
    first, second = left.constant, right.constant
    return (first, second) if isinstance(first, int) and isinstance(second, int) else None


class Integers:
    """Writes integer operations; `huge` says whether the target has HUGEINT."""

    def __init__(self, *, huge: bool) -> None:
        self._huge = huge

    def made(self, code: str, parts: tuple[Term, ...], low: int, high: int, decimals: int = 0) -> Term:
        """Make a term of others, of the width its range needs. `code` is written as for BIGINT parts."""
        uses = frozenset().union(*(part.uses for part in parts))
        undefined = any(part.undefined for part in parts)
        return Term(code, uses, decimals, low, high, undefined, wide=any(part.wide for part in parts))

    def operate(self, code: Callable[[str, str], str], left: Term, right: Term, low: int, high: int) -> Term:
        """Write an operation of two numbers whose result lies in low..high."""
        fits = low >= -INT64 and high < INT64
        if low < -INT128 or high >= INT128:
            raise SqlRefused(
                "An intermediate number needs more than 127 bits.", remedy="Declare narrower ranges or round."
            )
        first = left if fits or left.wide or right.wide else self.widened(left)
        made = self.made(code(first.code, right.code), (first, right), low, high)
        return self.slim(made) if fits and made.wide else made

    def widened(self, term: Term) -> Term:
        """Give the number as a HUGEINT. Raises SqlRefused where there is none."""
        if not self._huge:
            raise SqlRefused(
                "An intermediate number needs more than a BIGINT, and only DuckDB has a wider whole number.",
                remedy="Declare narrower ranges, round earlier, or use --dialect duckdb.",
            )
        return replace(term, code=f"CAST({term.code} AS HUGEINT)", wide=True, constant=None)

    def slim(self, term: Term) -> Term:
        """Give a number whose range fits as a BIGINT."""
        return replace(term, code=f"CAST({term.code} AS BIGINT)", wide=False)

    def add(self, left: Term, right: Term) -> Term:
        """Write left + right, both with the same decimals."""
        if (known := _known(left, right)) is not None:
            return whole(known[0] + known[1], left.decimals)
        low, high = left.low + right.low, left.high + right.high
        made = self.operate(lambda a, b: f"({a} + {b})", left, right, low, high)
        return replace(made, decimals=left.decimals)

    def subtract(self, left: Term, right: Term) -> Term:
        """Write left - right, both with the same decimals."""
        if (known := _known(left, right)) is not None:
            return whole(known[0] - known[1], left.decimals)
        low, high = left.low - right.high, left.high - right.low
        made = self.operate(lambda a, b: f"({a} - {b})", left, right, low, high)
        return replace(made, decimals=left.decimals)

    def multiply(self, left: Term, right: Term, low: int | None = None, high: int | None = None) -> Term:
        """Write left * right; what else is known of the result's range may be given."""
        if (known := _known(left, right)) is not None:
            return whole(known[0] * known[1], left.decimals + right.decimals)
        for one, other in ((left, right), (right, left)):
            if one.constant == 1:
                return replace(other, decimals=left.decimals + right.decimals)
        corners = [one * other for one in (left.low, left.high) for other in (right.low, right.high)]
        least = min(corners) if low is None else max(low, min(corners))
        most = max(corners) if high is None else min(high, max(corners))
        made = self.operate(lambda a, b: f"({a} * {b})", left, right, least, most)
        return replace(made, decimals=left.decimals + right.decimals)

    def negate(self, term: Term) -> Term:
        """Write -term."""
        return replace(self.subtract(whole(0, term.decimals), term), decimals=term.decimals)

    def at(self, term: Term, decimals: int) -> Term:
        """Give the number with more decimals."""
        if decimals == term.decimals:
            return term
        factor = 10 ** (decimals - term.decimals)
        if isinstance(term.constant, int):
            return whole(term.constant * factor, decimals)
        return replace(self.multiply(term, whole(factor)), decimals=decimals)

    def alike(self, left: Term, right: Term) -> tuple[Term, Term]:
        """Give both with the same decimals."""
        decimals = max(left.decimals, right.decimals)
        return self.at(left, decimals), self.at(right, decimals)

    def divisor(self, term: Term) -> Term:
        """Guard a divisor: 0 becomes NULL, because engines differ in what a division by zero does."""
        if term.low > 0 or term.high < 0:
            return term
        return replace(term, code=f"NULLIF({term.code}, 0)", undefined=True, constant=None)

    def quotient(self, dividend: Term, divisor: Term) -> Term:
        """Write the quotient cut towards zero, as every engine has it for whole numbers."""
        if (known := _known(dividend, divisor)) is not None and known[1]:
            return whole(divide(*known, "down"))
        least = min(abs(divisor.low), abs(divisor.high)) if divisor.low > 0 or divisor.high < 0 else 1
        size = max(abs(dividend.low), abs(dividend.high)) // least
        low = 0 if dividend.low >= 0 and divisor.low >= 0 else -size
        return self.operate(lambda a, b: f"({a} // {b})", dividend, divisor, low, size)

    def remainder(self, dividend: Term, divisor: Term) -> Term:
        """Write the remainder with the sign of the dividend, as every engine has it for whole numbers."""
        if (known := _known(dividend, divisor)) is not None and known[1]:
            return whole(remainder(*known), dividend.decimals)
        size = max(abs(divisor.low), abs(divisor.high), 1) - 1
        low = 0 if dividend.low >= 0 else max(dividend.low, -size)
        high = 0 if dividend.high <= 0 else min(dividend.high, size)
        made = self.operate(lambda a, b: f"({a} % {b})", dividend, divisor, low, max(low, high))
        return replace(made, decimals=dividend.decimals)
