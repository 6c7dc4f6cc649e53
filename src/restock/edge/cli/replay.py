"""`restock replay`: stored decisions made again from their version and their inputs."""

from __future__ import annotations

from contextlib import closing

import click

from restock.core.errors import InvalidInput
from restock.decisions.model import Replayed, Replays, short
from restock.decisions.port import DecisionRequest, ReplaysRequest
from restock.edge.cli.output import Progress, counted, echo_json, note
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running

PAGE = 1000
"""Decisions made again at once."""

SHOWN = 20
"""Decisions that are told of those that differ; --json gives all."""


@click.command(
    epilog="""\b
Examples:
  restock replay 019aa2c4-7d3e-7c11-8a52-0f6e2b9d1c44
  restock replay --all
  restock replay --since 2026-11-01 --until 2026-12-01 --json

A decision is made again by the version of the rulebook that made it, on the facts that
are kept with it. Outputs, facts and fired rules must be equal to the byte. Exit status
0 when they are, 1 when anything differs."""
)
@click.argument("decision", required=False, default="")
@click.option("--all", "everything", is_flag=True, help="Every decision that is kept.")
@click.option("--since", default="", help="Only decisions from this day or moment on, in UTC.")
@click.option("--until", default="", help="Only decisions before this day or moment.")
@as_json
@click.pass_context
def replay(ctx: click.Context, decision: str, everything: bool, since: str, until: str, as_json: bool) -> None:
    """Make stored decisions again, and say exactly what differs."""
    ranged = everything or bool(since or until)
    if bool(decision) == ranged:
        raise InvalidInput(
            "Name one decision, or a range of them.", field="decision", remedy="Give its identifier, --all or --since."
        )
    found = _range(ctx.obj, since, until) if ranged else _one(ctx.obj, decision)
    if as_json:
        echo_json({"decisions": found.decisions, "same": not found.different, "different": found.different})
    else:
        _tell(found)
    if found.different:
        ctx.exit(PARTLY)


def _one(shell: Shell, decision: str) -> Replays:
    async def task(app: Running) -> Replayed:
        return await app.decisions.replay(DecisionRequest(decision))

    found = work(shell, task)
    return Replays(1, [found] if found.differences else [], "")


def _range(shell: Shell, since: str, until: str) -> Replays:
    async def task(app: Running) -> Replays:
        made, different, after = 0, [], ""
        every = await app.decisions.count()
        with closing(Progress("Replaying", "decisions")) as progress:
            while True:
                page = await app.decisions.replays(ReplaysRequest(after, PAGE, since, until))
                made += page.decisions
                different += page.different
                progress.tell(made, None if since or until or not every else made / every)
                if not page.last:
                    return Replays(made, different, "")
                after = page.last

    return work(shell, task)


def _tell(found: Replays) -> None:
    for one in found.different[:SHOWN]:
        click.echo(f"{one.decision_id} by {one.rulebook} {short(one.version)} differs")
        for text in one.differences:
            click.echo(f"  {text}")
    if len(found.different) > SHOWN:
        click.echo(f"… and {len(found.different) - SHOWN:,} more; --json gives all.")
    same = found.decisions - len(found.different)
    click.echo(f"{same:,} of {counted(found.decisions, 'decision')} are the same, bit for bit.")
    if not found.decisions:
        note("No decision is kept in this range.")


def command(_name: str) -> click.Command:
    """Give the command."""
    return replay
