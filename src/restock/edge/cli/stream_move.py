"""`restock stream move`: topics and positions from the embedded log to Kafka, or back."""

from __future__ import annotations

import asyncio

import click

from restock.edge.cli.output import Progress, counted, echo_json
from restock.edge.cli.session import as_json
from restock.edge.cli.shell import Shell
from restock.engine.stream.moving import Moved, move

KAFKA, EMBEDDED = "kafka", "embedded"


@click.group(
    epilog="""\b
Example:
  restock stream move --to kafka"""
)
def stream() -> None:
    """Move topics and positions between the embedded log and Kafka."""


@stream.command(
    "move",
    epilog="""\b
Examples:
  restock stream move --to kafka
  restock stream move --to embedded --replace

Kafka is the cluster of the setting kafka_servers. Refused while a server or
another command carries events on, while a group has members, and when a topic
has another number of partitions there. A key stays on its partition.""",
)
@click.option("--to", "to", type=click.Choice([KAFKA, EMBEDDED]), required=True, help="Where the events go.")
@click.option("--replace", is_flag=True, help="Forget what the topics hold there, as after an interrupted move.")
@as_json
@click.pass_obj
def move_command(shell: Shell, to: str, replace: bool, as_json: bool) -> None:
    """Copy every topic, and let each group go on where it was."""
    progress = Progress("Moving", "records")

    async def task() -> Moved:
        async with shell.streams() as (embedded, kafka):
            source, target = (embedded, kafka) if to == KAFKA else (kafka, embedded)
            return await move(
                source, target, replace=replace, tell=lambda done, of: progress.tell(done, done / of if of else None)
            )

    with shell.alone():
        try:
            moved = asyncio.run(task())
        finally:
            progress.close()
    if as_json:
        echo_json({"to": to, "records": moved.records, "groups": moved.groups})
        return
    for topic, records in moved.records.items():
        click.echo(f"{topic}: {counted(records, 'record')}")
    click.echo(f"Moved to {to}; {counted(len(moved.groups), 'group')} go on where they were.")
    done = "Start Restock as it is set now." if to == KAFKA else "Take kafka_servers out of the settings, then start."
    click.echo(f"Next: {done}")


def command(_name: str) -> click.Command:
    """Give the command."""
    return stream
