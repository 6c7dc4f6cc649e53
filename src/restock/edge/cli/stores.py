"""`restock backup` and `restock restore`: all stores as of one moment."""

from __future__ import annotations

from pathlib import Path

import click

from restock.core.errors import NotFound
from restock.edge.cli.output import counted, echo_json
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running


@click.command(
    epilog="""\b
Examples:
  restock backup /backups/monday

Works beside a running server. The copies are of one moment: no event is in one
and its effect missing in another. The folder must be new or empty."""
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@as_json
@click.pass_obj
def backup(shell: Shell, folder: Path, as_json: bool) -> None:
    """Copy all stores as of one moment."""
    files = shell.backup(folder)
    size = sum(file.stat().st_size for file in files)
    if as_json:
        echo_json({"folder": str(folder), "files": [file.name for file in files], "bytes": size})
    else:
        click.echo(f"{counted(len(files), 'store')}, {size:,} bytes, in {folder}.")


@click.command(
    epilog="""\b
Examples:
  restock restore /backups/monday

Refused while a server or another command carries events on. Every file is
checked first; then all are swapped at once, or none."""
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@as_json
@click.pass_obj
def restore(shell: Shell, folder: Path, as_json: bool) -> None:
    """Put a backup in the place of the stores."""
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", field="DIR", remedy="Name one made by `restock backup`.")
    with shell.alone():
        files = shell.restore(folder)

    async def opened(_app: Running) -> None:
        """Opening migrates a backup of an older version, and refuses one of a newer."""

    work(shell, opened)
    if as_json:
        echo_json({"home": str(shell.home), "files": [file.name for file in files]})
    else:
        click.echo(f"{counted(len(files), 'store')} restored in {shell.home}.")


def command(name: str) -> click.Command:
    """Give the command of a name."""
    return {"backup": backup, "restore": restore}[name]
