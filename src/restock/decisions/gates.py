"""What a version must pass before people decide on it: read and checked with its cases, proved, tried on what is known.

Each gate says what it found. Proofs need the solver, which is loaded by the first proof and not before.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

from restock.core.errors import InvalidInput
from restock.decisions.model import Finding, Move
from restock.engine.rules import FactRulebook, Rulebook
from restock.engine.rules.case_file import SUFFIX, Case, read_cases
from restock.engine.rules.case_run import run_cases
from restock.engine.rules.fact_cases import run_fact_cases
from restock.engine.rules.fact_lint import fact_lint, unproved
from restock.engine.rules.lint import lint
from restock.engine.rules.loading import JSON, load

GRL = ".grl"

Book = Rulebook | FactRulebook

_SOLVER = threading.Lock()
"""z3 keeps its terms in one place for all threads: one proof after the other."""


def parsed(name: str, text: str) -> Book:
    """Read a rulebook. Raises RuleError, and InvalidInput when it has no rules.

    No text of the language begins with a brace, so one that does is rules in JSON.
    """
    end = JSON if text.lstrip().startswith("{") else GRL
    rulebook = load(text, f"{name}{end}")
    if rulebook.empty:
        raise InvalidInput(f"{rulebook.name} has no rules.", field="text", remedy="Write some.")
    return rulebook


def cases_of(name: str, text: str) -> list[Case]:
    """Read the cases of a rulebook; none of an empty text. Raises InvalidInput with the place."""
    return read_cases(text, f"{name}{SUFFIX}") if text.strip() else []


def checked(rulebook: Book, cases: list[Case]) -> list[Finding]:
    """Look through a rulebook and run its cases: a warning is told, a case that is not right keeps the gate shut."""
    return list(_checked(rulebook, cases))


def same_kind(rulebook: Book, active: Book | None) -> list[Finding]:
    """Keep the gate shut for rules over facts in the place of rules over one set of fields, and the other way round."""
    if active is None or isinstance(rulebook, FactRulebook) is isinstance(active, FactRulebook):
        return []
    kinds = ("rules over facts", "rules over one set of fields")
    mine, theirs = kinds if isinstance(rulebook, FactRulebook) else kinds[::-1]
    what = f"These are {mine}; in force are {theirs}, and who asks for them could not ask for these."
    return [Finding(Move.CHECKED, f"{what} Give the rulebook another name.", True)]


def _checked(rulebook: Book, cases: list[Case]) -> Iterator[Finding]:
    for one in fact_lint(rulebook) if isinstance(rulebook, FactRulebook) else lint(rulebook):
        if one.severity == "warning":
            yield Finding(Move.CHECKED, one.shown(rulebook.name), False)
    if not cases:
        yield Finding(Move.CHECKED, "There are no cases: nothing shows what must come out.", False)
        return
    report = run_fact_cases(rulebook, cases) if isinstance(rulebook, FactRulebook) else run_cases(rulebook, cases)
    for result in report.results:
        for problem in result.problems:
            yield Finding(Move.CHECKED, f"The case '{result.name}' is not right: {problem}.", True)
    coverage = report.coverage
    right = f"{len(cases) - report.failed} of {len(cases)} cases right"
    yield Finding(Move.CHECKED, f"{right}, {coverage.rules_seen} of {len(coverage.rules)} rules seen both ways.", False)


async def proved(rulebook: Book, cases: list[Case]) -> list[Finding]:
    """Prove every invariant, beside the event loop. Raises Unavailable without the solver.

    A solver looks at one set of fields: an invariant of rules over facts keeps the gate shut, because it holds nothing.
    """
    if isinstance(rulebook, FactRulebook):
        held = [Finding(Move.PROVED, f"{one.shown(rulebook.name)}", True) for one in unproved(rulebook)]
        return held or [Finding(Move.PROVED, "Rules over facts: nothing is promised, and nothing proved.", False)]

    def alone() -> list[Finding]:
        with _SOLVER:
            return list(_proved(rulebook, cases))

    return await asyncio.to_thread(alone)


def _proved(rulebook: Rulebook, cases: list[Case]) -> Iterator[Finding]:
    from restock.engine.rules.proof.exceptions import with_exceptions  # noqa: PLC0415 - only who publishes proves
    from restock.engine.rules.proof.invariants import prove  # noqa: PLC0415 - as above

    if not rulebook.program.invariants:
        yield Finding(Move.PROVED, "There are no invariants: nothing is promised, and nothing proved.", False)
        return
    for one in with_exceptions(rulebook, prove(rulebook), cases):
        facts = ", ".join(f"{name} {value}" for name, value in one.facts.items())
        told = f"{one.outcome}: {one.invariant}"
        told += f": {one.reason}" if one.reason else ""
        told += f", with {facts}" if facts and one.fails else ""
        yield Finding(Move.PROVED, told, one.fails)
