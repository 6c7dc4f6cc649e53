"""Whether rules over facts can be kept up to date by increments; if not, which rule prevents it and why.

The theorem of `stratify`, with a type and a field in the place of a field: no rule writes what the conditions of an earlier
one or its own read (`own_claims` tells of an exception), and no rule adds up a field over several matches. Then the value of
a field is that of the last rule that writes it, and of its last match in the order of facts, whatever the order of events
was; it goes with its reason.

All other rulebooks run too: their derived values are made anew from the facts by the agenda.
"""

from __future__ import annotations

from typing import TypeGuard

from restock.engine.rules.ir import fields_read
from restock.engine.rules.ir_patterns import (
    FactProgram,
    FactRule,
    Match,
    SetField,
    place_of_read,
    reads_of,
    tests_of,
    variables_of,
    writes_of,
)
from restock.engine.rules.syntax import MAIN


def reason_against_increments(program: FactProgram) -> str:
    """Say why derived values must be made anew after each change; empty when increments are proved to be the same."""
    readers: dict[tuple[str, str], str] = {}
    for rule in program.rules:
        reason = _of_one(rule)
        if reason:
            return f"{rule.name} (line {rule.place.line}) {reason}"
        for kind, path in reads_of(rule) - own_claims(rule):
            readers.setdefault((kind, path), rule.name)
        for kind, path in writes_of(rule):
            if (kind, path) in readers:
                name = f"{kind}.{path}" if kind else path
                reader = readers[kind, path]
                where = (
                    "its own condition reads" if reader == rule.name else f"the condition of {reader} above it reads"
                )
                return f"{rule.name} (line {rule.place.line}) writes {name}, which {where}"
        for claim in own_claims(rule):
            readers.setdefault(claim, rule.name)
    return ""


def own_claims(rule: FactRule) -> set[tuple[str, str]]:
    """Give what a no-loop rule both asks and sets: `when $o: Order(!taken) then $o.taken = true`.

    Its condition then reads the field as the rules above left it. That is right where a match concerns one fact only, so
    that no match can take the condition of another away.
    """
    own = writes_of(rule) & reads_of(rule)
    matched = [one for one in rule.conditions if isinstance(one, Match)]
    if not own or not rule.no_loop or len(matched) > 1:
        return set()
    variables = variables_of(rule.conditions)
    target = matched[0].variable if matched else ""
    for name in fields_read(*tests_of(rule.conditions)):
        if place_of_read(name, variables) in own and (name.partition(".")[0] if target else "") != target:
            return set()
    if any((kind == "") is bool(matched) for kind, _ in own):
        return set()
    return own


def _of_one(rule: FactRule) -> str:
    if not all(isinstance(action, SetField) for action in rule.actions):
        return "retracts, appends or changes the focus"
    if rule.lock_on_active or rule.auto_focus or rule.activation_group or rule.group != MAIN:
        return "belongs to a group"
    matched = {one.variable for one in rule.conditions if isinstance(one, Match)}
    targets = {f"{one.variable}.{one.path}" if one.variable else one.path for one in rule.actions if _sets(one)}
    written: dict[tuple[str, str], str] = {}
    for action in rule.actions:
        assert isinstance(action, SetField), "looked at above"
        again = targets & set(fields_read(action.value))
        again -= {f"{variable}.{path}" if variable else path for (_, path), variable in written.items()}
        if again and matched - {action.variable}:
            return f"sets {min(again)} from itself, once for each of several matches"
        for name in fields_read(action.value):
            variable, _, path = name.partition(".")
            seen = written.get((rule.types.get(variable, "-"), path), variable)
            if seen != variable:
                return f"reads {name} after it has set {seen}.{path}, which may be the same fact"
        target = (rule.types.get(action.variable, ""), action.path)
        if written.setdefault(target, action.variable) != action.variable:
            return f"sets {action.path} of two facts of one type"
    return ""


def _sets(action: object) -> TypeGuard[SetField]:
    return isinstance(action, SetField)
