"""`restock rules`: check and show rulebooks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import click

from restock.core.errors import RestockError
from restock.edge.cli.decide import GRL, rulebook_of
from restock.edge.cli.fmt import fmt
from restock.edge.cli.output import Column, echo_json, note, quantity, table
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.engine.rules import Field, check, load


@click.group(
    epilog="""\b
Examples:
  restock rules check mine.grl
  restock rules show purchasing"""
)
def rules() -> None:
    """Check and show rulebooks. Your own are in RESTOCK_HOME/rulebooks."""


@rules.command(
    "check",
    epilog="""\b
Examples:
  restock rules check var/rulebooks/mine.grl
  restock rules check purchasing published
  restock rules check                      every rulebook of the library

Every error is shown with its line, a caret and the nearest right name. Exit
status 2 when there is one.""",
)
@click.argument("names", nargs=-1, metavar="FILE|NAME…")
@as_json
@click.pass_context
def check_all(ctx: click.Context, names: Sequence[str], as_json: bool) -> None:
    """Check rulebooks; say everything that is wrong."""
    shell: Shell = ctx.obj
    results = [_checked(shell, name) for name in names or shell.rulebooks()]
    wrong = [error for _, errors, _ in results for error in errors]
    if as_json:
        echo_json(
            [
                {"rulebook": name, "ok": not errors, "errors": [one.problem() for one in errors]}
                for name, errors, _ in results
            ]
        )
    else:
        for name, errors, summary in results:
            for error in errors:
                note(str(error))
            if not errors:
                click.echo(f"{name}: right. {summary}")
    if wrong:
        ctx.exit(wrong[0].exit_code)


def _checked(shell: Shell, name: str) -> tuple[str, Sequence[RestockError], str]:
    """Give everything wrong with a rulebook, or its summary."""
    if "/" in name or name.endswith(GRL):
        path = Path(name)
        text = shell.rulebook_text(path)
        errors = check(text, path.name)
        return name, errors, "" if errors else load(text, path.name).summary()
    try:
        return name, [], shell.rulebook(name).summary()
    except RestockError as error:
        return name, [error], ""


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
    book = rulebook_of(shell, name)
    if text:
        click.echo(book.print(), nl=False)
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


def _field(one: Field) -> dict[str, str]:
    default = "computed" if one.derived is not None else "" if one.default is None else _shown(one.default)
    low, high = one.low, one.high
    span = f"{quantity(low)} to {quantity(high)}" if low is not None and high is not None else ", ".join(one.values)
    return {"name": one.name, "kind": one.kind, "default": default, "range": span}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quantity(value) if isinstance(value, Decimal) else f'"{value}"'


rules.add_command(fmt)


def command(_name: str) -> click.Command:
    """Give the command."""
    return rules
