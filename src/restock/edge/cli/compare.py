"""`restock rules diff` and `restock rules cases`: two rulebooks compared for all inputs, and facts at every threshold."""

from __future__ import annotations

import click
import msgspec

from restock.edge.cli.decide import rulebook_of
from restock.edge.cli.flips_told import shown_value
from restock.edge.cli.output import Column, echo_json, note, table
from restock.edge.cli.prove import shown
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.engine.rules import Rulebook
from restock.engine.rules.proof.boundaries import boundaries
from restock.engine.rules.proof.difference import Difference, compare

_json = msgspec.json.Encoder(decimal_format="number").encode


@click.command(
    "diff",
    epilog="""\b
Examples:
  restock rules diff purchasing mine.grl
  restock rules diff old.grl new.grl --json

Needs the extra 'prove'. The rulebooks are compared for all inputs that both accept, on
the outputs that both have. Exit status 0 when they are proved the same, else 1.""",
)
@click.argument("first", metavar="FILE|NAME")
@click.argument("second", metavar="FILE|NAME")
@as_json
@click.pass_context
def diff(ctx: click.Context, first: str, second: str, as_json: bool) -> None:
    """Prove that two rulebooks decide the same, or show where they differ."""
    shell: Shell = ctx.obj
    books = rulebook_of(shell, first), rulebook_of(shell, second)
    found = compare(*books)
    if as_json:
        echo_json(
            {"rulebooks": [book.name for book in books], "versions": [book.version for book in books]} | _of(found)
        )
    else:
        _tell(*books, found)
    if found.outcome != "same":
        ctx.exit(PARTLY)


def _of(found: Difference) -> dict[str, object]:
    sides = {"outputs": [found.first, found.second]} if found.facts else {}
    return {"outcome": found.outcome, "rules": found.rules, "notes": found.notes, "facts": found.facts, **sides}


def _tell(first: Rulebook, second: Rulebook, found: Difference) -> None:
    for text in found.notes:
        note(f"note: {text}.")
    if found.rules:
        note(f"note: {len(found.rules)} rules are written differently: {', '.join(found.rules)}.")
    if found.outcome == "same":
        click.echo(f"{first.name} and {second.name} decide the same for all inputs.")
    elif found.outcome == "differs":
        click.echo(f"{first.name} and {second.name} differ, for example\nwith {shown(found.facts)}")
        rows = [
            (name, *(shown_value(side[name]) if name in side else "" for side in (found.first, found.second)))
            for name in dict.fromkeys((*found.first, *found.second))
            if found.first.get(name) != found.second.get(name)
        ]
        click.echo(table([Column("output"), Column(first.name), Column(second.name)], rows))
    else:
        click.echo(f"Whether {first.name} and {second.name} decide the same is {found.outcome}.")


@click.command(
    "cases",
    epilog="""\b
Examples:
  restock rules cases purchasing > facts.jsonl
  restock rules cases mine.grl | restock decide --rulebook mine.grl
  restock rules cases mine.grl --json          with what each is for

Needs the extra 'prove'. Facts that put each condition on its threshold, just below and
just above, one JSON object a line; for a condition without one, true and false.""",
)
@click.argument("name", metavar="FILE|NAME")
@as_json
@click.pass_obj
def boundary_cases(shell: Shell, name: str, as_json: bool) -> None:
    """Give facts at, below and above every threshold."""
    vectors = boundaries(rulebook_of(shell, name))
    if as_json:
        echo_json(vectors)
        return
    lines = dict.fromkeys(_json(one.facts) for one in vectors if one.facts)
    for line in lines:
        click.echo(line.decode())
    note(f"{len(lines)} facts for {sum(bool(one.facts) for one in vectors)} boundaries.")
    for one in vectors:
        if not one.facts:
            why = "no input gets there" if one.reached == "no" else "no facts found"
            note(f"note: {one.rule}: {one.test}, {one.side}: {why}.")
