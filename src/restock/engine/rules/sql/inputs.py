"""From a table's columns to complete, checked inputs as scaled whole numbers: what `facts.FactReader` does, in SQL.

A column that is NULL gets the input's default, or what is computed from others. A value that the declaration refuses puts
the row into trouble, and a harmless value in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Final, Literal

from restock.core.quantity import plain
from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.facts import inputs_used
from restock.engine.rules.ir import Field, Program, fields_read
from restock.engine.rules.limits import MAX_TEXT
from restock.engine.rules.sql.expressions import Expressions, literal
from restock.engine.rules.sql.layers import Layers
from restock.engine.rules.sql.rules import Trouble
from restock.engine.rules.sql.terms import Integers, SqlRefused, Term, whole
from restock.engine.rules.sql.texts import quoted

Holds = Literal["scaled", "integer", "decimal", "number", "text", "bool", "float"]

SAFE_DIGITS: Final = 18
"""Digits of a DECIMAL that engines keep in 64 bits."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds. `scaled`: checked inputs as the rules hold them; `number`: an unknown exact type."""

    holds: Holds
    decimals: int = 0


def columns_needed(program: Program) -> tuple[Field, ...]:
    """Give the inputs that rules read, and those from which these are computed."""
    fields = program.fields()
    used = inputs_used(program)
    parts = [fields[name] for one in used if one.derived is not None for name in fields_read(one.derived)]
    return tuple(dict.fromkeys((*used, *parts)))


class Inputs:
    """Defines the columns of the inputs; `columns` says what the table has."""

    def __init__(
        self,
        program: Program,
        columns: Mapping[str, Column],
        layers: Layers,
        integers: Integers,
        expressions: Expressions,
    ) -> None:
        self._program = program
        self._fields = program.fields()
        self._columns = columns
        self._layers = layers
        self._integers = integers
        self._expressions = expressions
        self.troubles: list[Trouble] = []

    def all(self) -> dict[str, Term]:
        """Give the column of every input that rules read."""
        return {one.name: self._input(one) for one in inputs_used(self._program)}

    def _input(self, one: Field) -> Term:
        column = self._columns.get(one.name)
        if column is not None and column.holds == "scaled":
            return self._scaled(one)
        given = None if column is None else self._given(one)
        value = None if column is None or given is None else self._checked(one, column, given)
        if one.derived is None and one.default is not None:
            otherwise: Term = literal(one.default, one.decimals) if one.kind == "number" else literal(one.default)
        elif one.derived is not None:
            otherwise = self._derived(one, given)
        elif value is None:
            raise SqlRefused(f"The table has no column for the input {one.name}.", remedy=f"Add a column {one.name}.")
        else:
            otherwise = self._missing(one, value)
        if value is None:
            return otherwise
        return self._chosen(one, value, otherwise)

    def _scaled(self, one: Field) -> Term:
        name = self._layers.source(one.name, identifier(one.name))
        return self._ranged(one, Term(name, frozenset((name,))))

    def _given(self, one: Field) -> Term:
        name = self._layers.source(f"given_{one.name}", identifier(one.name))
        return Term(name, frozenset((name,)), undefined=True)

    def _ranged(self, one: Field, term: Term) -> Term:
        if one.kind == "number":
            low, high = bounds(one)
            return replace(term, decimals=one.decimals, low=low, high=high)
        return replace(term, low=0, high=MAX_TEXT) if one.kind == "text" else term

    def _checked(self, one: Field, column: Column, given: Term) -> Term:
        """Define the scaled value of a column: NULL where it is NULL or refused, which puts the row into trouble."""
        if one.kind == "number":
            code, given = self._number(one, column, given)
        elif one.kind == "bool":
            if column.holds == "text":
                code = f"CASE LOWER({given.code}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
            else:
                code = f"CASE WHEN {given.code} THEN TRUE WHEN NOT {given.code} THEN FALSE END"
        else:
            test = f"LENGTH({given.code}) <= {MAX_TEXT}"
            if one.values:
                test = f"{given.code} IN ({', '.join(quoted(text) for text in one.values)})"
            code = f"CASE WHEN {test} THEN {given.code} END"
        value = self._layers.define(f"read_{one.name}", replace(given, code=code))
        if not (one.kind == "bool" and column.holds == "bool"):
            refused = self._integers.made(f"{given.code} IS NOT NULL AND {value.code} IS NULL", (given, value), 0, 0)
            self.troubles.append(Trouble(refused, f"{one.name} is not {_allowed(one)}."))
        return value

    def _number(self, one: Field, column: Column, given: Term) -> tuple[str, Term]:
        low, high = one.low, one.high
        assert low is not None and high is not None, "every input number has a range"
        if column.holds == "float":
            raise SqlRefused(
                f"The column {one.name} holds binary fractions, which have already lost digits.",
                remedy="Store it as DECIMAL.",
            )
        number, scale = given.code, column.decimals
        if column.holds == "text":
            fraction = f"(\\.[0-9]{{0,{one.decimals}}}0*)?" if one.decimals else "(\\.0*)?"
            code = f"CASE WHEN REGEXP_FULL_MATCH({number}, '[+-]?[0-9]{{1,{SAFE_DIGITS}}}{fraction}') "
            code += f"THEN CAST({number} AS DECIMAL(38, {one.decimals})) END"
            number, scale = self._layers.define(f"number_{one.name}", replace(given, code=code)).code, one.decimals
            given_number = Term(number, frozenset((number,)), undefined=True)
        else:
            given_number = given
        if column.holds == "integer":
            least, most = (int(x.to_integral_value(y)) for x, y in ((low, ROUND_CEILING), (high, ROUND_FLOOR)))
            power = 10**one.decimals
            scaled = f"CAST({number} AS BIGINT)" + (f" * {power}" if power > 1 else "")
            return f"CASE WHEN {number} BETWEEN {least} AND {most} THEN {scaled} END", given_number
        inside = f"{number} BETWEEN {plain(low)} AND {plain(high)}"
        if column.holds == "number" or scale > one.decimals:
            width = max(len(str(abs(bound))) for bound in bounds(one)) + 1
            kind = f"DECIMAL({SAFE_DIGITS if width <= SAFE_DIGITS else 38}, {one.decimals})"
            code = f"CASE WHEN {inside} THEN CAST({number} AS {kind}) END"
            exact = self._layers.define(f"exact_{one.name}", replace(given_number, code=code))
            scaled = (
                f"CAST({exact.code} * {10**one.decimals} AS BIGINT)"
                if one.decimals
                else f"CAST({exact.code} AS BIGINT)"
            )
            both = replace(given_number, uses=given_number.uses | exact.uses)
            return f"CASE WHEN {exact.code} = {number} THEN {scaled} END", both
        more = f" * {10 ** (one.decimals - scale)}" if one.decimals > scale else ""
        scaled = f"CAST({number} * {10**scale} AS BIGINT)" if scale else f"CAST({number} AS BIGINT)"
        return f"CASE WHEN {inside} THEN {scaled}{more} END", given_number

    def _missing(self, one: Field, value: Term) -> Term:
        """Put a row without the value into trouble; what it gets does not matter."""
        absent = self._integers.made(f"{value.code} IS NULL", (value,), 0, 0)
        self.troubles.append(Trouble(absent, f"{one.name} is missing."))
        return _harmless(one)

    def _derived(self, one: Field, given: Term | None) -> Term:
        """Compute the input from others; their troubles count only where it is needed."""
        assert one.derived is not None, "the caller looked"
        known = len(self.troubles)
        parts = {name: self._input(self._fields[name]) for name in fields_read(one.derived)}
        made = self._expressions.value(one.derived, parts.__getitem__)
        if one.kind == "number":
            made = self._integers.at(made, one.decimals)
        made = self._layers.column(f"computed_{one.name}", made)
        low, high = bounds(one) if one.kind == "number" else (0, MAX_TEXT)
        safe = self._ranged(one, made)
        if made.undefined or made.low < low or made.high > high:
            test = f"{made.code} BETWEEN {low} AND {high}" if one.kind == "number" else f"{made.code} IS NOT NULL"
            self._bad(f"({test}) IS NOT TRUE", made, f"{one.name}, which is computed, is not {_allowed(one)}.")
            code = f"CASE WHEN {test} THEN {made.code} ELSE {_harmless(one).code} END"
            safe = self._layers.define(f"safe_{one.name}", replace(safe, code=code, undefined=False))
        if given is not None:
            for at in range(known, len(self.troubles)):
                when, sentence = self.troubles[at]
                code = f"{given.code} IS NULL AND ({when.code})"
                self.troubles[at] = Trouble(self._integers.made(code, (given, when), 0, 0), sentence)
        return safe

    def _bad(self, code: str, term: Term, sentence: str) -> None:
        self.troubles.append(Trouble(self._integers.made(code, (term,), 0, 0), sentence))

    def _chosen(self, one: Field, value: Term, otherwise: Term) -> Term:
        made = self._integers.made(f"COALESCE({value.code}, {otherwise.code})", (value, otherwise), 0, 0)
        made = self._ranged(one, replace(made, undefined=False))
        return self._layers.define(one.name, made)


def bounds(one: Field) -> tuple[int, int]:
    """Give the range of a number as the rules hold it."""
    assert one.low is not None and one.high is not None, "every number has a range"
    low = EXACT.scaleb(one.low, one.decimals).to_integral_value(ROUND_CEILING)
    return int(low), int(EXACT.scaleb(one.high, one.decimals).to_integral_value(ROUND_FLOOR))


def identifier(name: str) -> str:
    """Write a name of the user's table."""
    return '"' + name.replace('"', '""') + '"'


def _harmless(one: Field) -> Term:
    """Give a value that the input may have, for rows that are not decided anyway."""
    if one.kind != "number":
        return literal(False) if one.kind == "bool" else literal("")
    low, high = bounds(one)
    return whole(min(max(0, low), high), one.decimals)


def _allowed(one: Field) -> str:
    if one.kind != "number":
        return "true or false" if one.kind == "bool" else "an allowed text"
    assert one.low is not None and one.high is not None, "every input number has a range"
    return f"a number from {plain(one.low)} to {plain(one.high)} with at most {one.decimals} decimals"
