"""The agenda engine: the reference meaning of rules over facts, groups and dates. An obvious interpreter, and slow.

    repeat: find every match of every rule; of those that may fire take the one with the highest salience; fire it

A match fires once for each time that it appears or that something it read has changed (refraction); a no-loop rule fires
once for each set of facts. It ends when nothing may fire, or with an error that names the rules that still do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import NamedTuple, cast

from restock.engine.rules.arithmetic import EXACT, round_fraction
from restock.engine.rules.errors import RuleError, SourceText
from restock.engine.rules.fact_memory import Memory
from restock.engine.rules.fact_writes import checked
from restock.engine.rules.ir import Expr, Value, fields_read
from restock.engine.rules.ir_patterns import (
    AppendTo,
    Check,
    Condition,
    FactProgram,
    FactRule,
    FactValue,
    Focus,
    Gather,
    Group,
    Match,
    Remove,
    SetField,
    tests_of,
)
from restock.engine.rules.limits import MAX_FIRINGS, MAX_LOOKS, MAX_MATCHES, UNDECLARED_DECIMALS
from restock.engine.rules.reference import Undefined, evaluate, never_settles
from restock.engine.rules.syntax import MAIN

Values = dict[str, FactValue]
Key = tuple[str, int, tuple[int, ...]]


class Activation(NamedTuple):
    """A match of a rule: the handles of its facts in the order of its patterns, and every value it may read.

    With `trouble` it is a rule whose condition has no value: an error only once it is that rule's turn, for a rule above it
    may give the value first.
    """

    rule: FactRule
    handles: tuple[int, ...]
    values: Values
    trouble: RuleError | None = None

    @property
    def key(self) -> Key:
        """What tells it from other matches."""
        return self.rule.name, self.rule.alternative, self.handles

    @property
    def watched(self) -> tuple[FactValue, ...]:
        """The values that the conditions read."""
        return tuple(self.values.get(name) for name in fields_read(*tests_of(self.rule.conditions)))


def aggregate(function: str, values: Sequence[Decimal]) -> Decimal | None:
    """Give an aggregate; None for avg, min and max of nothing."""
    if function == "count":
        return Decimal(len(values))
    total = sum(values, Decimal(0)) if len(values) < 2 else _total(values)
    if function == "sum":
        return total
    if not values:
        return None
    if function == "avg":
        return average(total, len(values))
    return min(values) if function == "min" else max(values)


def average(total: Decimal, count: int) -> Decimal:
    """Give an average, rounded half up to the decimals of an undeclared number."""
    return round_fraction(Fraction(total) / count, UNDECLARED_DECIMALS, "half_up")


def _total(values: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total


@dataclass
class Agenda:
    """One evaluation. `at` is the moment for rules with dates; `random` chooses among matches of one salience."""

    source: SourceText
    program: FactProgram
    memory: Memory
    at: datetime | None = None
    random: Random | None = None
    focus: list[str] = field(default_factory=lambda: [MAIN])
    fired: list[Activation] = field(default_factory=list)
    written: list[Values] = field(default_factory=list)
    """What each that fired wrote, by the names that its rule has for it."""
    seen: dict[Key, tuple[FactValue, ...]] = field(default_factory=dict)
    done_groups: set[str] = field(default_factory=set)
    locked: dict[str, set[Key]] = field(default_factory=dict)
    present: set[Key] = field(default_factory=set)
    looks: int = 0

    def run(self) -> tuple[str, ...]:
        """Fire until nothing may fire, and give the names of the rules in that order. Raises RuleError."""
        rules = [rule for rule in self.program.rules if self._in_time(rule)]
        self._enter(MAIN, self._activations(rules))
        while True:
            found = self._activations(rules)
            self._auto_focus(found)
            chosen = self._choose(found)
            if chosen is None:
                return tuple(one.rule.name for one in self.fired)
            self._fire(chosen, rules)
            if len(self.fired) >= MAX_FIRINGS:
                raise never_settles(self.source, chosen.rule.place, [one.rule.name for one in self.fired])

    def _in_time(self, rule: FactRule) -> bool:
        if self.at is None:
            return True
        return (rule.effective or self.at) <= self.at and (rule.expires is None or self.at < rule.expires)

    def _activations(self, rules: list[FactRule]) -> list[Activation]:
        found: list[Activation] = []
        for rule in rules:
            start = len(found)
            try:
                for values, handles in self.matches(rule.conditions, dict(self.memory.flat), ()):
                    found.append(Activation(rule, handles, values))
                    if len(found) > MAX_MATCHES:
                        message = (
                            f"The rules match in more than {MAX_MATCHES:,} ways here; join patterns by equal fields."
                        )
                        raise self.source.error(rule.place, message)
            except Undefined as undefined:
                error = self.source.error(undefined.place, f"Rule {rule.name}: {undefined}")
                found[start:] = [Activation(rule, (), {}, error)]
        return found

    def matches(
        self, conditions: tuple[Condition, ...], values: Values, handles: tuple[int, ...]
    ) -> Iterator[tuple[Values, tuple[int, ...]]]:
        """Give values and handles of each way in which the conditions hold."""
        if not conditions:
            yield values, handles
            return
        first, rest = conditions[0], conditions[1:]
        match first:
            case Check():
                if _holds(first.test, values):
                    yield from self.matches(rest, values, handles)
            case Match():
                for handle, inner in self._facts(first, values):
                    yield from self.matches(rest, inner, (*handles, handle))
            case Gather():
                result = self._gather(first, values)
                if result is not None:
                    yield from self.matches(rest, {**values, first.name: result}, handles)
            case Group():
                some = any(True for branch in first.branches for _ in self.matches(branch, values, ()))
                if some != first.negated:
                    yield from self.matches(rest, values, handles)

    def _facts(self, condition: Match | Gather, values: Values) -> Iterator[tuple[int, Values]]:
        for handle, fact in self.memory.facts[condition.type].items():
            self.looks += 1
            if self.looks > MAX_LOOKS:
                message = f"The rules look at more than {MAX_LOOKS:,} facts here; join patterns by equal fields."
                raise self.source.error(condition.place, message)
            inner = values | {f"{condition.variable}.{name}": value for name, value in fact.items()}
            if all(_holds(test, inner) for test in condition.tests):
                yield handle, inner

    def _gather(self, gather: Gather, values: Values) -> Decimal | None:
        members = [inner for _, inner in self._facts(gather, values)]
        return aggregate(gather.function, [cast(Decimal, _value(gather.value, inner)) for inner in members])

    def _may_fire(self, one: Activation) -> bool:
        if one.rule.activation_group in self.done_groups:
            return False
        if one.rule.lock_on_active and one.key not in self.locked.get(one.rule.group, set()):
            return False
        return one.key not in self.seen

    def _choose(self, found: list[Activation]) -> Activation | None:
        """Give the match to fire: of the group in focus, the highest salience, then the order of text and facts."""
        now = {one.key: one.watched for one in found}
        self.seen = {key: seen for key, seen in self.seen.items() if now.get(key) == seen or self._stays(key)}
        ready = [one for one in found if self._may_fire(one)]
        while self.focus:
            here = [one for one in ready if one.rule.group == self.focus[-1]]
            if here:
                top = [one for one in here if one.rule.salience == here[0].rule.salience]
                return self.random.choice(top) if self.random else top[0]
            self.focus.pop()
        return None

    def _stays(self, key: Key) -> bool:
        """Tell whether a match that is gone must be remembered: that of a no-loop rule."""
        return any(rule.no_loop for rule in self.program.rules if rule.name == key[0])

    def _auto_focus(self, found: list[Activation]) -> None:
        """Put the group of each auto-focus rule with a new match on top of the stack."""
        for one in found:
            new = one.key not in self.present
            if new and one.rule.auto_focus and self._may_fire(one) and self.focus[-1:] != [one.rule.group]:
                self._enter(one.rule.group, found)
                self.focus.append(one.rule.group)
        self.present = {one.key for one in found}

    def _enter(self, group: str, found: list[Activation]) -> None:
        """Note what matches when a group gets the focus: lock-on-active rules fire for nothing that comes later."""
        self.locked[group] = {one.key for one in found if one.rule.group == group}

    def _fire(self, one: Activation, rules: list[FactRule]) -> None:
        if one.trouble:
            raise one.trouble
        rule = one.rule
        self.fired.append(one)
        self.written.append({})
        self.seen[one.key] = one.watched
        if rule.activation_group:
            self.done_groups.add(rule.activation_group)
        values = dict(one.values)
        order = [condition.variable for condition in rule.conditions if isinstance(condition, Match)]
        bound = {variable: (rule.types[variable], handle) for variable, handle in zip(order, one.handles, strict=True)}
        for action in rule.actions:
            match action:
                case SetField() | AppendTo():
                    self._write(rule, action, values, bound)
                case Remove():
                    kind, handle = bound[action.variable]
                    self.memory.facts[kind].pop(handle, None)
                case Focus():
                    self._enter(action.group, self._activations(rules))
                    self.focus.append(action.group)

    def _write(
        self, rule: FactRule, action: SetField | AppendTo, values: Values, bound: Mapping[str, tuple[str, int]]
    ) -> None:
        kind, handle = bound.get(action.variable, ("", 0))
        value = checked(self.source, self.program, rule, action, kind, values)
        self.written[-1][f"{action.variable}.{action.path}" if kind else action.path] = value
        if not kind:
            self.memory.flat[action.path] = cast(Value, value)
            values[action.path] = value
            return
        for variable, other in bound.items():
            if other == (kind, handle):
                values[f"{variable}.{action.path}"] = value
        if handle in self.memory.facts[kind]:
            self.memory.facts[kind][handle][action.path] = value


def _holds(test: Expr, values: Values) -> bool:
    return _value(test, values) is True


def _value(node: Expr, values: Values) -> FactValue:
    """Evaluate as the reference engine does; that some values are lists or absent, only the functions of facts see."""
    return evaluate(node, cast(Mapping[str, Value], values))
