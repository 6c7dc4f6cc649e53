"""`restock rules`: check and show rulebooks; the other commands of the group have files of their own."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import click

from restock.core.errors import InvalidInput, RestockError
from restock.edge.cli.case_tests import test_all
from restock.edge.cli.compare import boundary_cases, diff
from restock.edge.cli.decide import is_file, loaded
from restock.edge.cli.explain_rules import explain_rules
from restock.edge.cli.fmt import fmt
from restock.edge.cli.output import Column, echo_json, note, quantity, table
from restock.edge.cli.plan import plan
from restock.edge.cli.prove import prove_all
from restock.edge.cli.root import PARTLY
from restock.edge.cli.rules_life import LIFE
from restock.edge.cli.rules_sql import sql
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.engine.rules import FactRulebook, Field, check, load
from restock.engine.rules.fact_lint import fact_lint
from restock.engine.rules.finding import Finding
from restock.engine.rules.ir_patterns import FactField
from restock.engine.rules.lint import lint
from restock.engine.rules.proof.lint import deep_lint
from restock.engine.rules.proof.solver import installed
from restock.engine.rules.proof.stratification import one_pass, possible_obstacles


@click.group(
    epilog="""\b
Examples:
  restock rules check mine.grl
  restock rules prove mine.grl
  restock rules show purchasing
  restock rules submit mine.grl --name purchasing"""
)
def rules() -> None:
    """Check, prove, test and compare rulebooks, and bring them into force. Your own files are in RESTOCK_HOME/rulebooks."""


@rules.command(
    "check",
    epilog="""\b
Examples:
  restock rules check var/rulebooks/mine.grl
  restock rules check purchasing published
  restock rules check mine.json            rules in JSON: the same rules, or refused by place
  restock rules check --strict --notes     every rulebook of the library

Every error is shown with its line, a caret and the nearest right name; exit status 2
when there is one. A right rulebook is looked through for what can hardly be meant:
rules that never fire, assignments that never count, gaps, overlaps, loops. These are
warnings; with --strict they make the exit status 1. With the extra 'prove' the solver
tells which overlaps and loops can really happen.""",
)
@click.argument("names", nargs=-1, metavar="FILE|NAME…")
@click.option("--strict", is_flag=True, help="Exit status 1 when there is a warning.")
@click.option("--notes", is_flag=True, help="Also tell what is only worth knowing.")
@click.option("--deep", is_flag=True, help="Look with the solver too (needs the extra 'prove').")
@as_json
@click.pass_context
def check_all(ctx: click.Context, names: Sequence[str], strict: bool, notes: bool, deep: bool, as_json: bool) -> None:
    """Check rulebooks; say everything that is wrong or can hardly be meant."""
    shell: Shell = ctx.obj
    results = [_checked(shell, name, deep) for name in names or shell.rulebooks()]
    if as_json:
        echo_json([one.document() for one in results])
    else:
        for one in results:
            for error in one.errors:
                note(str(error))
            for finding in one.findings:
                if notes or finding.severity == "warning":
                    note(finding.shown(one.file))
            if not one.errors:
                click.echo(f"{one.name}: right. {one.summary}")
    wrong = [error for one in results for error in one.errors]
    if wrong:
        ctx.exit(wrong[0].exit_code)
    if strict and any(finding.severity == "warning" for one in results for finding in one.findings):
        ctx.exit(PARTLY)


class _Checked(NamedTuple):
    """Everything wrong with a rulebook; or its summary and what can hardly be meant."""

    name: str
    file: str
    errors: Sequence[RestockError]
    findings: Sequence[Finding] = ()
    summary: str = ""

    def document(self) -> dict[str, object]:
        """Give it for machines."""
        errors = [error.problem() for error in self.errors]
        return {"rulebook": self.name, "ok": not errors, "errors": errors, "findings": self.findings}


def _checked(shell: Shell, name: str, deep: bool) -> _Checked:
    try:
        if is_file(name):
            path = Path(name)
            text = shell.rulebook_text(path)
            errors = check(text, path.name)
            if errors:
                return _Checked(name, path.name, errors)
            book = load(text, path.name)
        else:
            book = shell.loaded(name)
        if book.empty:
            raise InvalidInput(f"{book.name} has no rules.", field="rulebook", remedy="Write some, or remove it.")
    except RestockError as error:
        return _Checked(name, name, [error])
    if isinstance(book, FactRulebook):
        return _Checked(name, book.name, [], fact_lint(book), book.summary())
    findings = lint(book, possible_obstacles if installed() else None)
    if deep and not one_pass(book):
        known = {(one.place, one.kind) for one in findings}
        findings += [one for one in deep_lint(book) if (one.place, one.kind) not in known]
    return _Checked(name, book.name, [], sorted(findings, key=lambda one: one.place), book.summary())


@rules.command(
    epilog="""\b
Examples:
  restock rules show purchasing
  restock rules show purchasing --text > mine.grl
  restock rules show ./mine.grl --json"""
)
@click.argument("name", metavar="NAME|FILE")
@click.option("--text", is_flag=True, help="Only the canonical text.")
@as_json
@click.pass_obj
def show(shell: Shell, name: str, text: bool, as_json: bool) -> None:
    """Show a rulebook: its rules, what it reads and sets, its text."""
    book = loaded(shell, name)
    if text:
        click.echo(book.print(), nl=False)
        return
    if isinstance(book, FactRulebook):
        _show_facts(book, as_json)
        return
    if as_json:
        echo_json(
            {
                "name": book.name,
                "version": book.version,
                "engines": book.engines,
                "rules": book.rules,
                "inputs": [_field(one) for one in book.inputs],
                "outputs": [_field(one) for one in book.outputs],
                "text": book.print(),
            }
        )
        return
    click.echo(f"{book.summary()}\nversion {book.version}\n")
    columns = [Column("rank", number=True), Column("rule"), Column("module"), Column("description", cut=True)]
    click.echo(table(columns, [(one.salience, one.name, one.module, one.description) for one in book.rules]))
    for title, fields in (("Inputs", book.inputs), ("Outputs", book.outputs)):
        click.echo(f"\n{title}")
        rows = [tuple(_field(one).values()) for one in fields]
        click.echo(table([Column("name"), Column("kind"), Column("default"), Column("range")], rows, "  "))
    click.echo("\n--text prints the rules.")


def _show_facts(book: FactRulebook, as_json: bool) -> None:
    """Show rules over facts: each rule once, and the types with the fields that rules use."""
    rules = {one.name: one for one in reversed(book.program.rules)}
    shown = [rules[name] for name in book.rules]
    types = {kind.name: {one.name: _fact_kind(one) for one in kind.fields} for kind in book.program.types}
    queries = [one.name for one in book.program.queries]
    if as_json:
        listed = [
            {"name": one.name, "salience": one.salience, "module": one.module, "description": one.description}
            for one in shown
        ]
        about = {"name": book.name, "version": book.version, "engines": book.engines}
        echo_json({**about, "rules": listed, "types": types, "queries": queries, "text": book.print()})
        return
    click.echo(f"{book.summary()}\nversion {book.version}\n")
    columns = [Column("rank", number=True), Column("rule"), Column("module"), Column("description", cut=True)]
    click.echo(table(columns, [(one.salience, one.name, one.module, one.description) for one in shown]))
    rows = [(kind, ", ".join(f"{name} {of}" for name, of in fields.items())) for kind, fields in types.items()]
    click.echo("\nTypes of facts\n" + table([Column("type"), Column("fields", cut=True)], rows, "  "))
    if queries:
        click.echo(f"\nQueries: {', '.join(queries)}")
    click.echo("\n--text prints the rules.")


def _fact_kind(one: FactField) -> str:
    return f"list of {one.field.kind}" if one.many else one.field.kind


for _command in (plan, sql, prove_all, test_all, diff, boundary_cases, fmt, explain_rules, *LIFE):
    rules.add_command(_command)


def _field(one: Field) -> dict[str, str]:
    default = "computed" if one.derived is not None else "" if one.default is None else _shown(one.default)
    default = "absent" if one.absent else default
    low, high = one.low, one.high
    span = f"{quantity(low)} to {quantity(high)}" if low is not None and high is not None else ", ".join(one.values)
    return {"name": one.name, "kind": one.kind, "default": default, "range": span}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quantity(value) if isinstance(value, Decimal) else f'"{value}"'


def command(_name: str) -> click.Command:
    """Give the command."""
    return rules
