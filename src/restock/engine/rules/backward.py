"""Answers queries backwards: from the goal to the rules that can set what it reads, and to those that these need.

Only that part of the rulebook runs. Because a decision is a function of its inputs, the goal then has the same value as
after all rules; the strategies of the published language order the search and never change the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from restock.core.errors import InvalidInput
from restock.engine.rules.agenda import Agenda
from restock.engine.rules.errors import SourceText
from restock.engine.rules.fact_memory import Memory, flat_reader, plain_fact
from restock.engine.rules.fact_writes import checked
from restock.engine.rules.ir import Field, Value
from restock.engine.rules.ir_patterns import (
    FactProgram,
    FactQuery,
    FactRule,
    FactValue,
    SetField,
    action_reads_of,
    reads_of,
    writes_of,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the goal holds, its solutions, the rules used, and what the answer sets.

    A solution is the values of the goal's variables, without any the fields of the facts found. `missing` names inputs
    without which nothing could be said; `cut` says that rules beyond max-depth were left out.
    """

    proved: bool
    solutions: tuple[dict[str, FactValue], ...]
    fired: tuple[str, ...]
    outputs: dict[str, Value]
    missing: tuple[str, ...] = ()
    cut: bool = False


def relevant(
    rules: tuple[FactRule, ...], goals: tuple[FactRule, ...], max_depth: int
) -> tuple[tuple[FactRule, ...], bool]:
    """Give the rules that the goals depend on, over at most so many steps, and whether some were left out."""
    wanted = set().union(*(reads_of(goal) for goal in goals))
    chosen: set[int] = set()
    for depth in range(max_depth + 1):
        new = [at for at, rule in enumerate(rules) if at not in chosen and _touches(writes_of(rule), wanted)]
        if not new:
            return tuple(rule for at, rule in enumerate(rules) if at in chosen), False
        if depth == max_depth:
            break
        chosen |= set(new)
        for at in new:
            wanted |= reads_of(rules[at]) | action_reads_of(rules[at])
    return tuple(rule for at, rule in enumerate(rules) if at in chosen), True


def _touches(writes: set[tuple[str, str]], reads: set[tuple[str, str]]) -> bool:
    removed = {kind for kind, path in writes if kind and not path}
    return bool(writes & reads) or any(kind in removed for kind, _ in reads)


def ask(
    source: SourceText, program: FactProgram, query: FactQuery, document: Mapping[str, object], at: datetime | None
) -> Answer:
    """Answer a query on facts. Raises InvalidInput for a wrong fact, RuleError where a rule cannot be evaluated."""
    rules, cut = relevant(program.rules, query.goals, query.max_depth)
    part = replace(program, rules=rules)
    memory = Memory(part)
    try:
        needed = _inputs(part, (*rules, *query.goals))
        memory.flat |= flat_reader(replace(part, inputs=needed)).complete(document)
    except InvalidInput as error:
        if not error.field or document.get(error.field) is not None:
            raise
        return Answer(False, (), (), _set(source, program, query.missing, memory.flat), (error.field,), cut)
    memory.load(document)
    agenda = Agenda(source, part, memory, at)
    fired = agenda.run()
    solutions: list[dict[str, FactValue]] = []
    outputs: dict[str, Value] = {}
    for goal, values in _matches(query, agenda):
        found = _solution(query, values, memory)
        if not (query.variables and found in solutions):
            solutions.append(found)
            outputs |= _set(source, program, goal, values)
        if len(solutions) >= query.max_solutions:
            break
    if not solutions:
        outputs = _set(source, program, query.failure, memory.flat)
    return Answer(bool(solutions), tuple(solutions), fired, outputs, (), cut)


def _matches(query: FactQuery, agenda: Agenda) -> Iterator[tuple[FactRule, Mapping[str, FactValue]]]:
    """Give what matches each alternative of the goal."""
    for goal in query.goals:
        for values, _ in agenda.matches(goal.conditions, dict(agenda.memory.flat), ()):
            yield goal, values


def _solution(query: FactQuery, values: Mapping[str, FactValue], memory: Memory) -> dict[str, FactValue]:
    """Give the values of the query's variables, or without any the fields of the facts found."""
    if not query.variables:
        return {name: value for name, value in values.items() if name not in memory.flat}
    given = {
        name: values[field] for name, fields in query.variables.items() for field in fields[::-1] if field in values
    }
    return plain_fact(given)


def _inputs(program: FactProgram, rules: tuple[FactRule, ...]) -> tuple[Field, ...]:
    read = {path for rule in rules for kind, path in reads_of(rule) | action_reads_of(rule) if not kind}
    return tuple(replace(one, helper=one.name not in read) for one in program.inputs)


def _set(source: SourceText, program: FactProgram, rule: FactRule, values: Mapping[str, FactValue]) -> dict[str, Value]:
    now = dict(values)
    found: dict[str, Value] = {}
    for action in rule.actions:
        if isinstance(action, SetField) and not action.variable:
            value = checked(source, program, rule, action, "", now)
            assert not isinstance(value, tuple) and value is not None, "a flat field is one value"
            now[action.path] = found[action.path] = value
    return found
