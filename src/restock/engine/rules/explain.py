"""Why a decision came out as it did: what fired and what each firing read and wrote; what did not fire, and why not.

Always made by the reference engine, so that an explanation shows the exact values, whichever engine decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from restock.engine.rules.absence import only_given, presence
from restock.engine.rules.arithmetic import EXACT, shown
from restock.engine.rules.ir import Compare, Const, Expr, Program, Read, RuleIR, Value, conjuncts, fields_read, kind_of
from restock.engine.rules.reference import Run, evaluate, plain_values


@dataclass(frozen=True, slots=True)
class FiredRule:
    """A rule that fired, with the values it read (before it fired) and wrote."""

    name: str
    salience: int
    description: str
    reads: dict[str, Value]
    writes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Threshold:
    """How far a number is from making a rule's failed comparison true.

    `subject` is the field or expression, `difference` is above or equal to 0, `direction` is falls, rises or changes;
    when not `inclusive` the change must be more than the difference. `sentence` says it in words.
    """

    rule: str
    subject: str
    difference: Decimal
    direction: str
    inclusive: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class NotFiredRule:
    """A rule that did not fire: its first false condition, the values that condition read, the threshold if any."""

    name: str
    salience: int
    description: str
    test: str
    values: dict[str, Value]
    threshold: Threshold | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with its reasons. Rules are in firing order."""

    outputs: dict[str, Value]
    facts: dict[str, Value]
    fired: tuple[FiredRule, ...]
    not_fired: tuple[NotFiredRule, ...]

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """Every threshold that would make another rule fire, the nearest first."""
        found = [one.threshold for one in self.not_fired if one.threshold is not None]
        return tuple(sorted(found, key=lambda threshold: threshold.difference))


def explain(program: Program, facts: Mapping[str, Value], done: Run) -> Explanation:
    """Explain a run of the reference engine."""
    names = {firing.rule.name for firing in done.firings}
    return Explanation(
        plain_values({one.name: done.values[one.name] for one in program.outputs}),
        only_given(facts),
        tuple(
            FiredRule(
                firing.rule.name,
                firing.rule.salience,
                firing.rule.description,
                plain_values(_shown(firing.reads, facts)),
                plain_values(firing.writes),
            )
            for firing in done.firings
        ),
        tuple(_not_fired(rule, done.values, facts) for rule in program.rules if rule.name not in names),
    )


def _shown(read: Mapping[str, Value], facts: Mapping[str, Value]) -> dict[str, Value]:
    """Leave out the value that only fills the place of an absent input; that it is absent is told."""
    return {name: value for name, value in read.items() if facts.get(presence(name)) is not False}


def _not_fired(rule: RuleIR, values: Mapping[str, Value], facts: Mapping[str, Value]) -> NotFiredRule:
    """Find the first false condition on the last values: the rules settled, so there is one."""
    for test, text in zip(conjuncts(rule.condition), rule.tests, strict=True):
        if not evaluate(test, values):
            read = plain_values(_shown({name: values[name] for name in fields_read(test)}, facts))
            threshold = _threshold(rule.name, test, text, values)
            return NotFiredRule(rule.name, rule.salience, rule.description, text, read, threshold)
    raise AssertionError("a rule whose condition holds has fired")


def _threshold(rule: str, test: Expr, text: str, values: Mapping[str, Value]) -> Threshold | None:
    if not isinstance(test, Compare) or kind_of(test.left) != "number" or test.operator == "!=":
        return None
    if not isinstance(test.left, Const) and not isinstance(test.right, Const):
        return None
    left, right = evaluate(test.left, values), evaluate(test.right, values)
    assert isinstance(left, Decimal) and isinstance(right, Decimal), "both are numbers"
    mirrored = isinstance(test.left, Const)
    moving = test.right if mirrored else test.left
    subject = moving.name if isinstance(moving, Read) else f"the number in '{text}'"
    difference = shown(EXACT.subtract(left, right).copy_abs())
    direction = "changes" if test.operator == "==" else "falls" if (test.operator[0] == "<") != mirrored else "rises"
    inclusive = test.operator in ("==", "<=", ">=")
    if test.operator == "==":
        change = f"{'falls' if (left > right) != mirrored else 'rises'} to {shown(left if mirrored else right)}"
    else:
        change = f"{direction} by {'' if inclusive else 'more than '}{difference}"
    sentence = f"{rule} fires if {subject} {change}."
    return Threshold(rule, subject, difference, direction, inclusive, sentence)
