"""Whether int64 columns can hold a program, found by writing it once on a tape that nobody plays.

Inputs whose range the author did not declare are as wide as anything Restock stores, and products of them pass int64.
For these, columns take the widest range that still fits, and only a row outside it is decided by the row function. So a
published text runs as it is, and every row stays exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from restock.engine.rules.columns import ColumnsProgram
from restock.engine.rules.columns_expressions import TooWide
from restock.engine.rules.columns_inputs import Given, complete
from restock.engine.rules.columns_tape import Tape
from restock.engine.rules.errors import RuleError, SourceText
from restock.engine.rules.ir import Field, Program
from restock.engine.rules.ranges import Shapes, decimals_of, measure

LIMITS: Final = tuple(Decimal(digit).scaleb(power) for power in range(11, 2, -1) for digit in (5, 2, 1))
"""Ranges that are tried, the widest first; below a thousand too few rows would be plain."""

MOST_DECIMALS: Final = 4
"""Decimals of a caller's column that are believed; a column of more was made for anything and holds mostly less."""

USUAL_DECIMALS: Final = 2
"""Decimals of an undeclared number when the caller's columns do not tell: cents, and most quantities."""


def fit_columns(
    source: SourceText, program: Program, decimals: Mapping[str, int] | None = None
) -> tuple[ColumnsProgram | None, str]:
    """Give the program over columns, or the reason why there is none.

    `decimals` are those of the caller's columns; inputs without a declared range are narrowed to them.
    """
    try:
        return _fitted(source, program), ""
    except TooWide as reason:
        undeclared = any(one.kind == "number" and not one.declared for one in program.inputs)
        narrowed = _narrowed(source, program, decimals or {}) if undeclared else None
        return narrowed, "" if narrowed is not None else str(reason)


def _fitted(source: SourceText, program: Program) -> ColumnsProgram:
    """Make the program and write it once. Raises TooWide."""
    columns, tape = ColumnsProgram(source, program), Tape()
    given = {one.name: Given(tape.write("input", one.name)) for one in columns.inputs}
    columns.walk(tape, complete(columns, tape, given).columns, lambda layer: layer)
    return columns


def _narrowed(source: SourceText, program: Program, decimals: Mapping[str, int]) -> ColumnsProgram | None:
    """Give the program with the widest range of undeclared inputs that fits."""
    made: dict[Decimal, ColumnsProgram] = {}

    def fits(limit: Decimal) -> bool:
        try:
            made[limit] = _fitted(source, _within(source, program, limit, decimals))
        except (TooWide, RuleError):
            return False
        return True

    at = bisect_left(LIMITS, True, key=fits)
    return made[LIMITS[at]] if at < len(LIMITS) else None


def _within(source: SourceText, program: Program, limit: Decimal, decimals: Mapping[str, int]) -> Program:
    """Measure the program again with undeclared inputs inside the limit."""
    fields = {one.name: _narrow(one, limit, decimals.get(one.name)) for one in program.inputs}
    shapes = Shapes.measured(source, fields)
    for name, one in fields.items():
        if one.derived is not None and not one.declared and one.kind == "number" and name not in decimals:
            needed = max(one.decimals, shapes.shape(one.derived).decimals)
            fields[name] = replace(one, decimals=min(program.field(name).decimals, needed))
    fields |= {
        one.name: one if one.declared or one.kind != "number" else replace(one, decimals=0, low=None, high=None)
        for one in program.outputs
    }
    measured = measure(source, fields, program.rules).fields.values()
    return replace(
        program,
        inputs=tuple(one for one in measured if one.role == "input"),
        outputs=tuple(one for one in measured if one.role == "output"),
    )


def _narrow(one: Field, limit: Decimal, given: int | None) -> Field:
    if one.declared or one.kind != "number" or one.low is None or one.high is None:
        return one
    default = one.default if isinstance(one.default, Decimal) else Decimal(0)
    wanted = USUAL_DECIMALS if given is None or given > MOST_DECIMALS else given
    return replace(
        one,
        low=min(max(one.low, -limit), default),
        high=max(min(one.high, limit), default),
        decimals=min(one.decimals, max(wanted, decimals_of(default))),
    )
