"""Completes the inputs of columns as `facts.FactReader` completes one row: given, else computed, else the default.

What it cannot complete in columns (a missing input, a number outside its range) it flags; the row then goes to
FactReader itself, which answers or explains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from restock.engine.rules.columns import ColumnsProgram, missing_input, outside
from restock.engine.rules.columns_algebra import Algebra, Column, both, chosen, either
from restock.engine.rules.columns_expressions import TooWide
from restock.engine.rules.ir import Expr, Field, fields_read
from restock.engine.rules.limits import MAX_TEXT


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller gives for a field: a column without gaps, where it has no value, and where it needs a careful look.

    `inside` says that no value can lie outside the field's range.
    """

    column: Column
    missing: Column = False
    odd: Column = False
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    """A column for each input that rules read, and the rows that could not be completed."""

    columns: dict[str, Column]
    careful: Column


def complete(program: ColumnsProgram, algebra: Algebra, given: Mapping[str, Given]) -> Completed:
    """Complete every input that rules read. Raises InvalidInput for one that no column can give."""
    return _Completion(program, algebra, given).all()


def columns_read(program: ColumnsProgram) -> tuple[Field, ...]:
    """Give the inputs that a caller's columns may give: those rules read, and those that compute absent ones."""
    names = dict.fromkeys(one.name for one in program.inputs)
    names |= dict.fromkeys(fields_read(*(one.derived for one in program.inputs if one.derived is not None)))
    fields = program.program.fields()
    return tuple(fields[name] for name in names if not fields[name].presence_of)


class _Completion:
    def __init__(self, program: ColumnsProgram, algebra: Algebra, given: Mapping[str, Given]) -> None:
        self._program = program
        self._algebra = algebra
        self._given = given
        self._fields = program.program.fields()
        self._careful: Column = False

    def all(self) -> Completed:
        columns = {one.name: self._input(one) for one in self._program.inputs}
        return Completed(columns, self._careful)

    def _flag(self, rows: Column) -> None:
        self._careful = either(self._careful, rows)

    def _input(self, one: Field) -> Column:
        given = self._given.get(one.name)
        if given is None and one.derived is None:
            if one.default is None:
                raise missing_input(one.name)
            return self._program.start(one)
        if given is None:
            assert one.derived is not None, "the line above looked"
            return self._derived(one, one.derived, True)
        self._flag(given.odd)
        if not given.inside:
            self._flag(
                both(~given.missing if given.missing is not False else True, self._not_allowed(one, given.column))
            )
        return self._filled(one, given)

    def _filled(self, one: Field, given: Given) -> Column:
        """Put the computed value or the default where none is given."""
        if given.missing is False:
            return given.column
        if one.derived is not None:
            instead = self._derived(one, one.derived, given.missing)
        elif one.default is not None:
            instead = self._program.start(one)
        else:
            self._flag(given.missing)
            return given.column
        held = "code" if self._program.coded(one) else one.kind
        return chosen(self._algebra, [(given.missing, instead)], given.column, held)

    def _not_allowed(self, one: Field, column: Column) -> Column:
        if one.kind == "text" and not one.values:
            return self._algebra.text("length", [column]) > MAX_TEXT
        return outside(self._program, one, column)

    def _derived(self, one: Field, node: Expr, rows: Column) -> Column:
        """Compute an absent input; `rows` are those that need it."""
        parts: dict[str, Column] = {}
        for name in fields_read(node):
            helper = self._fields[name]
            given = self._given.get(name)
            if given is None and helper.default is None:
                if rows is True:
                    raise missing_input(one.name)
                self._flag(rows)
                return self._nothing(one)
            parts[name] = self._part(helper, given, rows)
        return self._computed(one, node, parts, rows)

    def _part(self, helper: Field, given: Given | None, rows: Column) -> Column:
        if given is None:
            return self._program.start(helper)
        wrong = given.odd if given.inside else either(given.odd, self._not_allowed(helper, given.column))
        if given.missing is False:
            self._flag(both(rows, wrong))
            return given.column
        if helper.default is None:
            self._flag(both(rows, either(given.missing, wrong)))
            return given.column
        self._flag(both(rows, both(~given.missing, wrong)))
        held = "code" if self._program.coded(helper) else helper.kind
        return chosen(self._algebra, [(given.missing, self._program.start(helper))], given.column, held)

    def _computed(self, one: Field, node: Expr, parts: Mapping[str, Column], rows: Column) -> Column:
        expressions = self._program.expressions(self._algebra)
        expressions.column = lambda name: parts[name]
        try:
            self._flag(both(rows, expressions.fails(node)))
            if one.kind != "number":
                return expressions.value(node, 0, coded=self._program.coded(one))
            number = expressions.number(node)
            if number.decimals <= one.decimals:
                value = expressions.at(number, one.decimals, node.place).value
            else:
                step = 10 ** (number.decimals - one.decimals)
                value = number.value // step
                self._flag(both(rows, value * step != number.value))
        except TooWide:
            self._flag(rows)  # the row function computes it over Python's integers
            return self._nothing(one)
        self._flag(both(rows, outside(self._program, one, value)))
        return value

    def _nothing(self, one: Field) -> Column:
        """Give what stands in the column of a row that is decided carefully."""
        if one.kind == "text":
            return 0 if self._program.coded(one) else ""
        return 0 if one.kind == "number" else False
