"""A whole rulebook as one query: layers of columns from a table to the outputs, the fired rules and the trouble column.

The text is DuckDB's; `dialects` turns it into others. A row that cannot be decided has NULL outputs and a number in
`trouble`, which `SqlQuery.troubles` puts into words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from restock.engine.rules.errors import SourceText
from restock.engine.rules.ir import Apply, Field, Program, walk
from restock.engine.rules.sql.expressions import Expressions
from restock.engine.rules.sql.inputs import Column, Inputs, bounds, columns_needed, identifier
from restock.engine.rules.sql.layers import INDENT, Layers
from restock.engine.rules.sql.rules import RulePass, Trouble
from restock.engine.rules.sql.targets import TARGETS, Target
from restock.engine.rules.sql.terms import INT64, Integers, SqlRefused, Term
from restock.engine.rules.sql.texts import Texts, quoted
from restock.engine.rules.stratify import reason_against_one_pass

MASK_BITS: Final = 62
"""Rules in one fired column: what a BIGINT holds without its sign."""

MAX_LAYERS: Final = 200
"""Most layers of a query: engines walk nested queries recursively, and DuckDB plans 200 in half a second."""


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """The text. `outputs` are its columns after `keep`; then come `masks` fired columns, if asked for, and trouble."""

    text: str
    keep: tuple[str, ...]
    outputs: tuple[Field, ...]
    rules: tuple[str, ...]
    masks: int
    troubles: tuple[str, ...]

    def fired(self, masks: Sequence[int]) -> tuple[str, ...]:
        """Name the fired rules, in firing order."""
        return tuple(name for at, name in enumerate(self.rules) if masks[at // MASK_BITS] >> (at % MASK_BITS) & 1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query shall give.

    `keep` are columns of the table handed through. With `people` numbers are DECIMAL, texts are spelled out, and trouble is
    a sentence; without, numbers are scaled BIGINT and coded texts are spelled out too. `only` names a bool output: rows
    where it is false are left out, rows in trouble are not. `doubtful` names a bool column of the table: where it is true
    the row is in trouble from the start.
    """

    keep: tuple[str, ...] = ()
    people: bool = True
    fired: bool = True
    only: str = ""
    outputs: tuple[str, ...] = ()
    doubtful: str = ""


DOUBT: Final = "A row that this one sums up could not be decided."


def reason_against_sql(program: Program) -> str:
    """Say why SQL cannot run the program; empty when it can."""
    reason = reason_against_one_pass(program.rules)
    if reason:
        return reason
    for one in (*columns_needed(program), *program.outputs):
        if one.kind == "number":
            if one.low is None or one.high is None:
                return f"line {one.place.line}: the range of {one.name} is unknown; declare the ranges of the inputs"
            if max(map(abs, bounds(one))) >= INT64:
                return f"line {one.place.line}: {one.name} may need more digits than a BIGINT holds; declare narrower ranges"
    return ""


def compile_sql(
    source: SourceText,
    program: Program,
    table: str,
    columns: Mapping[str, Column],
    wanted: Wanted,
    target: Target = TARGETS["duckdb"],
) -> SqlQuery:
    """Write the query. `table` is SQL text that stands after FROM. Raises SqlRefused with the reason when there is none."""
    _refuse(source, program, target)
    layers, integers = Layers(), Integers(huge=target.huge)
    expressions = Expressions(source, program.fields(), layers, integers, Texts(integers, target.exact))
    inputs = Inputs(program, columns, layers, integers, expressions)
    kept = {name: layers.source(f"keep_{name}", identifier(name)) for name in wanted.keep}
    walked = RulePass(program, inputs.all(), layers, integers, expressions)
    outputs = walked.run()
    chosen = tuple(one for one in program.outputs if not wanted.outputs or one.name in wanted.outputs)
    troubles = [*_doubt(layers, wanted.doubtful), *inputs.troubles, *walked.troubles]
    outer = _Outer(layers, integers, wanted)
    fine = outer.fine(troubles)
    lines = [f"{column} AS {identifier(name)}" for name, column in kept.items()]
    lines += [outer.output(one, expressions.decoded(outputs[one.name]), fine) for one in chosen]
    masks = outer.masks(walked.flags) if wanted.fired else []
    lines += masks
    lines.append(outer.told(fine, troubles))
    used = {*outer.used, *kept.values()}
    where = ""
    if wanted.only:
        flag = outputs[wanted.only]
        used |= flag.uses
        where = f"\nWHERE {flag.code}" + (f" OR NOT {fine.code}" if troubles else "")
    text = _assembled(layers.select(table, used), lines, where)
    rules = tuple(rule.name for rule in program.rules)
    return SqlQuery(text, tuple(kept), chosen, rules, len(masks), tuple(one.sentence for one in troubles))


def _doubt(layers: Layers, column: str) -> list[Trouble]:
    if not column:
        return []
    name = layers.source("doubtful", identifier(column))
    return [Trouble(Term(name, frozenset((name,))), DOUBT)]


def _refuse(source: SourceText, program: Program, target: Target) -> None:
    reason = reason_against_sql(program)
    if reason:
        raise SqlRefused(
            f"SQL cannot run {source.name}: {reason}.",
            remedy="Use the reference engine, or change the rules as it says.",
        )
    for rule in program.rules:
        for node in (rule.condition, *(write.value for write in rule.writes)):
            for part in walk(node):
                if isinstance(part, Apply) and part.function in target.lacks:
                    raise SqlRefused(
                        f"{target.name} cannot run {source.name}: {part.function} on line {part.place.line} has no exact"
                        " counterpart there.",
                        remedy="Use --dialect duckdb, or do without the function.",
                    )
    names = [one.name.lower() for one in program.outputs]
    double = next((name for name in names if names.count(name) > 1), "")
    if double:
        raise SqlRefused(
            f"SQL cannot run {source.name}: two outputs differ only in case ({double}).", remedy="Rename one."
        )


class _Outer:
    """Writes the outermost SELECT and remembers the columns it needs."""

    def __init__(self, layers: Layers, integers: Integers, wanted: Wanted) -> None:
        self._layers = layers
        self._integers = integers
        self._wanted = wanted
        self.used: set[str] = set()

    def fine(self, troubles: Sequence[Trouble]) -> Term:
        """Define the column that is true for rows without trouble."""
        if not troubles:
            return Term("TRUE", constant=True)
        tests = [self._layers.column("trouble", _certain(one.when)) for one in troubles]
        made = self._integers.made(f"NOT ({' OR '.join(one.code for one in tests)})", tuple(tests), 0, 0)
        return self._use(self._layers.define("decided", made))

    def told(self, fine: Term, troubles: Sequence[Trouble]) -> str:
        """Write the trouble column: the number or the sentence of the first."""
        people = self._wanted.people
        cases = []
        for at, one in enumerate(troubles, 1):
            test = self._use(self._layers.column("trouble", _certain(one.when)))
            cases.append(f"WHEN {test.code} THEN {quoted(one.sentence) if people else at}")
        none = "CAST(NULL AS VARCHAR)" if people else "0"
        code = f"CASE WHEN {fine.code} THEN {none} {' '.join(cases)} END" if troubles else none
        return f"{code if people else f'CAST({code} AS BIGINT)'} AS trouble"

    def output(self, one: Field, term: Term, fine: Term) -> str:
        """Write an output column."""
        self._use(term)
        code = term.code
        if one.kind == "number":
            code = self._decimal(one, term) if self._wanted.people else f"CAST({code} AS BIGINT)"
        if self._wanted.people and fine.constant is None:
            code = f"CASE WHEN {fine.code} THEN {code} END"
        return f"{code} AS {identifier(one.name)}"

    def masks(self, flags: Sequence[Term]) -> list[str]:
        """Write the fired columns: bit i of the n-th stands for rule i of its 62."""
        lines = []
        for start in range(0, len(flags), MASK_BITS):
            part = [self._use(flag) for flag in flags[start : start + MASK_BITS]]
            bits = " + ".join(f"CASE WHEN {flag.code} THEN {1 << at} ELSE 0 END" for at, flag in enumerate(part))
            lines.append(f"CAST({bits} AS BIGINT) AS fired{f'_{start // MASK_BITS + 1}' if start else ''}")
        return lines

    def _use(self, term: Term) -> Term:
        self.used |= term.uses
        return term

    def _decimal(self, one: Field, term: Term) -> str:
        """Write a number with its point. Multiplied, because DuckDB divides decimals to binary fractions."""
        digits = max(len(str(abs(bound))) for bound in (*bounds(one), term.low, term.high))
        width = max(digits, one.decimals + 1)
        if not one.decimals:
            return f"CAST({term.code} AS DECIMAL({width}, 0))"
        unit = "0." + "1".rjust(one.decimals, "0")
        return f"CAST(CAST({term.code} AS DECIMAL({width}, 0)) * {unit} AS DECIMAL({width}, {one.decimals}))"


def _certain(test: Term) -> Term:
    """Give a test that is never NULL: no value is no trouble of this kind."""
    return replace(test, code=f"(({test.code}) IS TRUE)", undefined=False) if test.undefined else test


def _assembled(layers: Sequence[tuple[str, str]], lines: Sequence[str], where: str) -> str:
    if len(layers) > MAX_LAYERS:
        raise SqlRefused(
            f"The rules need {len(layers)} layers of SQL, more than {MAX_LAYERS}.",
            remedy="Use the row engine, or shorten the chain of rules that need one another.",
        )
    named = [f"{name} AS (\n{INDENT}" + text.replace("\n", f"\n{INDENT}") + "\n)" for name, text in layers]
    joined = f",\n{INDENT}".join(lines)
    return f"WITH {', '.join(named)}\nSELECT\n{INDENT}{joined}\nFROM {layers[-1][0]}{where}\n"
