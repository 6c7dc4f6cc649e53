"""Every invariant of a rulebook: proved for all inputs, or broken by an example that the compiled program shows.

First over the reals, which is quick and proves more than needed. An example from there counts when it can be replayed;
otherwise the question is asked again on the decimal grid.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from restock.core.errors import InvalidInput
from restock.engine.rules.absence import only_given
from restock.engine.rules.errors import Place, RuleError
from restock.engine.rules.ir import Claim, Value
from restock.engine.rules.proof.encoding import Encoded, claimed, encode
from restock.engine.rules.proof.plainer import plainest
from restock.engine.rules.proof.solver import ATTEMPTS, TIMEOUT_SECONDS, Query, Term, z3
from restock.engine.rules.proof.stratification import one_pass
from restock.engine.rules.replay import allowed, claimed_inputs, replay
from restock.engine.rules.rulebook import Rulebook

Outcome = Literal["proved", "counterexample", "unknown", "disagreement", "known exception", "stale exception"]
"""A disagreement is an example of the solver that the program does not show: a defect, told and never hidden."""


@dataclass(frozen=True)
class Proof:
    """What is known of one invariant. With a counterexample come the facts, in business numbers, and what they give."""

    invariant: str
    place: Place
    outcome: Outcome
    milliseconds: int
    reason: str = ""
    facts: dict[str, Value] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)

    @property
    def fails(self) -> bool:
        """Whether the gate stays shut."""
        return self.outcome not in ("proved", "known exception")


def prove(book: Rulebook, seconds: int = TIMEOUT_SECONDS) -> list[Proof]:
    """Prove or refute every invariant. Raises InvalidInput when one pass does not decide the rules."""
    require_one_pass(book)
    return list(_Prover(book, seconds).proofs())


def require_one_pass(book: Rulebook) -> None:
    """Raise InvalidInput when one pass does not decide the rules, because the encoding is one pass."""
    reason = one_pass(book)
    if reason:
        raise InvalidInput(
            f"Nothing can be proved about {book.name}: {reason}.",
            field=book.name,
            remedy="Order the rules so that each reads only what rules above it write.",
        )


class _Prover:
    """Asks both encodings; the second is made when it is first needed."""

    def __init__(self, book: Rulebook, seconds: int) -> None:
        self._book = book
        self._seconds = seconds
        self._asked: dict[bool, tuple[Encoded, Query, list[Term]]] = {}

    def proofs(self) -> Iterator[Proof]:
        for position, claim in enumerate(self._book.program.invariants):
            start = time.perf_counter()
            outcome, reason, facts = self._proved(position, claim)
            milliseconds = round((time.perf_counter() - start) * 1000)
            outputs = replay(self._book, facts).decision.outputs if outcome == "counterexample" else {}
            yield Proof(claim.text, claim.place, outcome, milliseconds, reason, only_given(facts), outputs)

    def _proved(self, position: int, claim: Claim) -> tuple[Outcome, str, dict[str, Value]]:
        unshown: dict[str, Value] | None = None
        for grid, seconds in ATTEMPTS:
            encoded, query, claims = self._encoding(grid)
            broken = z3.Not(claims[position])
            verdict, model = query.ask(broken, milliseconds=min(seconds, self._seconds) * 1000)
            if verdict == "unsat":
                return "proved", "on the decimal grid" if grid else "", {}
            if verdict == "sat":
                for found in query.examples(model, broken, *encoded.ordinary()):
                    facts = encoded.example(found)
                    if facts is not None and self._fails(claim, facts):
                        return self._counterexample(claim, facts)
                if grid:
                    unshown = facts
                    break
        if unshown is None:
            return "unknown", f"no answer within {self._seconds} s", {}
        if encoded.terms.open:
            return "unknown", "it depends on texts that the rules do not mention", {}
        shown = ", ".join(f"{name} {value}" for name, value in only_given(unshown).items())
        return "disagreement", f"the solver's example does not break it: {shown}", {}

    def _encoding(self, grid: bool) -> tuple[Encoded, Query, list[Term]]:
        if grid not in self._asked:
            encoded = encode(self._book.program, grid=grid)
            claims = [claimed(encoded, claim) for claim in self._book.program.invariants]
            self._asked[grid] = encoded, Query(encoded.facts(), self._seconds), claims
        return self._asked[grid]

    def _fails(self, claim: Claim, facts: dict[str, Value]) -> bool:
        try:
            done = replay(self._book, facts)
        except (InvalidInput, RuleError):
            return False
        return allowed(self._book, done.values) and bool(done.breaks(claim))

    def _counterexample(self, claim: Claim, facts: dict[str, Value]) -> tuple[Outcome, str, dict[str, Value]]:
        fields = claimed_inputs(self._book.program)
        found = plainest(fields, facts, lambda tried: self._fails(claim, tried))
        return "counterexample", replay(self._book, found).breaks(claim), found
