"""`restock rules test`: the cases beside a rulebook, and what they cover."""

from __future__ import annotations

from pathlib import Path

import click

from restock.edge.cli.decide import loaded
from restock.edge.cli.output import echo_json
from restock.edge.cli.prove import cases_beside
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.engine.rules import FactRulebook
from restock.engine.rules.case_file import read_cases
from restock.engine.rules.case_run import Report, no_cases, run_cases
from restock.engine.rules.fact_cases import run_fact_cases

SHOWN = 20
"""Most lines about what no case shows; --json gives all."""


@click.command(
    "test",
    epilog="""\b
Examples:
  restock rules test purchasing
  restock rules test mine.grl                  with mine.cases.yaml
  restock rules test mine.grl --cases other.cases.yaml

A case is a name, facts, and what must come out: "expect" some outputs, "fired" all
rules in order, or "error" a part of the refusal. Every invariant must hold on it, but
for those that it "breaks". Rules over facts take facts by type, Order: [{total: 7}],
and may expect fields of theirs. Exit status 1 when a case is not right.""",
)
@click.argument("name", metavar="FILE|NAME")
@click.option("--cases", "file", type=click.Path(path_type=Path), help="By default the file beside the rulebook.")
@as_json
@click.pass_context
def test_all(ctx: click.Context, name: str, file: Path | None, as_json: bool) -> None:
    """Run the cases of a rulebook; tell which rules and conditions they show."""
    shell: Shell = ctx.obj
    book = loaded(shell, name)
    cases = cases_beside(shell, name) if file is None else read_cases(shell.rulebook_text(file), file.name)
    if not cases:
        raise no_cases(name)
    report = run_fact_cases(book, cases) if isinstance(book, FactRulebook) else run_cases(book, cases)
    if as_json:
        echo_json(_document(book.name, report))
    else:
        _tell(report)
    if report.failed:
        ctx.exit(PARTLY)


def _tell(report: Report) -> None:
    for result in report.results:
        click.echo(f"{'wrong' if result.problems else 'right'}  {result.name}")
        for problem in result.problems:
            click.echo(f"       {problem}")
    coverage = report.coverage
    click.echo(
        f"{len(report.results) - report.failed} of {len(report.results)} cases right;"
        f" {coverage.rules_seen} of {len(coverage.rules)} rules fired and did not,"
        f" {coverage.tests_seen} of {len(coverage.tests)} conditions were true and false."
    )
    for line in report.unseen[:SHOWN]:
        click.echo(f"  {line}")
    if len(report.unseen) > SHOWN:
        click.echo(f"  … and {len(report.unseen) - SHOWN} more; --json gives all.")


def _document(name: str, report: Report) -> dict[str, object]:
    coverage = report.coverage
    return {
        "rulebook": name,
        "ok": not report.failed,
        "cases": report.results,
        "coverage": {
            "rules": {"seen": coverage.rules_seen, "all": len(coverage.rules)},
            "conditions": {"seen": coverage.tests_seen, "all": len(coverage.tests)},
            "unseen": report.unseen,
        },
    }
