"""Why rules over facts came out as they did: each firing with what it read and wrote; of silent rules what no fact met.

Facts have no names, so they are told by type and number in the order of the document: `Supplier 2.budget`. The explanation
is the same record as that of rules over one set of fields, and is shown by the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from restock.engine.rules.absence import only_given, presence
from restock.engine.rules.agenda import Agenda, Values
from restock.engine.rules.explain import Explanation, FiredRule, NotFiredRule
from restock.engine.rules.ir import Expr, Value, fields_read
from restock.engine.rules.ir_patterns import (
    AppendTo,
    Condition,
    FactProgram,
    FactRule,
    FactValue,
    Gather,
    Match,
    Remove,
    SetField,
    tests_of,
)
from restock.engine.rules.ir_texts import condition_text, expression_text
from restock.engine.rules.printer import print_value
from restock.engine.rules.reference import Undefined, evaluate, plain_values
from restock.engine.rules.syntax import MAIN

MOST: Final = 1_000
"""Facts and beginnings of a match that are looked at for the nearest: what is farther explains no better."""

REMOVED: Final = "retracted"
"""What is told of a fact that a rule took away."""


@dataclass(frozen=True, slots=True)
class _Missed:
    """What a rule lacks: how many of its conditions hold together, the first that does not, what it read."""

    depth: int
    test: str
    values: dict[str, Value]


class Explainer:
    """Explains one run of the agenda. Make it before the run, when the facts are as they were given."""

    def __init__(self, program: FactProgram, agenda: Agenda) -> None:
        self._program = program
        self._agenda = agenda
        self._names: dict[int, str] = {}
        for kind, found in agenda.memory.facts.items():
            self._names |= {handle: f"{kind.partition('~')[0]} {at}" for at, handle in enumerate(found, 1)}
        given = {one.name: agenda.memory.flat[one.name] for one in program.inputs if one.name in agenda.memory.flat}
        self._given = plain_values(only_given(given)) | self._of_facts(derived=False)

    def explanation(self) -> Explanation:
        """Explain what the agenda did."""
        flat = {one.name: self._agenda.memory.flat[one.name] for one in self._program.outputs}
        fired = tuple(self._fired())
        names = {one.name for one in fired}
        return Explanation(
            plain_values(flat) | self._of_facts(derived=True), self._given, fired, tuple(self._silent(names))
        )

    def _of_facts(self, *, derived: bool) -> dict[str, Value]:
        """Give the fields of all facts, those that rules write or the others."""
        wanted = {
            kind.name: {one.name for one in kind.fields if one.derived is derived} for kind in self._program.types
        }
        return _told(
            {
                f"{self._names[handle]}.{path}": value
                for kind, handle, values in self._agenda.memory.all()
                for path, value in values.items()
                if path in wanted[kind]
            }
        )

    def _fired(self) -> Iterator[FiredRule]:
        for one, written in zip(self._agenda.fired, self._agenda.written, strict=True):
            rule = one.rule
            bound = self._bound(rule.conditions, one.handles)
            actions = (action.value for action in rule.actions if isinstance(action, SetField | AppendTo))
            names = fields_read(*tests_of(rule.conditions), *actions)
            reads = _named({name: one.values[name] for name in names if name in one.values}, bound)
            told = _told({_gathered(rule, name): value for name, value in reads.items()})
            removed = {bound[action.variable]: REMOVED for action in rule.actions if isinstance(action, Remove)}
            writes = {**_told(_named(written, bound)), **removed}
            yield FiredRule(rule.name, rule.salience, rule.description, told, writes)

    def _silent(self, fired: set[str]) -> Iterator[NotFiredRule]:
        missed: dict[str, tuple[FactRule, _Missed]] = {}
        for rule in self._program.rules:
            if rule.name not in fired:
                found = self._missed(rule)
                if rule.name not in missed or found.depth > missed[rule.name][1].depth:
                    missed[rule.name] = rule, found
        for name, (rule, found) in missed.items():
            values = {_gathered(rule, read): value for read, value in found.values.items()}
            yield NotFiredRule(name, rule.salience, rule.description, _gathered(rule, found.test), values, None)

    def _missed(self, rule: FactRule) -> _Missed:
        """Find the first condition that nothing meets together with those before it."""
        begun: list[tuple[Values, tuple[int, ...]]] = [(dict(self._agenda.memory.flat), ())]
        for depth, condition in enumerate(rule.conditions):
            further = list(self._further(condition, begun))
            if not further:
                values, handles = begun[0]
                bound = self._bound(rule.conditions[:depth], handles)
                if isinstance(condition, Match):
                    return self._nearest(depth, condition, values, bound)
                tests = fields_read(*tests_of((condition,)))
                read = {name: values[name] for name in tests if name in values}
                return _Missed(depth, condition_text(condition), _told(_named(read, bound)))
            begun = further
        return _Missed(len(rule.conditions), _held_back(rule), {})

    def _further(
        self, condition: Condition, begun: list[tuple[Values, tuple[int, ...]]]
    ) -> Iterator[tuple[Values, tuple[int, ...]]]:
        found = 0
        for values, handles in begun:
            try:
                for each in self._agenda.matches((condition,), values, handles):
                    yield each
                    found += 1
                    if found == MOST:
                        return
            except Undefined:
                continue

    def _nearest(self, depth: int, condition: Match, values: Values, bound: dict[str, str]) -> _Missed:
        """Tell of the fact that meets most tests of a pattern which the first is that it does not meet."""
        best, test, read = -1, condition_text(condition), dict[str, Value]()
        for handle, fact in list(self._agenda.memory.facts[condition.type].items())[:MOST]:
            inner = values | {f"{condition.variable}.{path}": value for path, value in fact.items()}
            met = next((at for at, one in enumerate(condition.tests) if not _holds(one, inner)), len(condition.tests))
            if met > best and met < len(condition.tests):
                best = met
                test = f"{condition.type}: {expression_text(condition.tests[met], condition.variable)}"
                names = bound | {condition.variable: self._names[handle]}
                wanted = fields_read(condition.tests[met])
                read = _told(_named({name: inner[name] for name in wanted if name in inner}, names))
        return _Missed(depth, test, read)

    def _bound(self, conditions: tuple[Condition, ...], handles: tuple[int, ...]) -> dict[str, str]:
        order = [condition.variable for condition in conditions if isinstance(condition, Match)]
        return {variable: self._names[handle] for variable, handle in zip(order, handles, strict=True)}


def _holds(test: Expr, values: Values) -> bool:
    try:
        return evaluate(test, cast(Mapping[str, Value], values)) is True
    except Undefined:
        return False


def _held_back(rule: FactRule) -> str:
    """Say what kept a rule whose conditions hold from firing."""
    if rule.group != MAIN:
        return f'agenda-group "{rule.group}" has the focus'
    if rule.activation_group:
        return f'no other rule of activation-group "{rule.activation_group}" has fired'
    if rule.effective or rule.expires:
        return "its dates hold at this moment"
    return "its conditions held when its turn came"


def _gathered(rule: FactRule, text: str) -> str:
    """Write for the result of an accumulate, which has a name only inside, what it is: sum(Line.value)."""
    for one in rule.conditions:
        if isinstance(one, Gather):
            of = f".{expression_text(one.value, one.variable)}" if one.function != "count" else ""
            text = text.replace(one.name, f"{one.function}({one.type}{of})")
    return text


def _named(values: Mapping[str, FactValue], bound: Mapping[str, str]) -> dict[str, FactValue]:
    """Give values with the names of facts in the place of variables."""
    found: dict[str, FactValue] = {}
    for name, value in values.items():
        variable, dot, path = name.partition(".")
        found[f"{bound[variable]}.{path}" if dot and variable in bound else name] = value
    return found


def _told(values: Mapping[str, FactValue]) -> dict[str, Value]:
    """Give values as people read them: an absent one is left out, a list is one text."""
    values = {name: value for name, value in values.items() if values.get(presence(name)) is not False}
    lists = {name: ", ".join(map(print_value, value)) for name, value in values.items() if isinstance(value, tuple)}
    plain = {name: value for name, value in values.items() if value is not None and not isinstance(value, tuple)}
    both = lists | plain_values(plain)
    return {name: both[name] for name in values if name in both}
