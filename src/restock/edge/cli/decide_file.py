"""`restock decide --facts FILE.parquet --out FILE.parquet`: a whole catalogue, by columns where they run the rules."""

from __future__ import annotations

import time
from pathlib import Path

from restock.core.errors import InvalidInput
from restock.edge.cli.output import note
from restock.edge.files.decided import CATALOGUES, decide_file
from restock.engine.rules import Rulebook


def is_catalogue(facts: str, out: str | None) -> bool:
    """Tell whether files are decided instead of lines. Raises InvalidInput when only one of the two fits."""
    file = Path(facts).suffix.lower() in CATALOGUES
    if file and out is None:
        raise InvalidInput(f"{facts} is a file of rows.", field="out", remedy="Say where to: --out decisions.parquet.")
    if out is not None and not file:
        remedy = "Leave --out out, or give --facts a .parquet or .csv file."
        raise InvalidInput("Decisions of JSON lines go to standard output.", field="out", remedy=remedy)
    return file


def decide_catalogue(book: Rulebook, facts: Path, out: Path, engine: str | None, module: str) -> bool:
    """Decide a file, say how many rows, and tell whether all could be decided."""
    plan = book.plan(module=module)
    chosen = engine or plan.catalogue
    if chosen not in plan.reasons:
        raise InvalidInput(
            f"The {chosen} engine takes documents, not rows.",
            field="engine",
            remedy=f"Give one of {', '.join(plan.reasons)}, or leave --engine out.",
        )
    if plan.reasons[chosen]:
        remedy = "Leave --engine out; `restock rules plan` says which engines run the rules."
        raise InvalidInput(f"The {chosen} engine cannot run {book.name}: {plan.reasons[chosen]}.", remedy=remedy)
    start = time.monotonic()
    report = decide_file(book, facts, out, engine=chosen, module=module)
    seconds = time.monotonic() - start
    note(f"{report.rows:,} rows decided into {out} in {seconds:.1f} s.")
    if report.errors:
        note(f"{report.errors:,} of {report.rows:,} rows were refused; the column error says why.")
    return not report.errors
