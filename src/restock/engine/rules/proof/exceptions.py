"""Known exceptions: an invariant that a rulebook is known to break, stated by a case that shows it and says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from restock.core.errors import RestockError
from restock.engine.rules.case_file import Case
from restock.engine.rules.proof.invariants import Proof
from restock.engine.rules.replay import replay
from restock.engine.rules.rulebook import Rulebook


def with_exceptions(book: Rulebook, proofs: Sequence[Proof], cases: Sequence[Case]) -> list[Proof]:
    """Turn counterexamples into known exceptions where a case states them and its example still breaks the invariant."""
    stated = {invariant: case for case in reversed(cases) for invariant in case.breaks}
    return [_judged(book, one, stated.get(one.invariant)) for one in proofs]


def _judged(book: Rulebook, proof: Proof, case: Case | None) -> Proof:
    if case is None:
        return proof
    if proof.outcome == "proved":
        reason = f"the case '{case.name}' states that it is broken, which no input can do: take that out of the case"
        return replace(proof, outcome="stale exception", reason=reason)
    claim = next(one for one in book.program.invariants if one.text == proof.invariant)
    try:
        done = replay(book, case.facts)
    except RestockError as error:
        return replace(proof, reason=f"the example of the case '{case.name}' cannot be decided: {error}")
    if not done.breaks(claim):
        return replace(proof, reason=f"the example of the case '{case.name}' does not show it any more")
    reason = f"{case.breaks[proof.invariant]} ({case.name})"
    return replace(
        proof, outcome="known exception", reason=reason, facts=dict(case.facts), outputs=done.decision.outputs
    )
