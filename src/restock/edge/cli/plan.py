"""`restock rules plan`: which engines run a rulebook, why the others cannot, and which one is chosen."""

from __future__ import annotations

import click

from restock.edge.cli.decide import loaded
from restock.edge.cli.decide_facts import fact_engines, how_kept
from restock.edge.cli.output import Column, echo_json, table
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.engine.rules import FactRulebook
from restock.engine.rules.fact_rulebook import AGENDA


@click.command(
    epilog="""\b
Examples:
  restock rules plan purchasing
  restock rules plan ./mine.grl --json

`restock decide` takes the engine chosen for one decision, with --out the one for
a catalogue; --engine takes any other that runs the rules."""
)
@click.argument("name", metavar="NAME|FILE")
@click.option("--module", default="", help="Only the rules of this module, for example LINE or ORDER.")
@as_json
@click.pass_obj
def plan(shell: Shell, name: str, module: str, as_json: bool) -> None:
    """Say which engines run a rulebook, and why others cannot."""
    book = loaded(shell, name)
    facts = book if isinstance(book, FactRulebook) else FactRulebook.parse(book.text, book.name)
    if isinstance(book, FactRulebook):
        reasons = book.engines
        one, catalogue = "" if reasons[AGENDA] else AGENDA, ""
    else:
        made = book.plan(module=module)
        reasons, one, catalogue = dict(made.reasons), made.one, made.catalogue
        reasons |= fact_engines(book, facts)
    if as_json:
        engines = {engine: {"runs": not reason, "reason": reason} for engine, reason in reasons.items()}
        echo_json({"rulebook": book.name, "engines": engines, "one": one, "catalogue": catalogue})
        return
    rows = [(engine, "no" if reason else "yes", reason) for engine, reason in reasons.items()]
    click.echo(table([Column("engine"), Column("runs"), Column("why not", cut=True)], rows))
    click.echo(f"\none decision: {one or 'none'}\na catalogue:  {catalogue or 'none'}")
    click.echo(f"changes:      network, {how_kept(facts)}")
