"""`restock serve`: REST, and the events carried on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path

import click

from restock.core.errors import NotFound
from restock.edge.cli.shell import Shell
from restock.edge.files.pid_file import held
from restock.services import SERVICES


@click.command(
    epilog="""\b
Examples:
  restock serve
  restock serve --port 0
  restock serve --log text
  restock serve inventory            also gRPC on 50052
  restock serve inventory supplier   both in one process

Serves until Ctrl-C or SIGTERM, then finishes what it has begun. Commands work
beside it on the same home. Without SERVICE everything is in one process. With
some, only these are: each opens its own databases, the ports are the published
ones, and the others are asked over gRPC (RESTOCK_OMS_GRPC_URL and so on; the
extra grpc). `restock up` starts all of them so."""
)
@click.argument("services", nargs=-1, metavar="[SERVICE…]")
@click.option("--host", help="The address to listen on, instead of RESTOCK_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port, instead of RESTOCK_PORT; 0 takes a free one.")
@click.option(
    "--log",
    type=click.Choice(["json", "text"]),
    help="Write a line per request and run too, in this form, to standard error.",
)
@click.option("--access-log", is_flag=True, help="The same in the form of RESTOCK_LOG, by default JSON.")
@click.option(
    "--pid-file", type=click.Path(path_type=Path), help="Keep process and address in this file while the server lives."
)
@click.pass_context
def serve(
    ctx: click.Context,
    services: Sequence[str],
    host: str | None,
    port: int | None,
    log: str | None,
    access_log: bool,
    pid_file: Path | None,
) -> None:
    """Serve REST, and carry events on."""
    shell: Shell = ctx.obj
    known = [one.name for one in SERVICES]
    for name in services:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
            raise NotFound(f"There is no service {name!r}.", field="SERVICE", remedy=remedy)
    flags = {"host": host, "port": port, "log": log}
    with held(pid_file) if pid_file else nullcontext(_nobody) as tell:

        def announce(address: str) -> None:
            _announce(shell, address)
            tell(address)

        status = shell.serve(services, flags, announce, access_log=access_log or log is not None)
    ctx.exit(status)


def _nobody(_address: str) -> None:
    """Tell nobody."""


def _announce(shell: Shell, address: str) -> None:
    click.echo(f"Restock serves {address} from {shell.home}. Ctrl-C stops it.")


def command(_name: str) -> click.Command:
    """Give the command."""
    return serve
