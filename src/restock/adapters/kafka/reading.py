"""Reads a partition from any offset, outside any group: a consumer on a thread of its own that stays where a read ended."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, TopicPartition

from restock.adapters.kafka.client import REQUEST_SECONDS, OwnThread, configured, in_our_words, record, told
from restock.engine.stream.log import READ_BYTES
from restock.engine.stream.port import Record

SLICE_SECONDS = 0.1
"""How long one look for records takes at most; a broker that has some answers in a millisecond."""

FETCH_WAIT_MS = 20
"""How long the broker may wait for records at the end of a partition: a read elsewhere waits behind it."""

FIRST_SLICE, MOST_AT_ONCE = 8, 500
"""Records taken at once before their size is known, and at most: a small fetch may hold many large, compressed ones."""

PREFETCH_KBYTES = 16 << 10
"""What is fetched ahead at most: two reads of the largest kind."""


class Reader:
    """One reader for a whole stream; a read that goes on where the last one ended is served from what was fetched ahead."""

    def __init__(self, servers: str) -> None:
        self._settings = configured(
            servers,
            group_id="restock-reader",  # asked for by the client; it joins nothing and commits nothing
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            enable_partition_eof=True,
            auto_offset_reset="earliest",
            queued_max_messages_kbytes=PREFETCH_KBYTES,
            fetch_wait_max_ms=FETCH_WAIT_MS,
        )
        self._thread = OwnThread("reader")
        self._consumer: Consumer | None = None
        self._at: tuple[str, int, int] | None = None

    async def read(self, name: str, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Give up to `limit` records of topic `name` at the broker, called `topic` here. Raises Unavailable."""
        return await self._thread.run(self._read, name, topic, partition, offset, limit)

    async def close(self) -> None:
        """Let go of the broker."""
        await self._thread.run(self._close)
        self._thread.end()

    def _read(self, name: str, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        consumer = self._consumer = self._consumer or Consumer(self._settings)
        with told(f"Topic {topic} cannot be read"):
            low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), REQUEST_SECONDS)
            offset = max(offset, low)
            if offset >= high:
                return []
            if self._at != (name, partition, offset):
                consumer.assign([TopicPartition(name, partition, offset)])
            self._at = None  # until it is known where this read ends
            records = self._until(consumer, topic, high, limit)
        if records and records[-1].offset + 1 < high:
            self._at = (name, partition, records[-1].offset + 1)
        else:  # asking at the end would keep the connection busy for nothing
            consumer.unassign()
        return records

    def _until(self, consumer: Consumer, topic: str, high: int, limit: int) -> list[Record]:
        records: list[Record] = []
        size, looks, ask = 0, int(REQUEST_SECONDS / SLICE_SECONDS), FIRST_SLICE
        while len(records) < limit and size < READ_BYTES and looks:
            found = consumer.consume(1, SLICE_SECONDS)  # waits for one: it would wait the whole time for more
            if not found:
                looks -= 1
                continue
            found += consumer.consume(min(limit - len(records), ask) - 1, 0) if limit - len(records) > 1 else []
            ask = min(ask * 2, MOST_AT_ONCE)
            for message in found:
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    if (message.offset() or 0) >= high:
                        return records
                    continue  # the end of some earlier read
                if error is not None:
                    raise in_our_words(error, f"Topic {topic} cannot be read")
                records.append(record(topic, message))
                size += len(message)
            if records and records[-1].offset + 1 >= high:
                return records
        return records

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
