"""Opens the stream that the settings name: the embedded log of a home, or Kafka, whose client is loaded only then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from restock.adapters.database.presence import FilePresence
from restock.adapters.stores import StoreSettings, stores_of
from restock.core.clock import Clock
from restock.core.errors import InvalidInput, Unavailable
from restock.engine.database import Database
from restock.engine.stream import SCHEMA, EmbeddedLog, Stream
from restock.engine.stream.checks import checked_name


class StreamSettings(StoreSettings, Protocol):
    """What the settings say of the stream."""

    @property
    def kafka_servers(self) -> str:
        """The cluster; empty for the embedded log."""
        ...

    @property
    def kafka_prefix(self) -> str:
        """What stands before names there."""
        ...

    @property
    def session_seconds(self) -> int:
        """Silence after which a member is dead."""
        ...


def stream_of(database: Database, clock: Clock, settings: StreamSettings) -> Stream:
    """Give the log in `database`, or where the settings name a cluster the stream on Kafka."""
    return _kafka(settings) if settings.kafka_servers else _log(database, clock, settings)


def _log(database: Database, clock: Clock, settings: StreamSettings) -> Stream:
    return EmbeddedLog(database, clock, FilePresence(settings.home, settings.session_seconds))


def _kafka(settings: StreamSettings) -> Stream:
    """Raises Unavailable without Kafka's client."""
    servers, prefix = settings.kafka_servers, settings.kafka_prefix
    if prefix:
        checked_name(prefix, "kafka_prefix")
    try:
        from restock.adapters.kafka.stream import KafkaStream
    except ImportError:
        raise Unavailable(
            f"Kafka at {servers} cannot be used: its client is not installed.",
            remedy="Install Restock with the extra kafka.",
        ) from None
    return KafkaStream(servers, prefix=prefix, session_seconds=settings.session_seconds)


@asynccontextmanager
async def both_streams(settings: StreamSettings, clock: Clock) -> AsyncIterator[tuple[Stream, Stream]]:
    """Open the log in the databases and the stream on Kafka beside it; close both at the end."""
    if not settings.kafka_servers:
        raise InvalidInput("is not set.", field="kafka_servers", remedy="Name the cluster, such as 127.0.0.1:9092.")
    databases = await stores_of(settings, {"stream": [SCHEMA]})
    try:
        kafka = _kafka(settings)
        try:
            yield _log(databases["stream"], clock, settings), kafka
        finally:
            await kafka.close()
    finally:
        await databases.close()
