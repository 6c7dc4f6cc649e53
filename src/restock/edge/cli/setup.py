"""`restock setup demo`: the demo company in this home, not played."""

from __future__ import annotations

import click

from restock.edge.cli.output import echo_json
from restock.edge.cli.session import as_json, settled, work
from restock.edge.cli.shell import Shell
from restock.edge.demo.company import ITEMS, load
from restock.edge.running import Running


@click.group(
    epilog="""\b
Example:
  restock setup demo"""
)
def setup() -> None:
    """Load prepared data."""


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


def command(_name: str) -> click.Command:
    """Give the command."""
    return setup


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
