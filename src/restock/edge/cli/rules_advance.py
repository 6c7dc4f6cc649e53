"""`restock rules advance`: take a submitted version through check, proof and shadow."""

from __future__ import annotations

import click

from restock.decisions.model import Advanced
from restock.decisions.port import MoveRequest
from restock.edge.cli.life_told import by, shadow_told, told, why
from restock.edge.cli.output import echo_json
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json, work
from restock.edge.running import Running


@click.command(
    epilog="""\b
Examples:
  restock rules advance purchasing 3f2a91c0
  restock rules advance purchasing 3f2a91c0 --json

Checked: no errors, and its cases are right. Proved: every invariant is proved or a
known exception; needs the extra 'prove'. Shadow: the decisions of the newest plan and
those that are kept, made again: how many change, and how much money. Exit status 1
when something keeps a gate shut."""
)
@click.argument("name")
@click.argument("version")
@by
@why
@as_json
@click.pass_context
def advance(ctx: click.Context, name: str, version: str, by: str, why: str, as_json: bool) -> None:
    """Check, prove and try a version, as far as it comes."""

    async def task(app: Running) -> Advanced:
        return await app.decisions.advance(MoveRequest(name, version, by, why))

    found = work(ctx.obj, task)
    if as_json:
        echo_json(found)
    else:
        for one in found.findings:
            click.echo(f"{'shut' if one.shut else 'open'}  {one.gate:<8}  {one.what}")
        if found.shadow is not None:
            click.echo(shadow_told(found.shadow))
        stopped = f"{found.version.name} stays {found.version.state}: correct it and submit it again."
        click.echo(stopped if found.stopped else told(found.version))
    if found.stopped:
        ctx.exit(PARTLY)
