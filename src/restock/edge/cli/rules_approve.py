"""`restock rules approve`: let a second person agree to a version."""

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
  restock rules approve purchasing 3f2a91c0 --by bob
  restock rules approve purchasing 3f2a91c0 --by bob --why "agreed in the meeting"

Whoever submitted it is refused with exit status 6."""
)
@click.argument("name")
@click.argument("version")
@by
@why
@as_json
@click.pass_obj
def approve(shell: Shell, name: str, version: str, by: str, why: str, as_json: bool) -> None:
    """Approve a version that somebody else submitted."""

    async def task(app: Running) -> Version:
        return await app.decisions.approve(MoveRequest(name, version, by, why))

    tell(work(shell, task), as_json)
