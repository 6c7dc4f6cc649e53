"""`restock serve`: REST, and the events carried on."""

from __future__ import annotations

from collections.abc import Sequence

import click

from restock.edge.cli.shell import Shell


@click.command(
    epilog="""\b
Examples:
  restock serve
  restock serve inventory po
  restock serve --port 9000

Serves until Ctrl-C or SIGTERM, then finishes what it has begun. Commands work
beside it on the same home. restock operations lists the services' operations."""
)
@click.argument("services", nargs=-1, metavar="[SERVICE…]")
@click.option("--host", help="The address to listen on, instead of RESTOCK_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port, instead of RESTOCK_PORT; 0 takes a free one.")
@click.pass_obj
def serve(shell: Shell, services: Sequence[str], host: str | None, port: int | None) -> None:
    """Serve REST, and carry events on."""
    shell.serve(services, {"host": host, "port": port})


def command(_name: str) -> click.Command:
    """Give the command."""
    return serve
