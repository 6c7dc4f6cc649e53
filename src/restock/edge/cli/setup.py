"""`restock setup` and `restock migrate`: databases, users and tables, certificates; the demo company, not played."""

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
Examples:
  RESTOCK_DB_HOST=127.0.0.1 RESTOCK_DB_USER=root restock setup databases
  RESTOCK_DB_ADMIN_USER=root restock setup databases
  restock migrate

What is there stays as it is. With db_admin_user, each database gets the user of its
settings (db_user, or OMS_DB_USER and so on), who may read and write its rows and no
others; a user that is there gets the password of the settings. Tables are made by
`restock migrate`, published data is loaded by `restock setup demo`."""
)
@as_json
@click.pass_obj
def databases(shell: Shell, as_json: bool) -> None:
    """Make databases and users on the server of MySQL or MariaDB that db_host names."""
    made, users = shell.setup_databases()
    if as_json:
        echo_json({"made": made, "users": users})
        return
    if made:
        click.echo(f"Made {', '.join(made)}. Their tables are made by `restock migrate`, or at the first start.")
    else:
        click.echo("All databases are there.")
    if users:
        click.echo(f"Made the users {', '.join(users)}.")


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


@click.command(
    epilog="""\b
Examples:
  restock migrate
  RESTOCK_DB_ADMIN_USER=root restock migrate --json

Opening does the same where the user may. Processes that migrate at the same time take
turns, and doing it again changes nothing."""
)
@as_json
@click.pass_obj
def migrate(shell: Shell, as_json: bool) -> None:
    """Make or update the tables of every database."""
    changed = shell.migrate()
    if as_json:
        echo_json({"changed": changed})
    elif changed:
        click.echo(f"Brought up to date: {', '.join(changed)}.")
    else:
        click.echo("All tables are up to date.")


def command(name: str) -> click.Command:
    """Give the command of a name."""
    return {"setup": setup, "migrate": migrate}[name]
