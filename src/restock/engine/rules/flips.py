"""The thresholds that flip a decision: how far one number is from a value at which another word or flag comes out.

For a number that is given the decision is made again with the other value. For one that a rule computed, a total for
example, that rule is made to write the other value and everything below it is decided again. Nothing is claimed that was
not decided: each candidate is a value on, just below or just above what some condition compares the number with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Final, NamedTuple

from restock.engine.rules.arithmetic import EXACT, round_fraction, shown
from restock.engine.rules.errors import RuleError, SourceText
from restock.engine.rules.ir import Compare, Const, Expr, Field, Program, Read, Value, fields_read, kind_of, walk
from restock.engine.rules.reference import Run, Undefined, evaluate, plain_values, run

MAX_CANDIDATES: Final = 400
"""Most values that are decided again: the shipped rulebooks have about sixty; a bound for those with thousands of rules."""

CENTS: Final = 2
"""A fraction is written with at least so many decimals where its field has them, as people write money."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A value of one number at which the decision comes out otherwise.

    `before` and `after` are in the unit of `subject`, `difference` is above 0, `direction` is falls or rises; `computed`
    tells a number that a rule set from one that is given. `outputs` are the words and flags that change, each with its
    value before and after. `change` says the move ("falls by 212.40"), `sentence` says all of it.
    """

    subject: str
    computed: bool
    before: Decimal
    after: Decimal
    difference: Decimal
    direction: str
    outputs: dict[str, tuple[Value, Value]]
    change: str
    sentence: str

    @property
    def share(self) -> Decimal:
        """The difference in parts of the value before, or of 1 where that is less; for sorting only."""
        return self.difference / max(abs(self.before), Decimal(1))

    @property
    def headline(self) -> tuple[str, Value]:
        """The changed output that says most, with its new value: a word before a flag, something before nothing."""
        changed = [(name, after) for name, (_, after) in self.outputs.items()]
        return min(changed, key=lambda one: (not one[1], isinstance(one[1], bool)))


class _Candidate(NamedTuple):
    field: Field
    edge: Decimal
    value: Decimal


def flips(source: SourceText, program: Program, facts: Mapping[str, Value], done: Run) -> tuple[Flip, ...]:
    """Give for each number and outcome the nearest threshold that flips a run of the reference engine, nearest first."""
    best: dict[tuple[object, ...], Flip] = {}
    for candidate in islice(_candidates(program, done.values), MAX_CANDIDATES):
        found = _flip(source, program, facts, done, candidate)
        if found is None:
            continue
        outcome = (found.subject, found.direction, *((name, new) for name, (_, new) in found.outputs.items()))
        if outcome not in best or found.difference < best[outcome].difference:
            best[outcome] = found
    return tuple(sorted(best.values(), key=lambda one: (one.share, not one.computed, one.subject)))


def _candidates(program: Program, values: Mapping[str, Value]) -> Iterator[_Candidate]:
    """Give each number with the values about the other side of every comparison in which it is one side."""
    fields = program.fields()
    tried: set[tuple[str, Decimal]] = set()
    for test in (node for rule in program.rules for node in walk(rule.condition)):
        if not isinstance(test, Compare) or kind_of(test.left) != "number":
            continue
        for moving, bound in ((test.left, test.right), (test.right, test.left)):
            if not isinstance(moving, Read) or moving.name in fields_read(bound):
                continue
            for candidate in _around(fields[moving.name], bound, values):
                if (moving.name, candidate.value) not in tried:
                    tried.add((moving.name, candidate.value))
                    yield candidate


def _around(field: Field, bound: Expr, values: Mapping[str, Value]) -> Iterator[_Candidate]:
    """Give the values of a field on, just below and just above a bound, within its range and not short of the bound."""
    try:
        edge = evaluate(bound, values)
    except Undefined:
        return
    assert isinstance(edge, Decimal), "the IR is typed"
    now = values[field.name]
    assert isinstance(now, Decimal), "only numbers are moved"
    step = Decimal(1).scaleb(-field.decimals)
    near = round_fraction(Fraction(edge), field.decimals, "floor")
    for value in (near, EXACT.subtract(near, step), EXACT.add(near, step)):
        inside = (field.low is None or field.low <= value) and (field.high is None or value <= field.high)
        short = now < value < edge or edge < value < now
        if inside and not short and value != now:
            yield _Candidate(field, shown(edge), shown(value))


def _flip(
    source: SourceText, program: Program, facts: Mapping[str, Value], done: Run, candidate: _Candidate
) -> Flip | None:
    field, edge, after = candidate
    given = field.role == "input"
    changed = program if given else _written(program, done, field.name, after)
    if changed is None:
        return None
    try:
        again = run(source, changed, {**facts, field.name: after} if given else facts)
    except RuleError:
        return None
    outputs = _changed(program, done.values, again.values)
    if not outputs:
        return None
    before = done.values[field.name]
    assert isinstance(before, Decimal), "only numbers are moved"
    before, direction = shown(before), "falls" if after < before else "rises"
    inclusive = edge in (after, before)
    by = _written_out(field, shown(EXACT.subtract(after if inclusive else edge, before).copy_abs()))
    change = f"{direction} by {by}" if inclusive else f"{direction} by more than {by}"
    difference = shown(EXACT.subtract(after, before).copy_abs())
    flip = Flip(field.name, not given, before, after, difference, direction, outputs, change, "")
    name, value = flip.headline
    word = f'"{value}"' if isinstance(value, str) else "true" if value else "false"
    return replace(flip, sentence=f"{name} becomes {word} if {field.name} {change}.")


def _written(program: Program, done: Run, name: str, value: Decimal) -> Program | None:
    """Give the program in which the rule that set a number last sets it to this value; nothing when none set it."""
    setter = next((firing.rule for firing in reversed(done.firings) if name in firing.writes), None)
    if setter is None:
        return None
    fixed = tuple(
        replace(write, value=Const("number", value, write.place)) if write.target == name else write
        for write in setter.writes
    )
    rules = tuple(replace(rule, writes=fixed) if rule.name == setter.name else rule for rule in program.rules)
    return replace(program, rules=rules)


def _changed(
    program: Program, before: Mapping[str, Value], after: Mapping[str, Value]
) -> dict[str, tuple[Value, Value]]:
    """Give the words and flags that differ; amounts follow any number and flip nothing."""
    names = [one.name for one in program.outputs if one.kind != "number" and before[one.name] != after[one.name]]
    old, new = (plain_values({name: values[name] for name in names}) for values in (before, after))
    return {name: (old[name], new[name]) for name in names}


def _written_out(field: Field, number: Decimal) -> str:
    """Write a number without exponent; a fraction of a field that has cents with two decimals at least."""
    exponent = number.as_tuple().exponent
    if exponent == -1 and field.decimals >= CENTS:
        return f"{number:.2f}"
    return f"{number:f}"
