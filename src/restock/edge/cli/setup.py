"""`restock setup`: the demo company in this home, not played; databases on a server; certificates of services."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from restock.edge.cli.output import echo_json
from restock.edge.cli.session import as_json, settled, work
from restock.edge.cli.shell import Shell
from restock.edge.demo.company import ITEMS, load
from restock.edge.running import Running


@click.group(
    epilog="""\b
Example:
  restock setup demo
  restock setup certificates"""
)
def setup() -> None:
    """Load the demo company; make databases and certificates."""


@setup.command(
    epilog="""\b
Examples:
  restock setup demo
  restock flow PROD-001 PROD-002 PROD-003
  restock plan

Twice changes nothing; stock that has moved since stays as it is."""
)
@as_json
@click.pass_obj
def demo(shell: Shell, as_json: bool) -> None:
    """Load the demo company: nine products with stock, terms, units and demand."""

    async def task(app: Running) -> dict[str, int]:
        return await load(app, lambda: settled(shell, app))

    changed = work(shell, task)
    if as_json:
        echo_json({"home": str(shell.home), "changed": changed})
        return
    words = ", ".join(f"{count} {kind}" for kind, count in changed.items())
    click.echo(f"The demo company is in {shell.home}: {len(ITEMS)} products. Changed: {words}.")
    click.echo("Next: restock flow PROD-001 PROD-002 PROD-003, then restock plan.")


@setup.command(
    epilog="""\b
Example:
  RESTOCK_DB_HOST=127.0.0.1 RESTOCK_DB_USER=root restock setup databases

Those that are there stay as they are. The user needs the right to make databases;
afterwards one with all rights on them suffices."""
)
@as_json
@click.pass_obj
def databases(shell: Shell, as_json: bool) -> None:
    """Make the databases on the server of MySQL or MariaDB that db_host names."""
    made = shell.setup_databases()
    if as_json:
        echo_json({"made": made})
    elif made:
        click.echo(f"Made {', '.join(made)}. Their tables are made at the first start.")
    else:
        click.echo("All databases are there.")


@setup.command(
    epilog="""\b
Examples:
  restock setup certificates
  restock setup certificates --host restock.example.com --host 10.0.0.5
  RESTOCK_TLS=certificates/po restock serve po

A private authority in DIR/ca, and a folder for each service. Again, it renews
what ends soon; running services take the new ones up by themselves. Keep
DIR/ca/ca.key where nobody serves: whoever has it can pass for any service."""
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("certificates"),
    show_default=True,
    help="Where they are kept.",
)
@click.option("--host", "hosts", multiple=True, help="A further name or address by which services are called.")
@click.option("--renew", is_flag=True, help="Make all of them anew, but not the authority.")
@as_json
@click.pass_obj
def certificates(shell: Shell, folder: Path, hosts: Sequence[str], renew: bool, as_json: bool) -> None:
    """Make the certificates by which services know one another."""
    made, kept = shell.setup_certificates(folder, hosts, renew=renew)
    if as_json:
        echo_json({"dir": str(folder), "made": made, "kept": kept})
    elif made:
        click.echo(f"Made the certificates of {', '.join(made)} in {folder}.")
        click.echo(f"Next: RESTOCK_TLS={folder / made[0]} restock serve {made[0]}")
    else:
        click.echo(f"All certificates in {folder} are good.")


def command(_name: str) -> click.Command:
    """Give the command."""
    return setup
