"""The adapters under the contract, and what its tests share. An adapter joins by giving a `StreamBuilder` here."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from mock_kafka import MockCluster
from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.adapters.kafka.stream import KafkaStream
from restock.core.clock import SystemClock
from restock.engine.stream import SCHEMA, EmbeddedLog, Message, Record, Retention, Stream
from restock.engine.stream.port import FOREVER, Consumer

PARTITIONS = 4
SESSION = 1.5
"""Seconds of silence after which a member is given up here: short, because the tests wait for it."""


MOST = 16
"""Partitions that a test asks for at most."""


class StreamBuilder(Protocol):
    """Opens one stream again and again, each time as another process would."""

    async def open(self) -> Stream:
        """Give a stream."""
        ...

    async def close(self) -> None:
        """Close all that were given."""
        ...


class EmbeddedStreams:
    """Opens the embedded log, again and again on the same files."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._open: list[EmbeddedDatabases] = []

    async def open(self) -> Stream:
        """Give a stream as another process would see it."""
        databases = EmbeddedDatabases(self._home, {"stream": [SCHEMA]})
        self._open.append(databases)
        return EmbeddedLog(databases["stream"], SystemClock(), FilePresence(self._home, SESSION))

    async def close(self) -> None:
        for databases in self._open:
            await databases.close()


class KafkaStreams:
    """Opens the stream on a real broker; a prefix of its own lets each test see nothing but what it made."""

    def __init__(self) -> None:
        self._prefix = f"{uuid4().hex}."
        self._servers = os.environ["RESTOCK_KAFKA"]
        self._open: list[KafkaStream] = []

    async def open(self) -> Stream:
        """Give a stream as another process would see it."""
        self._open.append(KafkaStream(self._servers, prefix=self._prefix, session_seconds=SESSION))
        return self._open[-1]

    async def close(self) -> None:
        for stream in self._open:
            await stream.close()


class OnMock(KafkaStream):
    """The stream on the mock cluster, which makes no topics by request."""

    def __init__(self, cluster: MockCluster) -> None:
        super().__init__(cluster.servers, session_seconds=SESSION)
        self._cluster = cluster

    async def create_topic(self, name: str, partitions: int, retention: Retention = FOREVER) -> None:
        """Make the topic beforehand, unless it is there or is to be refused."""
        if re.fullmatch(r"[a-z-]+", name) and 1 <= partitions <= MOST and name not in await self.topics():
            self._cluster.create_topic(name, partitions)
        await super().create_topic(name, partitions, retention)


class MockStreams:
    """Opens the stream on the mock cluster inside the client's library: the Kafka adapter without a server."""

    def __init__(self) -> None:
        self._cluster = MockCluster()
        self._open: list[KafkaStream] = []

    async def open(self) -> Stream:
        """Give a stream as another process would see it."""
        self._open.append(OnMock(self._cluster))
        return self._open[-1]

    async def close(self) -> None:
        for stream in self._open:
            await stream.close()
        self._cluster.close()


def message(key: str = "CUST-1", value: bytes = b"v", topic: str = "orders", **headers: str) -> Message:
    return Message(topic, key, value, headers)


async def numbered(stream: Stream, count: int) -> None:
    await stream.publish([message(f"key-{n}", str(n).encode()) for n in range(count)])


async def taken(consumer: Consumer, until: int, seconds: float = 30.0) -> list[Record]:
    """Poll and commit until so many records came."""
    found: list[Record] = []
    async with asyncio.timeout(seconds):
        while len(found) < until:
            records = await consumer.poll(100)
            found += records
            if records:
                await consumer.commit({(r.topic, r.partition): r.offset + 1 for r in records})
            else:
                await consumer.wait(0.05)
    return found


async def given(consumer: Consumer, until: int) -> list[Record]:
    """Poll, without a commit, until so many records came."""
    found: list[Record] = []
    async with asyncio.timeout(30):
        while len(found) < until:
            found += await consumer.poll(1000)
    return found


async def settled(*consumers: Consumer, partitions: int = PARTITIONS) -> None:
    """Poll until the partitions are shared out among the consumers, and nobody holds two parts more than another."""
    async with asyncio.timeout(30):
        while True:
            for each in consumers:
                await each.poll(1)
            counts = sorted(len(each.assignment) for each in consumers)
            if sum(counts) == partitions and counts[-1] - counts[0] <= 1:
                return
            await asyncio.sleep(0.05)
