"""`restock setup demo`: the demo company in this home, not played."""

from __future__ import annotations

import asyncio
import time

import click

from restock.edge.cli.output import echo_json
from restock.edge.cli.running import Running
from restock.edge.cli.session import as_json, carry_on, work
from restock.edge.cli.shell import Shell
from restock.edge.demo.company import ITEMS, load

PATIENCE_SECONDS = 10.0
"""How long to wait for a running server to take note of the stock counts."""


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
        return await load(app, lambda: _settled(shell, app))

    changed = work(shell, task)
    if as_json:
        echo_json({"home": str(shell.home), "changed": changed})
        return
    words = ", ".join(f"{count} {kind}" for kind, count in changed.items())
    click.echo(f"The demo company is in {shell.home}: {len(ITEMS)} products. Changed: {words}.")
    click.echo("Next: restock flow PROD-001 PROD-002 PROD-003, then restock plan.")


async def _settled(shell: Shell, app: Running) -> None:
    """Carry the stock counts on, or wait until the server has."""
    if await carry_on(shell, app):
        return
    end = time.monotonic() + PATIENCE_SECONDS
    while any((await app.backlog()).values()) and time.monotonic() < end:  # noqa: ASYNC110 - another process works
        await asyncio.sleep(0.05)


def command(_name: str) -> click.Command:
    """Give the command."""
    return setup
