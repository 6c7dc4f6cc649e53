"""`restock rules activate`: put an approved version in force."""

from __future__ import annotations

import click

from restock.decisions.model import Version
from restock.decisions.port import MoveRequest
from restock.edge.cli.life_told import by, tell, why
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running


@click.command(
    epilog="""\b
Examples:
  restock rules activate purchasing 3f2a91c0
  restock rules activate purchasing 3f2a91c0 --by bob --json

Servers that run take it with their next decision; a plan that runs ends with the
version that it began with."""
)
@click.argument("name")
@click.argument("version")
@by
@why
@as_json
@click.pass_obj
def activate(shell: Shell, name: str, version: str, by: str, why: str, as_json: bool) -> None:
    """Put an approved version in force, from the next decision on."""

    async def task(app: Running) -> Version:
        return await app.decisions.activate(MoveRequest(name, version, by, why))

    tell(work(shell, task), as_json)
