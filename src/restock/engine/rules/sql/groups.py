"""Rules across rows: lines are decided, summed up by a key, and rules over the sums decide each group. All in one query.

A group is, for example, a supplier: its budget of open orders, its minimum order value, the lines that could top an order
up. The first rulebook decides the lines, `Groups` says what of them is summed up under which name, and the second rulebook
takes these as inputs, beside columns of a second table with the terms of each group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from restock.core.errors import InvalidInput
from restock.engine.rules.errors import SourceText, meant
from restock.engine.rules.ir import Field, Program
from restock.engine.rules.sql.inputs import Column, columns_needed, identifier
from restock.engine.rules.sql.query import SqlQuery, Wanted, compile_sql

Function = Literal["sum", "count", "min", "max", "average"]

DOUBTFUL: Final = "doubtful line"
"""The column that tells of lines in trouble; the blank keeps it apart from every field."""


@dataclass(frozen=True, slots=True)
class Total:
    """One input of the group's rules: a function of a line's output, over the lines where the bool output `only` is true.

    `count` counts lines and needs no `of`. The sum of no lines is 0; the least, the greatest and the average of none are
    absent. An average is rounded half up to the decimals of the input.
    """

    name: str
    function: Function
    of: str = ""
    only: str = ""


@dataclass(frozen=True, slots=True)
class Groups:
    """What makes a group: the columns of the table whose values its lines share, and what is known of it."""

    key: tuple[str, ...]
    totals: tuple[Total, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as SQL text that stands after FROM, and what its columns hold."""

    text: str
    columns: Mapping[str, Column]


Rules = tuple[SourceText, Program]


def compile_groups(
    lines: Rules, groups: Rules, spec: Groups, table: Table, terms: Table | None = None, *, fired: bool = True
) -> SqlQuery:
    """Write the query that decides each group. `terms` has the key and the inputs that are no totals, once a group.

    A group with a line that cannot be decided is in trouble itself. Raises SqlRefused where SQL cannot run the rules, and
    InvalidInput where the specification names what is not there.
    """
    inputs = {one.name: one for one in columns_needed(groups[1])}
    outputs = {one.name: one for one in lines[1].outputs}
    for name in spec.key:
        _known(name, table.columns, "column of the lines")
    for total in spec.totals:
        _known(total.name, inputs, "input of the group's rules")
        for part in filter(None, (total.of, total.only)):
            _known(part, outputs, "output of the line's rules")
    wanted = tuple(dict.fromkeys(part for total in spec.totals for part in (total.of, total.only) if part))
    some = wanted or (lines[1].outputs[0].name,)
    line_query = compile_sql(*lines, table.text, table.columns, Wanted(spec.key, False, False, "", some))
    key = ", ".join(map(identifier, spec.key))
    sums = [f"{total_sql(total, inputs[total.name], outputs)} AS {identifier(total.name)}" for total in spec.totals]
    doubt = f"BOOL_OR(trouble <> 0) AS {identifier(DOUBTFUL)}"
    inner = f"SELECT {', '.join([key, *sums, doubt])} FROM (\n{line_query.text}) AS lines GROUP BY {key}"  # noqa: S608 - names are quoted
    columns = {total.name: holds(total, inputs[total.name], outputs) for total in spec.totals}
    source = f"({inner}) AS totals"
    if terms is not None:
        others = {name: column for name, column in terms.columns.items() if name in inputs and name not in columns}
        columns |= others
        source = f"(SELECT * FROM {source} LEFT JOIN {terms.text} AS terms USING ({key})) AS groups"  # noqa: S608 - as above
    return compile_sql(*groups, source, columns, Wanted(spec.key, True, fired, doubtful=DOUBTFUL))


def _known(name: str, known: Mapping[str, object], what: str) -> None:
    if name not in known:
        raise InvalidInput(f"There is no {what} {name!r}.", remedy=meant(name, known))


def total_sql(total: Total, field: Field, outputs: Mapping[str, Field]) -> str:
    """Write an aggregate over the lines' scaled whole numbers."""
    only = f" FILTER (WHERE {identifier(total.only)})" if total.only else ""
    if total.function == "count":
        return f"COUNT(*){only}"
    one = outputs.get(total.of)
    if one is None or one.kind != "number" or field.kind != "number":
        raise InvalidInput(
            f"The {total.function} {total.name} is taken of a number.", remedy="Name an output that is one."
        )
    column = identifier(total.of)
    if total.function in ("min", "max"):
        return f"{total.function.upper()}({column}){only}"
    added = f"SUM({column}){only}"
    if total.function == "sum":
        return f"COALESCE({added}, 0)"
    count = f"COUNT({column}){only}"
    up, down = 10 ** max(0, field.decimals - one.decimals), 10 ** max(0, one.decimals - field.decimals)
    double, whole = f"2 * {up} * ABS({added})", f"{count} * {down}"
    quotient = f"({double} + {whole}) // NULLIF(2 * {whole}, 0)"
    return f"CASE WHEN {added} < 0 THEN -({quotient}) ELSE {quotient} END"


def holds(total: Total, field: Field, outputs: Mapping[str, Field]) -> Column:
    """Say what the column of a total holds."""
    if total.function == "count":
        return Column("whole", 0)
    return Column("whole", field.decimals if total.function == "average" else outputs[total.of].decimals)
