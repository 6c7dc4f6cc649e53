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
from restock.engine.rules.ir import Field, Kind, Program, fields_read
from restock.engine.rules.limits import MAX_TEXT
from restock.engine.rules.sql.expressions import Expressions, literal
from restock.engine.rules.sql.layers import Layers
from restock.engine.rules.sql.rules import Trouble
from restock.engine.rules.sql.terms import Integers, SqlRefused, Term, whole
from restock.engine.rules.sql.texts import quoted

Holds = Literal["scaled", "whole", "integer", "decimal", "number", "text", "bool", "float", "other"]

SAFE_DIGITS: Final = 18
"""Digits of a DECIMAL that engines keep in 64 bits."""


_FITTING: Final[dict[Kind, tuple[Holds, ...]]] = {
    "number": ("whole", "integer", "decimal", "number", "float"),
    "bool": ("bool",),
    "text": (),
}
"""What else than text a column may hold for each kind; a float is refused with a reason of its own."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds.

    `scaled`: checked inputs as the rules hold them. `whole`: whole numbers of a part with so many `decimals`, unchecked.
    `number`: an unknown exact type.
    """

    holds: Holds
    decimals: int = 0


def columns_needed(program: Program) -> tuple[Field, ...]:
    """Give the inputs that rules read, and those from which these are computed."""
    fields = program.fields()
    used = inputs_used(program)
    used = tuple(one for one in used if not one.presence_of)
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
        if column is None and one.presence_of in self._columns:
            return self._present(one)
        if column is not None and column.holds == "scaled":
            return self._scaled(one)
        if column is None:
            return self._absent(one)
        given = self._given(one)
        fine, value = self._checked(one, column, given)
        derived = self._computable(one)
        if derived:
            otherwise = self._derived(one, given)
        elif one.default is not None:
            otherwise = literal(one.default, one.decimals if one.kind == "number" else None)
        else:
            self._bad(f"{fine.code} IS NOT TRUE", fine, f"{one.name} is missing, or not {_allowed(one)}.")
            return self._chosen(one, fine, value, _harmless(one))
        self._bad(f"{fine.code} IS FALSE", fine, f"{one.name} is not {_allowed(one)}.")
        if derived:
            otherwise = self._layers.column(f"computed_{one.name}", otherwise)
        return self._chosen(one, fine, value, otherwise)

    def _present(self, one: Field) -> Term:
        """Say whether a column has a value for an input that may be absent."""
        given = self._given(self._fields[one.presence_of])
        made = self._integers.made(f"({given.code} IS NOT NULL)", (given,), 0, 0)
        return self._layers.define("there", replace(made, undefined=False))

    def _computable(self, one: Field) -> bool:
        """Tell whether the table has what the input is computed from where it is NULL."""
        names = () if one.derived is None else fields_read(one.derived)
        return one.derived is not None and all(
            name in self._columns or self._fields[name].default is not None for name in names
        )

    def _absent(self, one: Field) -> Term:
        """Give what stands for an input that the table has no column for."""
        if one.derived is not None:
            return self._derived(one, None)
        if one.default is not None:
            return literal(one.default, one.decimals if one.kind == "number" else None)
        raise SqlRefused(f"The table has no column for the input {one.name}.", remedy=f"Add a column {one.name}.")

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

    def _checked(self, one: Field, column: Column, given: Term) -> tuple[Term, Term]:
        """Give the test that a value is allowed, NULL for no value, and the value as the rules hold it where it is."""
        if column.holds != "text" and column.holds not in _FITTING[one.kind]:
            what = {"number": "a number", "bool": "true or false", "text": "a text"}[one.kind]
            raise SqlRefused(f"The input {one.name} is {what}; its column is not.", remedy="Convert the column.")
        if one.kind == "number":
            return self._number(one, column, given)
        if one.kind == "bool" and column.holds != "text":
            return self._made(f"CASE WHEN {given.code} IS NOT NULL THEN TRUE END", given), given
        if one.kind == "bool":
            fine = self._test(f"LOWER({given.code}) IN ('true', 'false')", given)
            return fine, self._made(f"(LOWER({given.code}) = 'true')", given)
        test = f"LENGTH({given.code}) <= {MAX_TEXT}"
        if one.values:
            test = f"{given.code} IN ({', '.join(quoted(text) for text in one.values)})"
        return self._test(test, given), given

    def _made(self, code: str, *parts: Term) -> Term:
        return replace(self._integers.made(code, parts, 0, 0), undefined=True)

    def _test(self, code: str, *parts: Term) -> Term:
        return self._layers.define("fine", self._made(f"({code})", *parts))

    def _number(self, one: Field, column: Column, given: Term) -> tuple[Term, Term]:
        low, high = one.low, one.high
        assert low is not None and high is not None, "every input number has a range"
        if column.holds == "float":
            raise SqlRefused(
                f"The column {one.name} holds binary fractions, which have already lost digits.",
                remedy="Store it as DECIMAL.",
            )
        number, scale = given, column.decimals
        if column.holds == "text":
            fraction = f"(\\.[0-9]{{0,{one.decimals}}}0*)?" if one.decimals else "(\\.0*)?"
            code = f"CASE WHEN REGEXP_FULL_MATCH({given.code}, '[+-]?[0-9]{{1,{SAFE_DIGITS}}}{fraction}') "
            code += f"THEN CAST({given.code} AS DECIMAL(38, {one.decimals})) END"
            number, scale = self._layers.define(f"number_{one.name}", self._made(code, given)), one.decimals
            fine = self._made(f"({number.code} BETWEEN {plain(low)} AND {plain(high)})", number)
            fine = self._test(
                f"CASE WHEN {given.code} IS NOT NULL THEN COALESCE({fine.code}, FALSE) END", given, number
            )
            return fine, self._scaled_decimal(one, number, scale)
        if column.holds == "integer":
            least, most = (int(x.to_integral_value(y)) for x, y in ((low, ROUND_CEILING), (high, ROUND_FLOOR)))
            fine = self._test(f"{number.code} BETWEEN {least} AND {most}", number)
            power = 10**one.decimals
            code = f"CAST({number.code} AS BIGINT)" + (f" * {power}" if power > 1 else "")
            return fine, self._made(code, number)
        if column.holds == "whole":
            return self._whole(one, column, number)
        inside = f"{number.code} BETWEEN {plain(low)} AND {plain(high)}"
        if column.holds == "decimal" and scale <= one.decimals:
            return self._test(inside, number), self._scaled_decimal(one, number, scale)
        width = max(len(str(abs(bound))) for bound in bounds(one)) + 1
        kind = f"DECIMAL({SAFE_DIGITS if width <= SAFE_DIGITS else 38}, {one.decimals})"
        code = f"CASE WHEN {inside} THEN CAST({number.code} AS {kind}) END"
        exact = self._layers.define(f"exact_{one.name}", self._made(code, number))
        code = f"CASE WHEN {number.code} IS NOT NULL THEN COALESCE({exact.code} = {number.code}, FALSE) END"
        return self._test(code, number, exact), self._scaled_decimal(one, exact, one.decimals)

    def _whole(self, one: Field, column: Column, number: Term) -> tuple[Term, Term]:
        """Take a whole number of its own part: with fewer decimals it is multiplied, with more it must be divisible."""
        low, high = bounds(one)
        up, down = 10 ** max(0, one.decimals - column.decimals), 10 ** max(0, column.decimals - one.decimals)
        test = f"{number.code} BETWEEN {-(-low // up) * down} AND {high // up * down}"
        test += f" AND {number.code} % {down} = 0" if down > 1 else ""
        code = f"CAST({number.code}{f' // {down}' if down > 1 else ''} AS BIGINT)" + (f" * {up}" if up > 1 else "")
        return self._test(test, number), self._made(code, number)

    def _scaled_decimal(self, one: Field, number: Term, scale: int) -> Term:
        """Write a decimal without its point. The product is whole, so the cast rounds nothing."""
        code = f"CAST({number.code} * {10**scale} AS BIGINT)" if scale else f"CAST({number.code} AS BIGINT)"
        more = f" * {10 ** (one.decimals - scale)}" if one.decimals > scale else ""
        return self._made(code + more, number)

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
                needed = replace(self._integers.made(code, (given, when), 0, 0), undefined=False)
                self.troubles[at] = Trouble(needed, sentence)
        return safe

    def _bad(self, code: str, term: Term, sentence: str) -> None:
        test = replace(self._integers.made(code, (term,), 0, 0), undefined=False)
        self.troubles.append(Trouble(test, sentence))

    def _chosen(self, one: Field, fine: Term, value: Term, otherwise: Term) -> Term:
        code = f"CASE WHEN {fine.code} THEN {value.code} ELSE {otherwise.code} END"
        if one.kind == "bool" and value.simple:
            code = f"COALESCE({value.code}, {otherwise.code})"
        made = self._integers.made(code, (fine, value, otherwise), 0, 0)
        return self._layers.define(one.name, self._ranged(one, replace(made, undefined=False)))


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
