"""Checks of a right rulebook that need no solver: rules that cannot fire, writes that cannot matter, gaps, loops.

By ranges and by the text of conditions only, so a finding is always true and many are missed; the solver finds more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from restock.engine.rules.disjoint import exclusive
from restock.engine.rules.errors import SourceText
from restock.engine.rules.finding import Finding, about
from restock.engine.rules.gaps import gaps
from restock.engine.rules.implied import Values, implied, known_after
from restock.engine.rules.ir import Const, Expr, Program, RuleIR, conjuncts, fields_read
from restock.engine.rules.obstacles import Obstacle, obstacles
from restock.engine.rules.rulebook import Rulebook

MAX_LATER: Final = 300
"""Most later writers of a field that one write is compared with; a table of categories has thousands."""

MAX_OBSTACLES_TOLD: Final = 20
"""Most reasons against one pass that are told: a rulebook with more is ordered as a whole, not rule by rule."""

Possible = Callable[[Program], list[Obstacle]]


def lint(book: Rulebook, possible: Possible | None = None) -> list[Finding]:
    """Give everything found, in the order of the text. `possible` finds out which obstacles can happen, if given."""
    program = book.program
    values = Values(SourceText(book.name, book.text), program)
    found = [*_conditions(program, values), *gaps(program), *_fields(program)]
    if not book.engines["row"]:
        found += _writes(program)
    else:
        found += _order(program, obstacles(program.rules) if possible is None else possible(program))
    return sorted(found, key=lambda one: one.place)


def _conditions(program: Program, values: Values) -> Iterator[Finding]:
    for rule in program.rules:
        tests = list(zip(conjuncts(rule.condition), rule.tests, strict=True))
        for at, (test, text) in enumerate(tests):
            earlier = [one for one, _ in tests[:at]]
            if values.never(test):
                message = f"never fires: {text} is never true."
                yield about(rule, test.place, "dead rule", message, "Correct the condition, or take the rule out.")
                break
            clash = next((other for one, other in tests[:at] if exclusive(one, test)), "")
            if clash:
                message = f"never fires: {clash} and {text} exclude one another."
                yield about(rule, test.place, "dead rule", message, "Correct the condition, or take the rule out.")
                break
            if not isinstance(test, Const) and (values.always(test) or implied(test, earlier)):
                message = f"{text} is always true here."
                yield about(rule, test.place, "always true", message, "Leave it out, or correct it.", "note")


class _Looked(NamedTuple):
    """A rule with what is asked of it again and again."""

    rule: RuleIR
    tests: tuple[tuple[Expr, frozenset[str]], ...]
    targets: frozenset[str]
    reads: frozenset[str]

    @classmethod
    def at(cls, rule: RuleIR) -> _Looked:
        """Look at a rule."""
        tests = tuple((test, frozenset(fields_read(test))) for test in conjuncts(rule.condition))
        return cls(rule, tests, frozenset(rule.targets), frozenset((*rule.condition_reads, *rule.action_reads)))

    def follows(self, premises: Sequence[tuple[Expr, frozenset[str]]]) -> bool:
        """Tell whether the rule fires wherever the premises hold."""
        return all(implied(test, [one for one, names in premises if names == read]) for test, read in self.tests)


def _writes(program: Program) -> Iterator[Finding]:
    rules = [_Looked.at(rule) for rule in program.rules]
    defaults = {one.name: one.default for one in program.outputs}
    written: set[str] = set()
    for at, rule in enumerate(program.rules):
        for position, write in enumerate(rule.writes):
            if (
                write.target not in written
                and isinstance(write.value, Const)
                and write.value.value == defaults[write.target]
            ):
                message = f"{write.target} is this already: no rule above sets it."
                yield about(rule, write.place, "dead write", message, "Leave the assignment out.", "note")
                continue
            by = _overridden(rules, at, position)
            if by is not None:
                where = f"{by.name} (line {by.place.line})"
                message = f"what it sets {write.target} to never counts: {where} always sets it again."
                remedy = "Leave the assignment out, or correct a condition."
                yield about(rule, write.place, "dead write", message, remedy)
        written |= set(rule.targets)


def _overridden(rules: Sequence[_Looked], at: int, position: int) -> RuleIR | None:
    """Find the later rule that fires whenever this one does and sets the field again before anybody reads it."""
    rule = rules[at].rule
    target = rule.writes[position].target
    for own in rule.writes[position + 1 :]:
        if target in fields_read(own.value):
            return None
        if own.target == target:
            return rule
    premises = [(one, frozenset(fields_read(one))) for one in known_after(rule, conjuncts(rule.condition))]
    for other in rules[at + 1 : at + 1 + MAX_LATER]:
        if target in other.targets and other.follows(premises):
            return None if target in other.rule.condition_reads or _reads_first(other.rule, target) else other.rule
        if target in other.reads:
            return None
        premises = [premise for premise in premises if not premise[1] & other.targets]
        if not premises:
            return None
    return None


def _reads_first(rule: RuleIR, target: str) -> bool:
    """Tell whether a rule reads a field before it sets it."""
    for write in rule.writes:
        if target in fields_read(write.value):
            return True
        if write.target == target:
            return False
    return False


def _fields(program: Program) -> Iterator[Finding]:
    nodes = [claim.condition for claim in (*program.assumptions, *program.invariants)]
    nodes += [one.derived for one in program.inputs if one.derived is not None]
    for rule in program.rules:
        nodes += [rule.condition, *(write.value for write in rule.writes)]
    read, written = set(fields_read(*nodes)), {target for rule in program.rules for target in rule.targets}
    read |= {one.presence_of for one in program.inputs if one.name in read}
    for one in program.inputs:
        if one.declared and one.name not in read:
            message = f"The input '{one.name}' is never read."
            yield Finding("warning", "unused", "", one.place, message, "Take it out, or use it.")
    for one in program.outputs:
        if one.name not in written:
            message = f"No rule sets the output '{one.name}'; it is always its default."
            yield Finding("warning", "unused", "", one.place, message, "Take it out, or set it.")


_KINDS: Final = {"upward": "order", "own": "loop", "tie": "overlap"}
_REMEDIES: Final = {
    "upward": "Raise its salience, or lower the reader's.",
    "own": "Make it no-loop, or end the loop by its condition.",
    "tie": "Make the conditions exclude one another, or give the rules different salience.",
}


def _order(program: Program, found: list[Obstacle]) -> Iterator[Finding]:
    """Say what stands against one pass: writes to what was read above, loops, overlaps of equal salience."""
    if not found:
        first = program.rules[0]
        message = "one pass decides, as the solver shows; the engines cannot see that and use the reference."
        yield Finding("note", "order", "", first.place, message, "Order the rules so that it shows in their fields.")
    for one in found[:MAX_OBSTACLES_TOLD]:
        message = f"{one.reason}; the rules need forward chaining."
        yield about(one.writer, one.writer.place, _KINDS[one.kind], message, _REMEDIES[one.kind])
