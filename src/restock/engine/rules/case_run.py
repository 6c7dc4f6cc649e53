"""Runs cases on a rulebook: what came out otherwise, what broke an invariant, and which rules and conditions were seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from restock.core.errors import InvalidInput, RestockError
from restock.core.quantity import plain
from restock.engine.rules.absence import with_bools
from restock.engine.rules.case_file import Case
from restock.engine.rules.errors import nearest
from restock.engine.rules.explain import FiredRule
from restock.engine.rules.ir import Program, RuleIR, Value, conjuncts
from restock.engine.rules.reference import Undefined, evaluate
from restock.engine.rules.replay import replay
from restock.engine.rules.rulebook import Rulebook


@dataclass(frozen=True)
class CaseResult:
    """A case with everything that came out otherwise than it says; nothing when it is right."""

    name: str
    line: int
    problems: tuple[str, ...]


@dataclass
class Coverage:
    """What cases showed of rules and of the parts of their conditions.

    A part counts when all parts before it hold, as the engines look at them.
    """

    rules: dict[str, set[bool]] = field(default_factory=dict)
    tests: dict[tuple[str, int], set[bool]] = field(default_factory=dict)

    @property
    def rules_seen(self) -> int:
        """How many rules both fired and did not."""
        return sum(len(seen) == 2 for seen in self.rules.values())

    @property
    def tests_seen(self) -> int:
        """How many parts of conditions were both true and false."""
        return sum(len(seen) == 2 for seen in self.tests.values())


@dataclass(frozen=True)
class Report:
    """The results of all cases, the coverage, and what no case showed, in the order of the rules."""

    results: tuple[CaseResult, ...]
    coverage: Coverage
    unseen: tuple[str, ...]

    @property
    def failed(self) -> int:
        """How many cases are not right."""
        return sum(bool(result.problems) for result in self.results)


def run_cases(book: Rulebook, cases: Sequence[Case]) -> Report:
    """Run all cases on every engine that runs the rulebook."""
    coverage = Coverage(
        {rule.name: set() for rule in book.program.rules},
        {(rule.name, at): set() for rule in book.program.rules for at in range(len(rule.tests))},
    )
    results = [CaseResult(case.name, case.place.line, tuple(_run(book, case, coverage))) for case in cases]
    return Report(tuple(results), coverage, tuple(_unseen(book, coverage)))


def _run(book: Rulebook, case: Case, coverage: Coverage) -> Iterator[str]:
    for name in (*case.documents, *case.expected):
        yield f"'{name}' is a list of facts, and these rules decide one set of fields"
        return
    try:
        if case.module:
            decision = book.decide(case.facts, module=case.module)
            broken: dict[str, str] = {}
        else:
            done = replay(book, case.facts)
            decision = done.decision
            broken = {claim.text: why for claim in book.program.invariants if (why := done.breaks(claim))}
            _cover(book, case, coverage)
    except RestockError as error:
        if not case.error:
            yield f"expected a decision, found an error: {error}"
        elif case.error not in str(error):
            yield f'expected an error with "{case.error}", found: {error}'
        return
    if case.error:
        yield f'expected an error with "{case.error}", found a decision'
        return
    yield from different(case.expect, decision.outputs)
    yield from fired_otherwise(case, decision.fired)
    yield from _broken(book, case, broken)


def different(expect: Mapping[str, Value], outputs: Mapping[str, Value]) -> Iterator[str]:
    """Say which outputs are other than expected."""
    for name, value in expect.items():
        if name not in outputs:
            meant = nearest(name, outputs)
            yield f"there is no output '{name}'" + (f"; did you mean {meant}?" if meant else "")
        elif type(value) is not type(outputs[name]) or value != outputs[name]:
            yield f"{name}: expected {_shown(value)}, found {_shown(outputs[name])}"


def fired_otherwise(case: Case, fired: tuple[str, ...]) -> Iterator[str]:
    """Say how the rules that fired are other than a case says."""
    if case.fired is None or case.fired == fired:
        return
    missing = [name for name in case.fired if name not in fired]
    extra = [name for name in fired if name not in case.fired]
    if missing:
        yield f"fired: expected also {', '.join(missing)}"
    if extra:
        yield f"fired: did not expect {', '.join(extra)}"
    if not missing and not extra:
        yield f"fired: expected in the order {', '.join(case.fired)}, found {', '.join(fired)}"


def _broken(book: Rulebook, case: Case, broken: Mapping[str, str]) -> Iterator[str]:
    known = [claim.text for claim in book.program.invariants]
    for text, why in broken.items():
        if text not in case.breaks:
            yield f'the invariant "{text}" does not hold: {why}'
    for text in case.breaks:
        if text not in known:
            meant = nearest(text, known)
            yield f'there is no invariant "{text}"' + (f'; did you mean "{meant}"?' if meant else "")
        elif text not in broken:
            yield f'the invariant "{text}" holds here: take it out of breaks'


def _cover(book: Rulebook, case: Case, coverage: Coverage) -> None:
    """See each rule when its turn comes: which parts of its condition are true, and whether it fires."""
    explanation = book.explain(case.facts)
    fired = {one.name for one in explanation.fired}
    for rule in book.program.rules:
        coverage.rules[rule.name].add(rule.name in fired)
    for rule, values in turns(book.program, explanation.facts, explanation.fired):
        for at, test in enumerate(conjuncts(rule.condition)):
            try:
                holds = bool(evaluate(test, values))
            except Undefined:
                break
            coverage.tests[rule.name, at].add(holds)
            if not holds:
                break


def turns(
    program: Program, facts: Mapping[str, Value], fired: Iterable[FiredRule]
) -> Iterator[tuple[RuleIR, Mapping[str, Value]]]:
    """Give each rule with the values that stand at its turn, cycle by cycle until the last firing."""
    values = {one.name: one.default for one in program.outputs if one.default is not None}
    values |= with_bools(program.inputs, facts)
    waiting = deque(fired)
    while True:
        for rule in program.rules:
            yield rule, values
            if waiting and waiting[0].name == rule.name:
                values = values | waiting.popleft().writes
        if not waiting:
            return


def _unseen(book: Rulebook, coverage: Coverage) -> Iterator[str]:
    for rule in book.program.rules:
        place = f"{book.name}:{rule.place.line}:{rule.place.column}: {rule.name}"
        seen = coverage.rules[rule.name]
        if len(seen) < 2:
            yield f"{place} {'fires in every case' if seen == {True} else 'never fires'}"
        for at, text in enumerate(rule.tests):
            missing = [
                word for word, value in (("true", True), ("false", False)) if value not in coverage.tests[rule.name, at]
            ]
            if missing and seen != {False}:
                yield f"{place}: {text} is never {' or '.join(missing)}"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{plain(value):f}" if isinstance(value, Decimal) else f'"{value}"'


def no_cases(name: str) -> InvalidInput:
    """Say that a rulebook has no cases."""
    return InvalidInput(f"There are no cases beside {name}.", field=name, remedy="Write them, or name a file: --cases.")
