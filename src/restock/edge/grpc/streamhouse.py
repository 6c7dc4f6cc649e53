"""`streamhouse.StreamHouse` on the one stream: each call as published, and the status codes of what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from restock.core.clock import Clock, moment
from restock.core.errors import Conflict, InvalidInput, NotFound, RestockError
from restock.edge.grpc import messages
from restock.edge.grpc.producing import Producing
from restock.engine.stream import Position, Record, Retention, TopicFacts
from restock.engine.stream.producers import Who
from restock.streams.port import Produced, Streams, TopicsRequest

FEW = 100
"""Records of a Consume that does not say how many."""

MOST = 10_000
"""Records of a Consume at most: one read of the stream."""

ANSWER_BYTES = 3 << 20
"""Keys, values and headers in one answer: usual clients refuse more than 4 MiB."""

RETENTION_MS, RETENTION_BYTES = "retention.ms", "retention.bytes"
"""The part of a topic's configuration that is kept."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class NotHere(RestockError):
    """The published interface has it, Restock does not."""

    status, code = 501, "not-here"


class StreamHouse:
    """The calls, by their published names. `request` and what is given back are messages of the proto."""

    def __init__(self, streams: Streams, clock: Clock, producing: Producing | None = None) -> None:
        self._streams = streams
        self._producing = producing
        self._clock = clock

    async def CreateTopic(self, request: Any) -> Any:  # noqa: N802 - as published
        """Make a topic that keeps what `retention_ms` or the configuration says; the rest of that is read and not kept."""
        config = dict(request.config)
        ms = str(request.retention_ms) if request.HasField("retention_ms") else config.get(RETENTION_MS, "-1")
        size = config.get(RETENTION_BYTES, "-1")
        retention = Retention(_limit(ms, RETENTION_MS), _limit(size, RETENTION_BYTES))
        await self._streams.create(request.name, request.partition_count, retention)
        return messages.CreateTopicResponse(topic_id=request.name, partition_count=request.partition_count)

    async def GetTopic(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give a topic."""
        return messages.GetTopicResponse(topic=_topic(request.name, await self._streams.describe(request.name)))

    async def ListTopics(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give every topic."""
        found = await self._streams.topics(TopicsRequest())
        topics = [
            _topic(
                one.topic,
                TopicFacts(
                    one.partitions,
                    one.created_at,
                    one.bytes,
                    Retention(one.retention_ms, one.retention_bytes, one.keep_unread),
                ),
            )
            for one in found
        ]
        return messages.ListTopicsResponse(topics=topics)

    async def DeleteTopic(self, request: Any) -> Any:  # noqa: N802 - as published
        """Refuse: topics are kept."""
        await self._streams.watermarks(request.name)
        raise NotHere(
            f"Topic {request.name} is kept: processes that know it would go on writing where nobody reads.",
            remedy="Leave it, and take another name.",
        )

    async def Produce(self, request: Any) -> Any:  # noqa: N802 - as published
        """Store a record in a partition."""
        (place,) = await self._produced(request.topic, request.partition, [request])
        return messages.ProduceResponse(offset=place.offset, timestamp=(self._clock.now() - _EPOCH) // _MILLISECOND)

    async def ProduceBatch(self, request: Any) -> Any:  # noqa: N802 - as published
        """Store records in a partition, all or none."""
        if not request.records:
            raise InvalidInput("The batch is empty.", field="records", remedy="Send one record at least.")
        if request.HasField("producer_id"):
            return await self._produced_once(request)
        if request.HasField("transaction_id") or request.HasField("base_sequence"):
            raise InvalidInput("is missing.", field="producer_id", remedy="Begin with InitProducer.")
        places = await self._produced(request.topic, request.partition, request.records)
        return messages.ProduceBatchResponse(
            first_offset=places[0].offset, last_offset=places[-1].offset, count=len(places)
        )

    async def _produced_once(self, request: Any) -> Any:
        """Store the records of a producer that did not come before; those of a transaction get offsets when it ends."""
        sequence = request.base_sequence if request.HasField("base_sequence") else None
        if sequence is not None and sequence < 0:
            raise InvalidInput(f"{sequence} is no sequence.", field="base_sequence", remedy="Begin with 0.")
        given = _given(request.partition, request.records)
        stored = await self._with_epochs.produce(_who(request), request.topic, given, sequence, request.transaction_id)
        return messages.ProduceBatchResponse(
            first_offset=stored.first, last_offset=stored.last, count=len(given), duplicates_filtered=stored.again
        )

    async def _produced(self, topic: str, partition: int, records: Sequence[Any]) -> list[Position]:
        return await self._streams.produce(topic, _given(partition, records))

    async def Consume(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give records from an offset on; the consumer group changes nothing."""
        topic, part, offset = request.topic, request.partition, request.offset
        marks = await self._streams.watermarks(topic)
        if part not in marks:
            raise NotFound(f"Topic {topic} has no partition {part}.", field="partition")
        most = min(request.max_records or FEW, MOST)
        found = _fitting(await self._streams.read(topic, part, offset, most)) if offset < marks[part].high else []
        following = found[-1].offset + 1 if found else offset
        return messages.ConsumeResponse(
            records=[_consumed(one) for one in found],
            high_watermark=marks[part].high,
            has_more=following < marks[part].high,
        )

    async def CommitOffset(self, request: Any) -> Any:  # noqa: N802 - as published
        """Remember the next offset of a group; never goes back. Metadata is read and not kept."""
        await self._streams.commit(request.consumer_group, request.topic, request.partition, _offset(request.offset))
        return messages.CommitOffsetResponse(success=True)

    async def GetOffset(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give the next offset of a group, 0 when it never committed."""
        marks = await self._streams.watermarks(request.topic)
        if request.partition not in marks:
            raise NotFound(f"Topic {request.topic} has no partition {request.partition}.", field="partition")
        found = await self._streams.committed(request.consumer_group, request.topic, request.partition)
        return messages.GetOffsetResponse(offset=found or 0)

    async def InitProducer(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give a producer and its epoch. Organisation, time and metadata are read and not kept."""
        who = await self._with_epochs.begin_producing(request.transactional_id)
        return messages.InitProducerResponse(producer_id=who.producer, epoch=who.epoch)

    async def BeginTransaction(self, request: Any) -> Any:  # noqa: N802 - as published
        """Open a transaction."""
        name = await self._with_epochs.begin(_who(request), request.timeout_ms)
        return messages.BeginTransactionResponse(transaction_id=name)

    async def CommitTransaction(self, request: Any) -> Any:  # noqa: N802 - as published
        """Store what a transaction holds, at once."""
        at = await self._with_epochs.commit(_who(request), request.transaction_id)
        return messages.CommitTransactionResponse(success=True, commit_timestamp=_millis(at))

    async def AbortTransaction(self, request: Any) -> Any:  # noqa: N802 - as published
        """Give a transaction up."""
        await self._with_epochs.abort(_who(request), request.transaction_id)
        return messages.AbortTransactionResponse(success=True)

    async def Heartbeat(self, request: Any) -> Any:  # noqa: N802 - as published
        """Say whether a producer, and its transaction if one is named, may go on."""
        try:
            await self._with_epochs.lives(_who(request), request.transaction_id)
        except (Conflict, NotFound) as error:
            return messages.HeartbeatResponse(valid=False, error=str(error))
        return messages.HeartbeatResponse(valid=True)

    @property
    def _with_epochs(self) -> Producing:
        """Raises NotHere where the stream is not the embedded log."""
        if self._producing is None:
            raise NotHere(
                "Producers with epochs need the embedded log; here the stream is on Kafka.",
                remedy="Speak to the brokers, or send an event-id header, by which readers know a second delivery.",
            )
        return self._producing


def _given(partition: int, records: Sequence[Any]) -> list[Produced]:
    return [Produced(_key(one.key), one.value, dict(one.headers), partition) for one in records]


def _who(request: Any) -> Who:
    if request.producer_id >= 1 << 63:
        raise NotFound(f"There is no producer {request.producer_id}.", field="producer_id")
    return Who(request.producer_id, request.producer_epoch)


def _topic(name: str, facts: TopicFacts) -> Any:
    ms, size, _ = facts.retention
    return messages.Topic(
        name=name,
        partition_count=facts.partitions,
        retention_ms=ms if ms >= 0 else None,
        config={RETENTION_BYTES: str(size)} if size >= 0 else {},
        created_at=_millis(facts.created_at) if facts.created_at else 0,
    )


def _limit(text: str, field: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"{text[:50]!r} is not a whole number.", field=field) from None


def _consumed(record: Record) -> Any:
    return messages.ConsumedRecord(
        offset=record.offset,
        timestamp=_millis(record.at),
        key=record.key.encode(),
        value=record.value or b"",
        headers=dict(record.headers),
    )


def _millis(at: str) -> int:
    return (moment(at) - _EPOCH) // _MILLISECOND


def _key(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise InvalidInput("The key is not UTF-8.", field="key", remedy="Write it as text.") from None


def _offset(offset: int) -> int:
    if offset >= 1 << 63:
        raise InvalidInput(f"{offset} is not an offset.", field="offset")
    return offset


def _fitting(records: Sequence[Record]) -> Sequence[Record]:
    """Give the first records that fit into an answer, one at least."""
    size = 0
    for place, record in enumerate(records):
        size += len(record.value or b"") + 4 * len(record.key) + sum(len(n) + len(t) for n, t in record.headers.items())
        if size > ANSWER_BYTES and place:
            return records[:place]
    return records
