"""`restock rules prove`: every invariant of a rulebook proved, or broken by an example in business numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from restock.core.errors import InvalidInput
from restock.edge.cli.decide import GRL, is_file, rulebook_of
from restock.edge.cli.flips_told import shown_value
from restock.edge.cli.output import echo_json, note
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.edge.files.written import write_whole
from restock.engine.rules import Rulebook
from restock.engine.rules.case_file import SUFFIX, Case, read_cases, write_case
from restock.engine.rules.errors import meant
from restock.engine.rules.ir import Value
from restock.engine.rules.loading import JSON
from restock.engine.rules.proof.exceptions import with_exceptions
from restock.engine.rules.proof.invariants import Proof, prove
from restock.engine.rules.proof.solver import TIMEOUT_SECONDS

HEADER = "# Cases of a rulebook: restock rules test runs them.\ncases:\n"


@click.command(
    "prove",
    epilog="""\b
Examples:
  restock rules prove purchasing
  restock rules prove purchasing --module ORDER
  restock rules prove mine.grl --keep mine.cases.yaml
  restock rules prove mine.grl --waive "what is sent is approved"

Needs the extra 'prove'. An invariant is proved for all inputs within their ranges, or
a counterexample is shown and, with --keep, made a case. A case that "breaks" an
invariant, beside the rulebook, makes it a known exception. Exit status 1 when an
invariant fails, or is unknown and not waived. With --module what other modules decide
may have any value, and only invariants over the module's fields are asked.""",
)
@click.argument("name", metavar="FILE|NAME")
@click.option("--module", default="", help="Only the rules of this module, for example LINE or ORDER.")
@click.option("--keep", type=click.Path(path_type=Path), help="Add counterexamples to this file of cases.")
@click.option("--waive", multiple=True, help="An invariant that may stay unknown; can be given several times.")
@click.option(
    "--seconds", type=click.IntRange(1), default=TIMEOUT_SECONDS, show_default=True, help="Time for a question."
)
@as_json
@click.pass_context
def prove_all(
    ctx: click.Context,
    name: str,
    module: str,
    keep: Path | None,
    waive: Sequence[str],
    seconds: int,
    as_json: bool,
) -> None:
    """Prove every invariant of a rulebook, or show what breaks it."""
    shell: Shell = ctx.obj
    book = rulebook_of(shell, name)
    if module and keep is not None:
        raise InvalidInput("Kept cases are of whole rulebooks.", field="keep", remedy="Leave --module or --keep out.")
    if module:
        book = book.module(module)
    cases = [one for one in cases_beside(shell, name) if one.module == module]
    proofs = with_exceptions(book, prove(book, seconds), cases)
    known = [one.invariant for one in proofs]
    for text in waive:
        if text not in known:
            remedy = meant(text, known)
            raise InvalidInput(f"{book.name} has no invariant '{text}'.", field="waive", remedy=remedy)
    failed = [one for one in proofs if one.fails and not (one.outcome == "unknown" and one.invariant in waive)]
    if as_json:
        echo_json({"rulebook": book.name, "version": book.version, "ok": not failed, "invariants": proofs})
    else:
        for one in proofs:
            click.echo(_told(book, one))
        if not proofs:
            note(f'{book.name} has no invariants. Write some: invariant "what must hold": condition;')
    if keep is not None:
        _keep(keep, [one for one in failed if one.facts])
    if failed:
        ctx.exit(PARTLY)


def cases_beside(shell: Shell, name: str) -> list[Case]:
    """Read the cases of a rulebook; none when there are none."""
    if is_file(name):
        path = Path(name)
        beside = path.with_name(path.name.removesuffix(GRL).removesuffix(JSON) + SUFFIX)
        file, text = beside.name, shell.rulebook_text(beside) if beside.is_file() else ""
    else:
        file, text = shell.rulebook_cases(name)
    return read_cases(text, file) if text else []


def shown(values: dict[str, Value]) -> str:
    """Write facts or outputs in one line."""
    return ", ".join(f"{name} {shown_value(value)}" for name, value in values.items())


def _told(book: Rulebook, one: Proof) -> str:
    lines = [f"{one.outcome:<15} {one.milliseconds:>6} ms  {one.invariant}"]
    if one.reason:
        lines.append(f"    {book.name}:{one.place.line}:{one.place.column}: {one.reason}")
    if one.facts:
        outputs = {name: value for name, value in one.outputs.items() if value not in (False, "", 0)}
        lines += [f"    with {shown(one.facts)}", f"    gives {shown(outputs) or 'every output at 0, false or empty'}"]
    return "\n".join(lines)


def _keep(path: Path, proofs: Sequence[Proof]) -> None:
    """Add a case for each counterexample that the file does not have yet."""
    text = path.read_text("utf-8") if path.exists() else HEADER
    known = {case.name for case in read_cases(text, path.name)}
    cases = [Case(f"counterexample: {one.invariant}", one.facts) for one in proofs]
    fresh = [case for case in cases if case.name not in known]
    write_whole(path, text.rstrip("\n") + "\n" + "".join(map(write_case, fresh)))
    note(f"{len(fresh)} cases added to {path}." if fresh else f"{path} has these cases already.")
