"""`restock rules rollback`: take back the version in force."""

from __future__ import annotations

import click

from restock.decisions.model import State, Version, short
from restock.decisions.port import RollbackRequest
from restock.edge.cli.life_told import by, why
from restock.edge.cli.output import echo_json
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running


@click.command(
    epilog="""\b
Examples:
  restock rules rollback purchasing
  restock rules rollback purchasing --by bob --why "too many orders wait"

The version that it replaced is in force again, from the next decision on; where there
is none, the file of that name."""
)
@click.argument("name")
@by
@why
@as_json
@click.pass_obj
def rollback(shell: Shell, name: str, by: str, why: str, as_json: bool) -> None:
    """Take back the version in force for the one before it."""

    async def task(app: Running) -> list[Version]:
        return await app.decisions.rollback(RollbackRequest(name, by, why))

    versions = work(shell, task)
    if as_json:
        echo_json(versions)
        return
    back = max((one for one in versions if one.state == State.ROLLED_BACK), key=lambda one: one.move_no)
    active = next((one for one in versions if one.state == State.ACTIVE), None)
    if active is not None:
        now = f"{short(active.version)} is in force again"
    else:
        now = (
            "the file of that name is in force again" if name in shell.rulebooks() else f"nothing decides as {name} now"
        )
    click.echo(f"{name} {short(back.version)} is rolled back; {now}.")
