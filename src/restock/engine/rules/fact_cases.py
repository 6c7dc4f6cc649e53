"""Runs cases on rules over facts: both engines decide each document, must agree, and give what the case expects.

A case then has facts by type beside flat ones, `facts: {limit: 5, Order: [{total: 7}]}`, and may expect fields of theirs
too. Of conditions nothing is covered: which facts meet one depends on all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from restock.core.errors import RestockError
from restock.engine.rules.case_file import Case, Facts
from restock.engine.rules.case_run import CaseResult, Coverage, Report, different, fired_otherwise
from restock.engine.rules.fact_rulebook import FactDecision, FactRulebook
from restock.engine.rules.network import decide as decide_on_network


def run_fact_cases(book: FactRulebook, cases: Sequence[Case]) -> Report:
    """Run all cases."""
    coverage = Coverage({name: set() for name in book.rules})
    results = [CaseResult(case.name, case.place.line, tuple(_run(book, case, coverage))) for case in cases]
    unseen = [
        f"{book.name}: {name} {'fires in every case' if seen == {True} else 'never fires'}"
        for name, seen in coverage.rules.items()
        if len(seen) < 2
    ]
    return Report(tuple(results), coverage, tuple(unseen))


def document_of(case: Case) -> dict[str, Any]:  # Any: a document, as callers give it
    """Give the document that a case decides."""
    return {**case.facts, **case.documents}


def decided(book: FactRulebook, case: Case) -> FactDecision:
    """Decide a case on both engines. Raises what `decide` raises, and AssertionError if they differ."""
    made = book.decide(document_of(case))
    again = decide_on_network(book, document_of(case))
    assert (made.outputs, made.facts) == (again.outputs, again.facts), "the engines agree"
    return made


def _run(book: FactRulebook, case: Case, coverage: Coverage) -> Iterator[str]:
    if case.module:
        yield "rules over facts are run as a whole: take 'module' out"
        return
    if case.breaks:
        yield "rules over facts have no proved invariants: take 'breaks' out"
    try:
        made = decided(book, case)
    except RestockError as error:
        if not case.error:
            yield f"expected a decision, found an error: {error}"
        elif case.error not in str(error):
            yield f'expected an error with "{case.error}", found: {error}'
        return
    if case.error:
        yield f'expected an error with "{case.error}", found a decision'
        return
    for name in book.rules:
        coverage.rules[name].add(name in made.fired)
    yield from different(case.expect, made.outputs)
    yield from fired_otherwise(case, made.fired)
    for kind, expected in case.expected.items():
        yield from _facts_otherwise(kind, expected, made.facts.get(kind))


def _facts_otherwise(kind: str, expected: Facts, found: list[dict[str, object]] | None) -> Iterator[str]:
    if found is None:
        yield f"no rule looks at facts of type {kind}"
        return
    if len(expected) != len(found):
        yield f"{kind}: expected {len(expected)} facts, found {len(found)}"
    for at, (want, fact) in enumerate(zip(expected, found, strict=False), 1):
        for name, value in want.items():
            was = fact.get(name)
            if type(was) is not type(value) or was != value:
                yield f"{kind} {at}.{name}: expected {_shown(value)}, found {'none' if was is None else _shown(was)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else f'"{value}"'
