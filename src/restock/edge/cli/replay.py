"""`restock replay`: stored decisions made again; with --to, a group of readers moved so that it reads again."""

from __future__ import annotations

from contextlib import closing
from typing import cast

import click

from restock.core.errors import InvalidInput
from restock.decisions.model import Replayed, Replays, short
from restock.decisions.port import DecisionRequest, ReplaysRequest
from restock.edge.cli.output import Column, Progress, counted, echo_json, note, table
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running
from restock.streams.port import Moved, ReplayRequest, Streams

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
  restock replay analytics --to earliest --dry-run
  restock replay inventory.orders --to 2026-11-24T08:00:00Z --topic orders

A decision is made again by the version of the rulebook that made it, on the facts that
are kept with it. Outputs, facts and fired rules must be equal to the byte. Exit status
0 when they are, 1 when anything differs.

With --to a group of readers (restock groups) goes on from earliest, latest, a moment or
an offset, when it next reads. It is refused with exit status 5 while a member of it
lives: stop `restock serve` first. What a record did once is not done twice: the inbox
knows it."""
)
@click.argument("decision", required=False, default="", metavar="[DECISION|GROUP]")
@click.option("--all", "everything", is_flag=True, help="Every decision that is kept.")
@click.option("--since", default="", help="Only decisions from this day or moment on, in UTC.")
@click.option("--until", default="", help="Only decisions before this day or moment.")
@click.option("--to", default="", help="Move the GROUP to earliest, latest, a moment or an offset.")
@click.option("--topic", default="", help="With --to: only this topic of the group.")
@click.option("--dry-run", is_flag=True, help="With --to: only say what would be moved.")
@as_json
@click.pass_context
def replay(
    ctx: click.Context,
    decision: str,
    everything: bool,
    since: str,
    until: str,
    to: str,
    topic: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make stored decisions again, and say exactly what differs; or let a GROUP read again, with --to."""
    ranged = everything or bool(since or until)
    if to:
        if ranged or not decision:
            raise InvalidInput("--to moves one group.", field="GROUP", remedy="Name it; `restock groups` lists them.")
        _move(ctx.obj, ReplayRequest(decision, to, topic, dry_run), as_json)
        return
    if topic or dry_run:
        raise InvalidInput("is for a group.", field="--topic" if topic else "--dry-run", remedy="Give --to as well.")
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


def _move(shell: Shell, request: ReplayRequest, as_json: bool) -> None:
    """Move a group, and say what comes again."""

    async def task(app: Running) -> Moved:
        return await cast("Streams", app.ports["streams"]).replay(request)

    moved = work(shell, task)
    if as_json:
        echo_json(moved)
        return
    columns = [Column("partition"), *(Column(name, number=True) for name in ("was at", "goes on at", "read again"))]
    click.echo(table(columns, [(f"{one.topic}/{one.partition}", one.old, one.new, one.again) for one in moved.moves]))
    again = sum(one.again for one in moved.moves)
    words = f"{counted(again, 'record')} again" if again >= 0 else f"on, past {counted(-again, 'record')}"
    click.echo(f"{moved.group} {'would read' if moved.dry_run else 'reads'} {words}.")
    if moved.living:
        note(f"Nothing moves while these members live: {', '.join(moved.living)}. Stop `restock serve` first.")


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
