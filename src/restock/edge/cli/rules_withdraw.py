"""`restock rules withdraw`: give up a version before it is in force."""

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
  restock rules withdraw purchasing 3f2a91c0
  restock rules withdraw purchasing 3f2a91c0 --why "the discount is not agreed"

It may be submitted again, and passes every gate again."""
)
@click.argument("name")
@click.argument("version")
@by
@why
@as_json
@click.pass_obj
def withdraw(shell: Shell, name: str, version: str, by: str, why: str, as_json: bool) -> None:
    """Give up a version that is not in force."""

    async def task(app: Running) -> Version:
        return await app.decisions.withdraw(MoveRequest(name, version, by, why))

    tell(work(shell, task), as_json)
