"""The published stream interface (StreamHouse), REST form. What departs is in docs/reference/streamhouse.md.

Lists are plain arrays here, as published. What is not served is refused by name, so that a caller learns what to use.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from restock.core.clock import moment, timestamp
from restock.core.errors import Conflict, InvalidInput, NotFound, RestockError
from restock.edge import wire
from restock.edge.rest import streamhouse_forms as forms
from restock.edge.rest.message import Answer, Request, no_page
from restock.edge.rest.probes import Condition, shown
from restock.edge.rest.routes import Route, from_body, from_query
from restock.edge.rest.served import Served
from restock.engine.stream import Record
from restock.streams.port import GroupRequest, GroupsRequest, GroupState, Produced, Streams, TopicsRequest, TopicState

PREFIX = "/api/v1/"

SERVICE = "stream"
"""The name of the service that answers the published probes, as `restock serve` takes it."""

ACK_MODES = ("buffered", "durable", "none")

MAX_CONSUMED = 10_000
"""Records in one answer: some megabytes."""

LEADER = "restock"
"""The one process that leads every partition: there are no agents."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class NotHere(RestockError):
    """The published interface has it, Restock does not; the remedy says what does the work here."""

    status, code = 501, "not-here"


_READ = "Read with GET /api/v1/consume, or restock tail TOPIC --json."
UNSERVED: Mapping[str, str] = {
    "sql": f"SQL over topics. {_READ}",
    "query": f"Questions in words. {_READ}",
    "schema": "Guessed schemas. Register a schema at the registry.",
    "pipelines": "Pipelines. Read with a consumer group and write with POST /api/v1/produce.",
    "pipeline-targets": "Pipelines. Read with a consumer group and write with POST /api/v1/produce.",
    "transforms": "Transforms. Read with a consumer group and write with POST /api/v1/produce.",
    "organizations": "Organisations. One home is one organisation; run another home for another.",
    "agents": "Agents. One process leads every partition.",
    "whoami": "Accounts. On loopback everybody is the user of this machine.",
    "metrics": "These figures. Scrape GET /metrics.",
    "ws": "WebSockets. Ask again, or follow with restock tail TOPIC --follow.",
}
"""What of the published interface is refused, by the first word of its path, and what to use."""


def absent(path: str) -> RestockError:
    """Say that there is nothing at a path, and of what is published elsewhere what to use here."""
    first = path.removeprefix(PREFIX).strip("/").partition("/")[0]
    if first in UNSERVED and (path.startswith(PREFIX) or first == "ws"):
        what, _, remedy = UNSERVED[first].partition(". ")
        return NotHere(f"Not part of Restock: {what}.", field="path", remedy=remedy)
    return no_page(path)


@dataclass(frozen=True)
class _Call:
    """A route before it is made: how it is reached, and the function that answers."""

    verb: str
    path: str
    summary: str
    request: type
    reply: object
    act: Callable[[Streams, Any], Awaitable[object]]
    status: int = 200


def routes(app: Served) -> list[Route]:
    """Give the routes."""
    streams = cast("Streams", app.ports["streams"])
    return [_route(streams, call) for call in CALLS]


@dataclass(frozen=True)
class Probe:
    """The published answer of a probe."""

    status: str = "ok"


def probes(condition: Condition) -> list[Route]:
    """Give the published probes: health in the place of the common one, and the two that are named otherwise here."""

    async def alive(_request: Request) -> Answer:
        return Answer(200, wire.encode(Probe()))

    async def ready(_request: Request) -> Answer:
        problems = await condition.problems()
        return Answer(503 if problems else 200, wire.encode(Probe("unavailable" if problems else "ok")))

    return [
        shown("health", "The published health of the stream", Probe, ready),
        shown("live", "Whether the process turns", Probe, alive),
        shown("ready", "Whether requests are welcome", Probe, ready),
    ]


def _route(streams: Streams, call: _Call) -> Route:
    name = f"streamhouse.{call.act.__name__.strip('_')}"
    route = Route(
        name, call.verb, PREFIX + call.path, call.summary, call.request, call.reply, _later, call.status, "streamhouse",
        whole=True,
    )  # fmt: skip
    read, act, status = from_body(route) if call.verb == "POST" else from_query(route), call.act, call.status

    async def handle(request: Request) -> Answer:
        return Answer(status, wire.encode(await act(streams, read(request)), rows=True))

    return replace(route, handler=handle)


async def _later(request: Request) -> Answer:
    raise NotImplementedError(request.path)


# --- topics ---


async def _topics(streams: Streams, _asked: forms.Nothing) -> list[forms.Topic]:
    return [_topic(one) for one in await streams.topics(TopicsRequest())]


def _topic(state: TopicState) -> forms.Topic:
    return forms.Topic(state.topic, state.partitions, 1, state.created_at, state.records, state.bytes)


async def _new_topic(streams: Streams, asked: forms.NewTopic) -> forms.Topic:
    await streams.create(asked.name, asked.partitions)
    return await _one_topic(streams, forms.NamedTopic(asked.name))


async def _one_topic(streams: Streams, asked: forms.NamedTopic) -> forms.Topic:
    facts = await streams.describe(asked.name)
    marks = await streams.watermarks(asked.name)
    records = sum(high - low for low, high in marks.values())
    return forms.Topic(asked.name, facts.partitions, 1, facts.created_at, records, facts.bytes)


async def _drop_topic(streams: Streams, asked: forms.NamedTopic) -> forms.Success:
    await streams.watermarks(asked.name)
    raise NotHere(
        f"Topic {asked.name} is kept: processes that know it would go on writing where nobody reads.",
        field="name",
        remedy="Leave it, and take another name; a whole home is deleted with its folder.",
    )


async def _partitions(streams: Streams, asked: forms.NamedTopic) -> list[forms.Partition]:
    marks = await streams.watermarks(asked.name)
    return [forms.Partition(asked.name, part, LEADER, high, low) for part, (low, high) in marks.items()]


async def _messages(streams: Streams, asked: forms.MessagesRequest) -> list[forms.Consumed]:
    marks = await streams.watermarks(asked.name)
    parts = list(marks) if asked.partition == -1 else [asked.partition]
    found = [one for part in parts for one in await streams.read(asked.name, part, asked.offset, asked.limit)]
    found.sort(key=lambda record: (record.at, record.partition, record.offset))
    return [_consumed(record) for record in found[: asked.limit]]


# --- records ---


async def _produce(streams: Streams, asked: forms.ProduceRequest) -> forms.Placed:
    record = forms.BatchRecord(asked.value, asked.key, asked.partition)
    batch = await _produce_batch(streams, forms.ProduceBatchRequest(asked.topic, [record], asked.ack_mode))
    return batch.offsets[0]


async def _produce_batch(streams: Streams, asked: forms.ProduceBatchRequest) -> forms.BatchPlaced:
    if asked.ack_mode.lower() not in ACK_MODES:
        raise InvalidInput(f"{asked.ack_mode!r} is none.", field="ack_mode", remedy=f"Give {', '.join(ACK_MODES)}.")
    if not asked.records:
        raise InvalidInput("is empty.", field="records", remedy="Send one record at least.")
    given = [Produced(one.key or "", one.value.encode(), {}, one.partition) for one in asked.records]
    places = await streams.produce(asked.topic, given)
    return forms.BatchPlaced(len(places), [forms.Placed(one.offset, one.partition) for one in places])


async def _consume(streams: Streams, asked: forms.ConsumeRequest) -> forms.ConsumedPage:
    if not 1 <= asked.maxRecords <= MAX_CONSUMED:
        raise InvalidInput(f"{asked.maxRecords} is not 1 to {MAX_CONSUMED}.", field="maxRecords")
    found = await streams.read(asked.topic, asked.partition, asked.offset, asked.maxRecords)
    return forms.ConsumedPage([_consumed(one) for one in found], found[-1].offset + 1 if found else asked.offset)


def _consumed(record: Record) -> forms.Consumed:
    value, other = record.value, None
    try:
        text = None if value is None else value.decode()
    except UnicodeDecodeError:
        text, other = None, base64.b64encode(value or b"").decode()
    return forms.Consumed(record.partition, record.offset, record.key or None, text, millis(record.at), other)


def millis(at: str) -> int:
    """Give a moment as milliseconds since 1970."""
    return (moment(at) - _EPOCH) // _MILLISECOND


# --- groups ---


async def _groups(streams: Streams, _asked: forms.Nothing) -> list[forms.ConsumerGroup]:
    return [_listed(one) for one in await streams.groups(GroupsRequest())]


def _listed(state: GroupState) -> forms.ConsumerGroup:
    topics = sorted({one.topic for one in state.partitions})
    return forms.ConsumerGroup(state.group, topics, state.lag, len(state.partitions))


async def _group(streams: Streams, asked: forms.NamedGroup) -> forms.GroupOffsets:
    state = await streams.group(GroupRequest(asked.id))
    return forms.GroupOffsets(
        state.group,
        [
            forms.GroupOffset(one.topic, one.partition, one.committed, one.high, one.lag)
            for one in state.partitions
            if one.committed is not None
        ],
    )


async def _group_lag(streams: Streams, asked: forms.NamedGroup) -> forms.ConsumerGroup:
    return _listed(await streams.group(GroupRequest(asked.id)))


async def _drop_group(streams: Streams, asked: forms.NamedGroup) -> forms.Success:
    await streams.forget(asked.id)
    return forms.Success()


async def _commit(streams: Streams, asked: forms.CommitRequest) -> forms.Success:
    await streams.commit(asked.groupId, asked.topic, asked.partition, asked.offset)
    return forms.Success()


async def _reset(streams: Streams, asked: forms.ResetRequest) -> forms.GroupOffsets:
    state = await streams.group(GroupRequest(asked.id))
    topics = [asked.topic] if asked.topic else sorted({one.topic for one in state.partitions})
    moves = {topic: await _wanted(streams, replace(asked, topic=topic)) for topic in topics}
    if state.members:
        raise Conflict(
            f"Group {asked.id} has {len(state.members)} living members.", remedy="Stop them, then try again."
        )
    for topic, offsets in moves.items():
        await streams.move(asked.id, topic, offsets)
    return await _group(streams, forms.NamedGroup(asked.id))


async def _seek(streams: Streams, asked: forms.SeekRequest) -> forms.GroupOffsets:
    strategy = "timestamp" if asked.timestamp >= 0 else "specific"
    reset = forms.ResetRequest(asked.id, strategy, asked.topic, asked.partition, asked.offset, asked.timestamp)
    await streams.move(asked.id, asked.topic, await _wanted(streams, reset))
    return await _group(streams, forms.NamedGroup(asked.id))


async def _wanted(streams: Streams, asked: forms.ResetRequest) -> dict[int, int]:
    """Give the offsets that a strategy names, as near as each partition has them."""
    marks = await streams.watermarks(asked.topic)
    if asked.strategy == "earliest":
        found = {part: low for part, (low, _) in marks.items()}
    elif asked.strategy == "latest":
        found = {part: high for part, (_, high) in marks.items()}
    elif asked.strategy == "specific" and asked.offset >= 0:
        found = {part: min(max(asked.offset, low), high) for part, (low, high) in marks.items()}
    elif asked.strategy == "timestamp" and 0 <= asked.timestamp < 1 << 47:  # a year that is written with four digits
        found = dict(await streams.at(asked.topic, timestamp(_EPOCH + asked.timestamp * _MILLISECOND)))
    else:
        raise InvalidInput(
            f"{asked.strategy!r} with this offset and timestamp names no place.",
            field="strategy",
            remedy="Give earliest, latest, specific with an offset, or timestamp with milliseconds.",
        )
    if asked.partition == -1:
        return found
    if asked.partition not in found:
        raise NotFound(f"Topic {asked.topic} has no partition {asked.partition}.", field="partition")
    return {asked.partition: found[asked.partition]}


# --- figures ---


async def _figures(streams: Streams, _asked: forms.Nothing) -> forms.StreamFigures:
    topics, groups = await streams.topics(TopicsRequest()), await streams.groups(GroupsRequest())
    return forms.StreamFigures(
        len(topics),
        sum(one.partitions for one in topics),
        sum(one.records for one in topics),
        len(groups),
        sum(one.lag for one in groups),
    )


async def _storage(streams: Streams, _asked: forms.Nothing) -> forms.Storage:
    topics = await streams.topics(TopicsRequest())
    return forms.Storage(
        sum(one.bytes for one in topics), [forms.TopicStorage(one.topic, one.records, one.bytes) for one in topics]
    )


CALLS = (
    _Call("GET", "topics", "Topics", forms.Nothing, list[forms.Topic], _topics),
    _Call("POST", "topics", "Make a topic", forms.NewTopic, forms.Topic, _new_topic, 201),
    _Call("GET", "topics/{name}", "One topic", forms.NamedTopic, forms.Topic, _one_topic),
    _Call("DELETE", "topics/{name}", "Refused: topics are kept", forms.NamedTopic, forms.Success, _drop_topic),
    _Call("GET", "topics/{name}/partitions", "Partitions", forms.NamedTopic, list[forms.Partition], _partitions),
    _Call("GET", "topics/{name}/messages", "Records", forms.MessagesRequest, list[forms.Consumed], _messages),
    _Call("POST", "produce", "Store a record", forms.ProduceRequest, forms.Placed, _produce),
    _Call("POST", "produce/batch", "Store records", forms.ProduceBatchRequest, forms.BatchPlaced, _produce_batch),
    _Call("GET", "consume", "Read records", forms.ConsumeRequest, forms.ConsumedPage, _consume),
    _Call("GET", "consumer-groups", "Groups", forms.Nothing, list[forms.ConsumerGroup], _groups),
    _Call("POST", "consumer-groups/commit", "Commit an offset", forms.CommitRequest, forms.Success, _commit),
    _Call("GET", "consumer-groups/{id}", "Offsets of a group", forms.NamedGroup, forms.GroupOffsets, _group),
    _Call("DELETE", "consumer-groups/{id}", "Forget a group", forms.NamedGroup, forms.Success, _drop_group),
    _Call("GET", "consumer-groups/{id}/lag", "Lag of a group", forms.NamedGroup, forms.ConsumerGroup, _group_lag),
    _Call("POST", "consumer-groups/{id}/reset", "Move a group", forms.ResetRequest, forms.GroupOffsets, _reset),
    _Call("POST", "consumer-groups/{id}/seek", "Move a group", forms.SeekRequest, forms.GroupOffsets, _seek),
    _Call("GET", "metrics", "How much there is", forms.Nothing, forms.StreamFigures, _figures),
    _Call("GET", "metrics/storage", "Bytes by topic", forms.Nothing, forms.Storage, _storage),
)
