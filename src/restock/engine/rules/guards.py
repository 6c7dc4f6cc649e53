"""The guard index: in a run of rules that each ask for one value of the same input, only those of its value are looked at.

    rule A { when category == "a" && ... }      rule B { when category == "b" && ... }      ... a thousand more

Such rules exclude one another, so that their order does not matter. The row function looks the value up once and then
chooses by halves; a rule that is reached has its guard already and tests only the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.ir import (
    Apply,
    Arithmetic,
    Compare,
    Const,
    Expr,
    Field,
    Logic,
    Read,
    Rounded,
    RuleIR,
    Value,
    conjuncts,
    walk,
)

SHORTEST_RUN: Final = 6
"""Fewest rules in a row for which an index is quicker than asking each."""

Position = int

Held = Value | int
"""A constant as the row function holds it."""


@dataclass(frozen=True)
class Run:
    """Rules in a row with guards on one input; `cases` gives the rules of each value, guards taken away."""

    field: str
    cases: dict[Held, list[tuple[Position, RuleIR]]]


def runs(rules: Sequence[RuleIR], inputs: Mapping[str, Field]) -> Iterator[Run | tuple[Position, RuleIR]]:
    """Give the rules in order, runs of guarded ones as one."""
    guards = [_guards(rule, inputs) for rule in rules]
    at = 0
    while at < len(rules):
        names, end = set(guards[at]), at
        while end < len(rules) and names & set(guards[end]):
            names &= set(guards[end])
            end += 1
        if end - at < SHORTEST_RUN:
            yield at, rules[at]
            at += 1
            continue
        field = min(names)
        cases: dict[Held, list[tuple[Position, RuleIR]]] = {}
        for position in range(at, end):
            value, rest = guards[position][field]
            cases.setdefault(value, []).append((position, replace(rules[position], condition=rest)))
        yield Run(field, cases)
        at = end


def _guards(rule: RuleIR, inputs: Mapping[str, Field]) -> dict[str, tuple[Held, Expr]]:
    """Give the inputs that a rule fixes, with the value as the row function holds it and the rest of the condition.

    What stands before the guard must have a value for any facts: else the rule could fail where its guard does not hold.
    """
    tests = conjuncts(rule.condition)
    found: dict[str, tuple[Held, Expr]] = {}
    for at, test in enumerate(tests):
        match test:
            case Compare(operator="==", left=Read(name=name), right=Const(value=value)) if name in inputs:
                held = _held(inputs[name], value)
                if held is not None:
                    found.setdefault(name, (held, _joined([*tests[:at], *tests[at + 1 :]])))
            case _:
                pass
        if not _always_has_a_value(test):
            break
    return found


def _held(field: Field, value: Value) -> Held | None:
    """Give a constant as the row function holds it; None when the field cannot hold it."""
    if not isinstance(value, Decimal):
        return value
    scaled = EXACT.scaleb(value, field.decimals)
    return int(scaled) if scaled == int(scaled) else None


def _joined(tests: list[Expr]) -> Expr:
    if not tests:
        return Const("bool", True)
    result = tests[0]
    for test in tests[1:]:
        result = Logic("&&", result, test, test.place)
    return result


def _always_has_a_value(node: Expr) -> bool:
    return not any(
        isinstance(part, Rounded | Apply) or (isinstance(part, Arithmetic) and part.operator == "%")
        for part in walk(node)
    )
