"""Pass 7: whether one straight pass in firing order equals forward chaining; if not, which rule prevents it and why.

The theorem: let C be the fields a condition reads, A those its actions read, W those it writes. One pass is enough when
no rule writes what a condition above it reads, no rule writes its own condition unless it is no-loop, and two rules of
equal salience exclude one another or neither writes what the other reads or writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from restock.engine.rules.disjoint import exclusive, fixed_values
from restock.engine.rules.ir import RuleIR, Value

SHOWN = 5
"""Most readers that a reason names."""

MAX_PAIRS = 500
"""Most rules of one salience compared with one rule; those that a guard tells apart do not count."""


def reason_against_one_pass(rules: Sequence[RuleIR]) -> str:
    """Say why the rules, in firing order, need the agenda; empty when one pass is proved to be the same."""
    return _upward(rules) or _self_trigger(rules) or _race(rules)


def _upward(rules: Sequence[RuleIR]) -> str:
    """Look for a write to what a condition above reads; among equal salience, above means earlier in the text.

    That two such rules exclude one another does not help: the write of one may make the other true.
    """
    readers: dict[str, list[RuleIR]] = {}
    for rule in rules:
        for target in rule.targets:
            names = [reader.name for reader in readers.get(target, [])]
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                return (
                    f"{rule.name} (line {rule.place.line}) writes {target}, which is read above it"
                    f" by {', '.join(names[:SHOWN])}{more}"
                )
        for name in rule.condition_reads:
            readers.setdefault(name, []).append(rule)
    return ""


def _self_trigger(rules: Sequence[RuleIR]) -> str:
    for rule in rules:
        own = [name for name in rule.condition_reads if name in rule.targets]
        if own and not rule.no_loop:
            return (
                f"{rule.name} (line {rule.place.line}) writes {own[0]}, which its own condition reads,"
                " and is not no-loop"
            )
    return ""


def _race(rules: Sequence[RuleIR]) -> str:
    """Look at pairs of equal salience where one writes a field that the other touches; other pairs cost nothing."""
    fixed = {rule.name: fixed_values(rule.condition) for rule in rules}
    for salience, group in groupby(rules, key=lambda rule: rule.salience):
        tied = list(group)
        guard = _commonest(fixed[rule.name] for rule in tied)
        touching, writing = _Rivals(guard, fixed), _Rivals(guard, fixed)
        for rule in tied:
            read = dict.fromkeys((*rule.condition_reads, *rule.action_reads))
            rivals = [(name, other) for name in rule.targets for other in touching.of(name, rule)]
            rivals += [(name, other) for name in read for other in writing.of(name, rule)]
            reason = _against(rule, rivals, salience)
            if reason:
                return reason
            for name in rule.targets:
                writing.add(name, rule)
            for name in dict.fromkeys((*rule.targets, *read)):
                touching.add(name, rule)
    return ""


def _commonest(fixed: Iterable[dict[str, Value]]) -> str:
    """Give the field that most rules fix to a value; empty when none does."""
    counts = Counter(name for values in fixed for name in values)
    return max(counts, key=lambda name: counts[name], default="")


class _Rivals:
    """Rules by a field that they touch, and by the value of the guard: those of another value exclude one another."""

    def __init__(self, guard: str, fixed: dict[str, dict[str, Value]]) -> None:
        self._guard = guard
        self._fixed = fixed
        self._free: dict[str, list[RuleIR]] = {}
        self._guarded: dict[str, dict[Value, list[RuleIR]]] = {}

    def of(self, name: str, rule: RuleIR) -> list[RuleIR]:
        """Give the rules that touch the field and are not told apart from a rule by the guard."""
        guarded = self._guarded.get(name, {})
        value = self._fixed[rule.name].get(self._guard)
        found = self._free.get(name, [])
        if value is not None:
            return [*found, *guarded.get(value, [])]
        return [*found, *(other for others in guarded.values() for other in others)]

    def add(self, name: str, rule: RuleIR) -> None:
        """Add a rule that touches the field."""
        value = self._fixed[rule.name].get(self._guard)
        if value is None:
            self._free.setdefault(name, []).append(rule)
        else:
            self._guarded.setdefault(name, {}).setdefault(value, []).append(rule)


def _against(rule: RuleIR, rivals: list[tuple[str, RuleIR]], salience: int) -> str:
    excluded: dict[str, bool] = {}
    for name, other in rivals:
        if len(excluded) > MAX_PAIRS:
            return f"more than {MAX_PAIRS} rules of salience {salience} share fields with {rule.name}"
        if other.name not in excluded:
            excluded[other.name] = exclusive(rule.condition, other.condition)
        if not excluded[other.name]:
            return (
                f"{other.name} (line {other.place.line}) and {rule.name} (line {rule.place.line}) have the same"
                f" salience {salience}, can both be true, and share {name}"
            )
    return ""
