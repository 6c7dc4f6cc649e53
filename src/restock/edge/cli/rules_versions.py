"""`restock rules versions`: the versions of a rulebook, or everything that happened to one."""

from __future__ import annotations

import click

from restock.decisions.model import Version, VersionInfo
from restock.decisions.port import VersionRequest, VersionsRequest
from restock.edge.cli.life_told import shadow_told, told, version_table
from restock.edge.cli.output import Column, echo_json, moment, note, table
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running


@click.command(
    epilog="""\b
Examples:
  restock rules versions purchasing                      every version and its state
  restock rules versions purchasing 3f2a91c0             who did what when, and why
  restock rules versions purchasing 3f2a91c0 --text      its text"""
)
@click.argument("name")
@click.argument("version", required=False, default="")
@click.option("--text", is_flag=True, help="Only the text of the version.")
@as_json
@click.pass_obj
def versions(shell: Shell, name: str, version: str, text: bool, as_json: bool) -> None:
    """List the versions of a rulebook, or show one with its history."""

    async def task(app: Running) -> list[Version] | VersionInfo:
        if version:
            return await app.decisions.version(VersionRequest(name, version))
        return await app.decisions.versions(VersionsRequest(name))

    found = work(shell, task)
    if not found and name not in shell.rulebooks():
        shell.loaded(name)  # says that there is no such name, and which is near
    if as_json:
        echo_json(found)
    elif isinstance(found, VersionInfo):
        _show(found, text)
    elif found:
        click.echo(version_table(found))
    else:
        note(f"No version of {name} was submitted; what decides is the file of that name.")


def _show(found: VersionInfo, text: bool) -> None:
    if text:
        click.echo(found.text, nl=False)
        return
    columns = [Column("when"), Column("what"), Column("who"), Column("why", cut=True)]
    rows = [(moment(one.at), one.move.replace("_", " "), one.actor, one.reason) for one in found.steps]
    click.echo(f"{found.version.name} {found.version.version}\n{told(found.version)}\n")
    click.echo(table(columns, rows))
    if found.shadow is not None:
        click.echo(f"\n{shadow_told(found.shadow)}")
