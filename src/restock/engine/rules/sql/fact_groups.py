"""Rules over facts as one query: facts that a rule adds up are grouped by their key, then each fact of one type is decided.

Types are tables of their names with a column for each field. `aggregates` finds the two steps: here the first becomes a
rulebook of one row, which says which rows count and with which value, so that both steps are written by `compile_sql`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import reduce

from restock.engine.rules.aggregates import Aggregate, GroupPlan, group_plan
from restock.engine.rules.errors import RuleError, SourceText
from restock.engine.rules.ir import Const, Expr, Field, Logic, Program, Read, RuleIR, Write, fields_read
from restock.engine.rules.ir_patterns import FactProgram
from restock.engine.rules.ranges import measure
from restock.engine.rules.sql.book import FactBook
from restock.engine.rules.sql.groups import DOUBTFUL, Function, Total, holds, total_sql
from restock.engine.rules.sql.inputs import Column, columns_needed, identifier
from restock.engine.rules.sql.query import SqlQuery, Wanted, compile_sql
from restock.engine.rules.sql.terms import SqlRefused
from restock.engine.rules.syntax import MAIN

Key = tuple[tuple[str, str], ...]
"""Pairs of a column of the facts that are added up and the column of the fact that is decided."""


def fact_sql(rulebook: FactBook, *, keep: Sequence[str] = ()) -> SqlQuery:
    """Write the query that decides each fact of the type that the rules are about.

    `keep` are columns of its table handed through; by default those by which others find it. A fact that adds up one which
    cannot be decided is in trouble itself. Raises SqlRefused with the reason where the rules have no such form.
    """
    source, program = rulebook.source, rulebook.program
    plan = group_plan(source, program)
    if isinstance(plan, str):
        raise _refused(source, plan)
    _refuse(source, program, plan)
    by_key: dict[tuple[str, Key], list[Aggregate]] = {}
    for one in plan.aggregates:
        by_key.setdefault((one.type, _key(source, one)), []).append(one)
    inputs = {one.name: one for one in plan.program.inputs}
    columns = {one.name: Column(one.kind) for one in columns_needed(plan.program)}
    text, wanted, doubts = f"{identifier(plan.type)} AS facts", ["facts.*"], list[str]()
    for at, ((kind, key), aggregates) in enumerate(by_key.items(), 1):
        name = identifier(f"totals {at}")
        totals, held = _totals(source, program, kind, key, aggregates, inputs)
        columns |= {total: held[total] for total in held if total in columns}
        on = " AND ".join(f"{name}.{identifier(there)} = facts.{identifier(here)}" for there, here in key) or "TRUE"
        text = f"{text}\nLEFT JOIN ({totals}) AS {name} ON {on}"
        wanted += [f"{_filled(one, name)} AS {identifier(one.name)}" for one in aggregates]
        doubts.append(f"COALESCE({name}.{identifier(DOUBTFUL)}, FALSE)")
        doubts += [f"facts.{identifier(here)} IS NULL" for _, here in key]
    wanted.append(f"{' OR '.join(doubts) or 'FALSE'} AS {identifier(DOUBTFUL)}")
    table = f"(SELECT {', '.join(wanted)} FROM {text}) AS groups"  # noqa: S608 - names are quoted
    kept = tuple(keep) or tuple(dict.fromkeys(here for _, key in by_key for _, here in key))
    return compile_sql(source, plan.program, table, columns, Wanted(kept, doubtful=DOUBTFUL))


def _filled(one: Aggregate, name: str) -> str:
    """Write an aggregate of no facts: 0; what of nothing has no value is asked for by no rule."""
    return f"COALESCE({name}.{identifier(one.name)}, 0)"


def _totals(
    source: SourceText,
    program: FactProgram,
    kind: str,
    key: Key,
    aggregates: Sequence[Aggregate],
    inputs: dict[str, Field],
) -> tuple[str, dict[str, Column]]:
    """Write the query that adds up facts of a type by key, and say what its columns hold."""
    members = _members(source, program, kind, aggregates)
    outputs = {one.name: one for one in members.outputs}
    there = tuple(column for column, _ in key)
    needed = {one.name: Column(one.kind) for one in columns_needed(members)}
    each = compile_sql(source, members, identifier(kind), needed, Wanted(there, False, False, "", tuple(outputs)))
    columns = ", ".join(map(identifier, there))
    chosen = [columns] if columns else []
    held: dict[str, Column] = {}
    for one in aggregates:
        function: Function = "average" if one.function == "avg" else one.function
        total = Total(one.name, function, _value(one), _counts(one))
        chosen.append(f"{total_sql(total, inputs[one.name], outputs)} AS {identifier(one.name)}")
        held[one.name] = holds(total, inputs[one.name], outputs)
    chosen.append(f"BOOL_OR(trouble <> 0) AS {identifier(DOUBTFUL)}")
    by = f" GROUP BY {columns}" if columns else ""
    return f"SELECT {', '.join(chosen)} FROM (\n{each.text}) AS members{by}", held  # noqa: S608 - names are quoted


def _members(source: SourceText, program: FactProgram, kind: str, aggregates: Sequence[Aggregate]) -> Program:
    """Give the rulebook of one fact that is added up: for each aggregate whether it counts, and with which value."""
    fields = {one.name: replace(one.field, role="input") for one in program.type(kind).fields}
    rules: list[RuleIR] = []
    for one in aggregates:
        fields[_counts(one)] = Field(_counts(one), "output", "bool", default=False)
        writes = [Write(_counts(one), Const("bool", True))]
        if _value(one):
            fields[_value(one)] = Field(_value(one), "output", "number", default=Decimal(0))
            writes.append(Write(_value(one), one.value))
        condition = reduce(_and, one.filters) if one.filters else Const("bool", True)
        rules.append(RuleIR(one.name, 0, True, MAIN, condition, tuple(writes)))
    try:
        measured = measure(source, fields, tuple(rules)).fields.values()
    except RuleError as error:
        raise _refused(source, error.message) from None
    sides = [tuple(one for one in measured if one.role == role) for role in ("input", "output")]
    return Program(sides[0], sides[1], tuple(rules))


def _and(left: Expr, right: Expr) -> Expr:
    return Logic("&&", left, right)


def _counts(one: Aggregate) -> str:
    return f"{one.name} counts"


def _value(one: Aggregate) -> str:
    return "" if one.function == "count" else f"{one.name} value"


def _key(source: SourceText, one: Aggregate) -> Key:
    found = [(there.name, here.name) for there, here in one.keys if isinstance(there, Read) and isinstance(here, Read)]
    if len(found) < len(one.keys):
        raise _refused(source, f"{one.type} is not found by a plain field")
    return tuple(found)


def _refuse(source: SourceText, program: FactProgram, plan: GroupPlan) -> None:
    """Refuse what one pass over rows would read otherwise: facts that the rules change, and what may be absent."""
    names = [one.name for one in program.types]
    for group in (names, *([one.name for one in kind.fields] for kind in program.types)):
        lowered = [name.lower() for name in group]
        double = next((name for name in group if lowered.count(name.lower()) > 1), "")
        if double:
            raise _refused(source, f"another name differs from {double} only in case")
    own = {one.name for one in program.type(plan.type).fields if one.derived}
    for one in plan.aggregates:
        read = fields_read(one.value, *one.filters, *(there for there, _ in one.keys))
        if one.type == plan.type and own & set(read):
            raise _refused(source, f"it adds up {min(own & set(read))} of {one.type}, which its rules set")
        if own & set(fields_read(*(here for _, here in one.keys))):
            raise _refused(source, f"{one.type} is found by a field that its rules set")
    for kind in dict.fromkeys([plan.type, *(one.type for one in plan.aggregates)]):
        for each in program.type(kind).fields:
            if each.many or each.optional:
                raise _refused(source, f"{kind}.{each.name} is a list or may be absent")
            if each.untyped:
                raise _refused(
                    source, f"the kind of {kind}.{each.name} is unknown; declare input {kind}.{each.name}: text"
                )


def _refused(source: SourceText, reason: str) -> SqlRefused:
    return SqlRefused(f"SQL cannot run {source.name}: {reason}.", remedy="The network does: restock decide.")
