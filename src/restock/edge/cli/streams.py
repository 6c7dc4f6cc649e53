"""`restock topics`, `groups`, `lag`, `tail` and `trace`: the stream in the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import cast

import click

from restock.edge.cli.output import Column, counted, echo_json, moment, note, pairs, table
from restock.edge.cli.session import as_json, work
from restock.edge.cli.shell import Shell
from restock.edge.running import Running
from restock.edge.wire import MAX_PAGE, encode
from restock.streams.port import (
    GroupRequest,
    GroupsRequest,
    GroupState,
    Lag,
    LagRequest,
    RecordsRequest,
    SeenRecord,
    Streams,
    TopicsRequest,
    TopicState,
    Trace,
    TraceRequest,
    TraceStep,
)

FOLLOW_SECONDS = 0.25
"""How often `tail --follow` looks for new records: other processes write them, so nobody tells."""

SHORT = 8
"""Letters of an identifier in a table; --json has all of it."""

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def age(seconds: Decimal) -> str:
    """Write how long something has waited."""
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds else ""


def _streams(app: Running) -> Streams:
    return cast("Streams", app.ports["streams"])


@click.command(
    epilog="""\b
Examples:
  restock topics
  restock topics --json | jq '.[] | {topic, records, bytes}'
  restock streams retain --topic orders --retention-ms 604800000

A topic keeps everything unless it was told otherwise: a time, a size of each
partition, and still what a group has to read."""
)
@as_json
@click.pass_obj
def topics(shell: Shell, as_json: bool) -> None:
    """List topics: partitions, watermarks, records, bytes, what is kept, when the last record came."""

    async def task(app: Running) -> list[TopicState]:
        return await _streams(app).topics(TopicsRequest())

    found = work(shell, task)
    if as_json:
        echo_json(found)
        return
    columns = [Column("topic"), *(Column(name, number=True) for name in ("partitions", "records", "bytes"))]
    columns += [Column("keeps"), Column("last record (UTC)"), Column("offsets by partition", cut=True)]
    click.echo(table(columns, [_topic(one) for one in found]))
    for one in found:
        if one.unread_by:
            note(f"{one.topic} also keeps what these have still to read: {', '.join(one.unread_by)}.")


def _topic(one: TopicState) -> tuple[object, ...]:
    marks = " ".join(f"{each.partition}:{each.low}-{each.high}" for each in one.watermarks)
    size = f"{one.retention_bytes:,} B a partition" if one.retention_bytes >= 0 else ""
    kept = (age(Decimal(one.retention_ms) / 1000) or "0 s") if one.retention_ms >= 0 else ""
    keeps = ", ".join(filter(None, (kept, size))) or "all"
    return one.topic, one.partitions, f"{one.records:,}", f"{one.bytes:,}", keeps, moment(one.last_at), marks


@click.command(
    epilog="""\b
Examples:
  restock groups
  restock groups inventory.orders
  restock groups --json | jq '.[] | select(.lag > 0) | .group'"""
)
@click.argument("group", required=False, default="")
@as_json
@click.pass_obj
def groups(shell: Shell, group: str, as_json: bool) -> None:
    """List groups of readers; of one GROUP its members and each partition."""

    async def task(app: Running) -> list[GroupState]:
        streams = _streams(app)
        return [await streams.group(GroupRequest(group))] if group else await streams.groups(GroupsRequest())

    found = work(shell, task)
    if as_json:
        echo_json(found[0] if group else found)
    elif group:
        _tell_group(found[0])
    else:
        columns = [Column("group"), *(Column(name, number=True) for name in ("members", "partitions", "lag"))]
        columns.append(Column("behind", number=True))
        rows = [(one.group, len(one.members), len(one.partitions), f"{one.lag:,}", age(one.seconds)) for one in found]
        click.echo(table(columns, rows) if rows else "No group has read anything yet.")


def _tell_group(state: GroupState) -> None:
    click.echo(pairs([("group", state.group), ("lag", f"{state.lag:,}"), ("behind", age(state.seconds) or "0 s")]))
    if state.members:
        click.echo(
            "\n" + table([Column("member"), Column("owns")], [(m.member, ", ".join(m.owns)) for m in state.members])
        )
    else:
        click.echo("\nNo member lives: nobody reads for it now.")
    columns = [Column("partition"), Column("owner")]
    columns += [Column(name, number=True) for name in ("committed", "low", "high", "lag", "behind")]
    rows = [
        (
            f"{p.topic}/{p.partition}",
            p.owner[:SHORT],
            "" if p.committed is None else p.committed,
            p.low,
            p.high,
            p.lag,
            age(p.seconds),
        )
        for p in state.partitions
    ]
    click.echo("\n" + table(columns, rows))


@click.command(
    epilog="""\b
Examples:
  restock lag
  restock lag --json | jq '[.groups[].lag] | add'

What waits in an outbox is committed and not yet on the stream: a server, or any
command that carries events on, publishes it."""
)
@as_json
@click.pass_obj
def lag(shell: Shell, as_json: bool) -> None:
    """Say what waits, in records and in time: in outboxes, and in front of groups."""

    async def task(app: Running) -> Lag:
        return await _streams(app).lag(LagRequest())

    found = work(shell, task)
    if as_json:
        echo_json(found)
        return
    columns = [Column("waits"), Column("records", number=True), Column("oldest", number=True), Column("")]
    rows = [(f"outbox of {one.database}", f"{one.events:,}", age(one.seconds), "") for one in found.outboxes]
    rows += [
        (f"group {one.group}", f"{one.lag:,}", age(one.seconds), "" if one.members else "no member lives")
        for one in found.groups
    ]
    click.echo(table(columns, rows))


@click.command(
    epilog="""\b
Examples:
  restock tail orders
  restock tail orders --from 2026-11-24T08:00:00Z --limit 20
  restock tail inventory-updates --key WIDGET-1 --follow
  restock tail orders --json-path .data.items[].sku=WIDGET-1
  restock tail purchase-orders --from -1 --json | jq .data

Where to begin: earliest, latest, an OFFSET of each partition, -N for the last N
records, or a TIME. A path is .member, [3] or [] for every item, then =VALUE,
!=VALUE, or nothing when it is enough that something is there. Exit status 0
also when nothing matches."""
)
@click.argument("topic")
@click.option("--from", "start", default="", help="Where to begin; by default the last 10, or earliest with a filter.")
@click.option("--key", default="", help="Only records with this key.")
@click.option("--json-path", "path", default="", help="Only records where this holds, like .data.sku=WIDGET-1.")
@click.option("--follow", is_flag=True, help="Go on with new records until Ctrl-C, or --limit.")
@click.option("--limit", type=click.IntRange(1), help="How many at most; by default 100, without end with --follow.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as a line of JSON.")
@click.pass_obj
def tail(
    shell: Shell, topic: str, start: str, key: str, path: str, follow: bool, limit: int | None, as_json: bool
) -> None:
    """Print the records of a TOPIC, decoded, one a line, in the order in which they were stored."""
    left = limit if limit is not None else None if follow else 100

    async def task(app: Running) -> bool:
        place, remain = start, left
        while remain is None or remain > 0:
            most = MAX_PAGE if remain is None else min(remain, MAX_PAGE)
            found = await _streams(app).records(RecordsRequest(topic, place, key, path, most))
            for one in found.records:
                click.echo(encode(one).decode() if as_json else _line(one))
            place = found.next
            remain = None if remain is None else remain - len(found.records)
            if found.more:
                continue
            if not follow:
                return False
            await asyncio.sleep(FOLLOW_SECONDS)
        return found.more

    if work(shell, task) and limit is None:
        note("There is more; --limit N gives more, --from goes on elsewhere.")


def _line(one: SeenRecord) -> str:
    """Write a record in one line: when, where, what, to what."""
    place = f"{moment(one.stored_at)}  {one.partition}:{one.offset}"
    if not one.type:
        text = one.text if one.text.isprintable() else repr(one.text)[1:-1]
        return f"{place}  {one.key or '-'}  (no event) {text}"
    data = encode(one.data).decode()
    return f"{place}  {one.type}  {one.key}  {data}  {one.event_id}"


@click.command(
    epilog="""\b
Examples:
  restock trace 019aa2c4-7d3e-7c11-8a52-0f6e2b9d1c44
  restock trace "$(restock tail orders --from -1 --json | jq -r .event_id)"
  restock trace 4bf92f3577b34da6a3ce929d0e0e4736     a trace_id of the log

An event names the one it followed from. When a change of stock followed from
several orders that were read together, it names the last of them."""
)
@click.argument("event_id")
@as_json
@click.pass_obj
def trace(shell: Shell, event_id: str, as_json: bool) -> None:
    """Say what an event or a trace led to, across all topics, as a tree."""

    async def task(app: Running) -> Trace:
        return await _streams(app).trace(TraceRequest(event_id))

    found = work(shell, task)
    if as_json:
        echo_json(found)
        return
    for line in _tree(found.steps):
        click.echo(line)
    if len(found.steps) == 1:
        note("Nothing followed from it yet.")
    if not found.complete:
        note(f"Only the first {counted(found.records, 'record')} after it were looked at.")


def _tree(steps: Sequence[TraceStep]) -> Iterator[str]:
    """Draw the steps, which come each before what followed from it."""
    open_levels: dict[int, bool] = {}
    for index, step in enumerate(steps):
        later = islice(steps, index + 1, None)
        following = next((one.depth for one in later if one.depth <= step.depth), -1)
        open_levels[step.depth] = following == step.depth
        branch = "".join("│  " if open_levels.get(level) else "   " for level in range(1, step.depth))
        if step.depth:
            branch += "├─ " if open_levels[step.depth] else "└─ "
        place = f"{step.topic}/{step.partition}:{step.offset}"
        yield f"{branch}{step.type or '(no event)'} {step.key}  {place}  {moment(step.at)}  {step.event_id}"


def command(name: str) -> click.Command:
    """Give the command of a name."""
    return {"topics": topics, "groups": groups, "lag": lag, "tail": tail, "trace": trace}[name]
