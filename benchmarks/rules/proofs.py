"""Verification of rulebooks: the shipped ones, and 1,500 rules.

    python -m benchmarks.rules.proofs

To verify is to look for what can hardly be meant and to prove every invariant, from the loaded rulebook to the last verdict.
Bars: each shipped rulebook in less than 1 s, 1,500 rules in less than 30 s. The 1,500 rules are the published ones and a
table of rules guarded by category, all under the published promises; two of these they break, as published.
"""

from __future__ import annotations

import time
from pathlib import Path

import restock
from benchmarks.report import line, machine
from restock.engine.rules import Rulebook
from restock.engine.rules.lint import lint
from restock.engine.rules.proof.invariants import prove

RULES = (150, 750, 1_500)
SHIPPED_BAR_SECONDS = 1.0
MANY_BAR_SECONDS = 30.0
RULEBOOKS = Path(restock.__file__).parent / "decisions" / "rulebooks"
LIMITS = 20
"""Outputs that the table of categories sets: as many as a wide policy has."""


def many(count: int) -> Rulebook:
    """Make so many rules."""
    text = (RULEBOOKS / "published.grl").read_text("utf-8")
    rows = [
        f"rule Category{row} salience 60 no-loop {{ when category == {row} && total_amount > {100 * row}"
        f" then limit_{row % LIMITS} = total_amount * 0.{row % 9 + 1}; }}\n"
        for row in range(count - text.count("\nrule "))
    ]
    return Rulebook.parse(text + "".join(rows), f"{count} rules")


def verified(book: Rulebook) -> tuple[float, dict[str, int]]:
    """Verify; give the seconds and how often each outcome came out."""
    start = time.perf_counter()
    lint(book)
    proofs = prove(book)
    seconds = time.perf_counter() - start
    outcomes = [one.outcome for one in proofs]
    return seconds, {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}


def main() -> None:
    """Print the seconds; end with an error when a bar is missed or nothing could be said of an invariant."""
    print(machine())
    missed = []
    shipped = [Rulebook.parse((RULEBOOKS / f"{n}.grl").read_text("utf-8"), n) for n in ("published", "purchasing")]
    for book in (*shipped, *map(many, RULES)):
        bar = SHIPPED_BAR_SECONDS if book in shipped else MANY_BAR_SECONDS
        seconds, outcomes = verified(book)
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        line(f"{book.name} verified: {told}", f"{seconds:.2f} s", f"< {bar:g} s")
        if seconds >= bar or set(outcomes) - {"proved", "counterexample"}:
            missed.append(book.name)
    if missed:
        raise SystemExit(f"Too slow or without an answer: {', '.join(missed)}.")


if __name__ == "__main__":
    main()
