"""`restock rules fmt`: the canonical form of rulebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from restock.core.errors import InvalidInput
from restock.edge.cli.output import note
from restock.edge.cli.shell import Shell
from restock.edge.files.written import write_whole
from restock.engine.rules.formatter import formatted
from restock.engine.rules.json_rules import grl_of_json
from restock.engine.rules.loading import JSON

DIFFERS = 1
"""Exit status of --check when a file is not in its canonical form."""


@click.command(
    epilog="""\b
Examples:
  restock rules fmt mine.grl                print the canonical form
  restock rules fmt --check *.grl           say which files differ from it
  restock rules fmt --write *.grl           rewrite those files
  restock rules fmt mine.json               print rules in JSON as text

Comments are kept; one inside a rule moves above it. Exit status 1 when --check
finds a difference, 2 when a text cannot be read."""
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--check", is_flag=True, help="Only say which files differ.")
@click.option("--write", is_flag=True, help="Rewrite the files that differ.")
@click.pass_context
def fmt(ctx: click.Context, files: Sequence[str], check: bool, write: bool) -> None:
    """Write rulebooks in their canonical form."""
    shell: Shell = ctx.obj
    differing = 0
    for name in files:
        path = Path(name)
        before = shell.rulebook_text(path)
        if path.name.endswith(JSON):
            if check or write:
                remedy = "Leave --check and --write out: it is printed as text, which you can keep in a .grl file."
                raise InvalidInput("Rules in JSON have no canonical form of their own.", field=name, remedy=remedy)
            before = grl_of_json(before, path.name)
        after = formatted(before, path.name)
        if not check and not write:
            click.echo(after, nl=False)
        elif after != before:
            differing += 1
            if write and not check:
                write_whole(path, after)
            note(f"{name}: {'differs from its canonical form' if check else 'rewritten'}.")
    if check and differing:
        ctx.exit(DIFFERS)
