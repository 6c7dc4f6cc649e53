"""`restock up`, `down` and `status`: every service as a process of its own."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from restock.core.errors import Unavailable
from restock.edge.cli.output import Column, echo_json, table
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.edge.files.pid_file import held, running, start, stop
from restock.edge.fleet import Fleet, Member
from restock.edge.load.caller import Caller
from restock.services import ASKED, SERVICES

NAME = "services"

READY_SECONDS = 60
"""How long all services may take to be ready: they may have stores to migrate, one after the other."""

LOOK_SECONDS = 0.1
"""How often is asked whether a service is ready."""

ASK_SECONDS = 5
"""How long a service may take to say how it is."""

NOT_ALL = 1
"""Exit status when a service is not ready."""


@click.command(
    epilog="""\b
Examples:
  restock up
  restock up --detach
  restock up --free-ports

Ten processes, each with its own databases, that ask one another over gRPC. On
embedded stores they share the folder of this home; RESTOCK_DB_HOST and
RESTOCK_KAFKA_SERVERS put stores and stream on servers. Ctrl-C or SIGTERM stops
them in order, and each finishes what it has begun; a second one kills them. A
service that ends by itself is started again."""
)
@click.option(
    "--detach", is_flag=True, help="Go on in the background; what is said goes to services.log of RESTOCK_HOME."
)
@click.option("--free-ports", is_flag=True, help="Take free ports instead of the published ones.")
@as_json
@click.pass_context
def up(ctx: click.Context, detach: bool, free_ports: bool, as_json: bool) -> None:
    """Start every service as a process of its own."""
    shell: Shell = ctx.obj
    if detach:
        options = ["--free-ports"] if free_ports else []
        there = start(shell.home, NAME, ["up", *options], "restock down")
        _show(_addresses(there.address), as_json)
        return
    with held(_file(shell)) as tell:
        ctx.exit(asyncio.run(_session(shell.home, _members(free_ports), tell, as_json)))


@click.command(
    epilog="""\b
Example:
  restock down

Waits until every service has finished what it has begun. Where nothing runs
there is nothing to stop."""
)
@click.pass_obj
def down(shell: Shell) -> None:
    """Stop the services that run in this home."""
    there = stop(_file(shell), READY_SECONDS * 2)
    click.echo("All services have ended." if there else "No services run in this home.")


@click.command(
    epilog="""\b
Examples:
  restock status
  restock status --json

Exit status 1 when one of them is not ready."""
)
@as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show the services that run in this home, and whether they are ready."""
    there = running(_file(ctx.obj))
    if there is None or not there.address:
        if as_json:
            echo_json({"running": False})
        else:
            click.echo("No services run in this home. Start them with `restock up`.")
        return
    rows = _addresses(there.address)
    states = asyncio.run(_states(rows))
    told = [{**row, "state": state} for row, state in zip(rows, states, strict=True)]
    if as_json:
        echo_json({"running": True, "pid": there.pid, "services": told})
    else:
        columns = [Column("service"), Column("REST"), Column("gRPC"), Column("state")]
        click.echo(table(columns, [tuple(row.values()) for row in told]))
    ctx.exit(0 if set(states) == {"ready"} else NOT_ALL)


def _file(shell: Shell) -> Path:
    return shell.home / f"{NAME}.pid"


def _members(free_ports: bool) -> list[Member]:
    """Give every service with its ports and where it finds the others."""
    wanted = {one.name: (one.rest_port, one.beside_port or one.grpc_port) for one in SERVICES}
    if free_ports:
        with ExitStack() as taken:
            wanted = {name: (_free(taken), _free(taken) if grpc_port else 0) for name, (_, grpc_port) in wanted.items()}
    neighbours = {
        f"RESTOCK_{one.name.replace('-', '_').upper()}_GRPC_URL": f"127.0.0.1:{wanted[one.name][1]}"
        for one in ASKED.values()
    }
    return [
        Member(name, rest, grpc, {"RESTOCK_PORT": str(rest), "RESTOCK_GRPC_PORT": str(grpc), **neighbours})
        for name, (rest, grpc) in wanted.items()
    ]


def _free(taken: ExitStack) -> int:
    """Give a free port, and hold it until all are found."""
    held_open = taken.enter_context(socket.socket())
    held_open.bind(("127.0.0.1", 0))
    return int(held_open.getsockname()[1])


async def _session(home: Path, members: Sequence[Member], tell: Any, as_json: bool) -> int:
    """Run the services until told to stop; give the exit status."""
    width = max(len(each.name) for each in members)
    stopping, at_once = asyncio.Event(), asyncio.Event()
    fleet = Fleet(members, home, lambda name, line: click.echo(f"{name:<{width}}  {line}", err=as_json))
    loop = asyncio.get_running_loop()

    def told() -> None:
        if stopping.is_set():
            at_once.set()
            fleet.kill()
        stopping.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, told)
    rows = [
        {
            "service": one.name,
            "rest": f"http://127.0.0.1:{one.rest_port}",
            "grpc": f"127.0.0.1:{one.grpc_port}" if one.grpc_port else "",
        }
        for one in members
    ]
    fleet.start()
    try:
        await _all_ready(fleet, rows, stopping)
        if not stopping.is_set():
            _show(rows, as_json)
            tell(msgspec.json.encode(rows).decode())
        await stopping.wait()
    finally:
        await fleet.stop()
    return NOT_ALL if at_once.is_set() else 0


async def _all_ready(fleet: Fleet, rows: Sequence[dict[str, str]], stopping: asyncio.Event) -> None:
    """Wait until all are ready or are to stop. Raises Unavailable when one ended or is not ready in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + READY_SECONDS
    while not stopping.is_set():
        if fleet.ended:
            raise Unavailable(f"{', '.join(sorted(fleet.ended))} did not start.", remedy="See what it says above.")
        states = await _states(rows)
        late = [row["service"] for row, state in zip(rows, states, strict=True) if state != "ready"]
        if not late:
            return
        if loop.time() > end:
            raise Unavailable(f"{', '.join(late)} did not get ready within {READY_SECONDS} s.", remedy="See above.")
        await asyncio.sleep(LOOK_SECONDS)


async def _states(rows: Sequence[dict[str, str]]) -> list[str]:
    """Give of each service whether it is ready, or what is in the way."""
    return await asyncio.gather(*(_state(row["rest"]) for row in rows))


async def _state(address: str) -> str:
    caller = Caller(address)
    try:
        async with asyncio.timeout(ASK_SECONDS):
            answer = await caller.ask("GET", "/readyz")
    except (Unavailable, TimeoutError):
        return "does not answer"
    finally:
        caller.close()
    return "ready" if answer.status == 200 else "; ".join(msgspec.json.decode(answer.body)["problems"])


def _addresses(text: str) -> list[dict[str, str]]:
    """Read what the running parent told of its services."""
    return msgspec.json.decode(text, type=list[dict[str, str]])


def _show(rows: Sequence[dict[str, str]], as_json: bool) -> None:
    if as_json:
        echo_json(rows)
        return
    click.echo(table([Column("service"), Column("REST"), Column("gRPC")], [tuple(row.values()) for row in rows]))
    click.echo("All services are ready.")


def command(name: str) -> click.Command:
    """Give the command."""
    return {"up": up, "down": down, "status": status}[name]
