"""Opens the stream that the settings name: the embedded log of a home, or Kafka, whose client is loaded only then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import Clock
from restock.core.errors import InvalidInput, Unavailable
from restock.engine.database import Database
from restock.engine.stream import SCHEMA, EmbeddedLog, Stream
from restock.engine.stream.port import checked_name


def stream_of(database: Database, clock: Clock, home: Path, servers: str = "", prefix: str = "") -> Stream:
    """Give the log in `database`, or with `servers` the stream on Kafka. Raises Unavailable without Kafka's client."""
    if not servers:
        return EmbeddedLog(database, clock, FilePresence(home))
    if prefix:
        checked_name(prefix, "kafka_prefix")
    try:
        from restock.adapters.kafka.stream import KafkaStream  # noqa: PLC0415 - an extra, and 40 ms
    except ImportError:
        raise Unavailable(
            f"Kafka at {servers} cannot be used: its client is not installed.",
            remedy="Install Restock with the extra kafka.",
        ) from None
    return KafkaStream(servers, prefix=prefix)


@asynccontextmanager
async def both_streams(home: Path, clock: Clock, servers: str, prefix: str) -> AsyncIterator[tuple[Stream, Stream]]:
    """Open the embedded log of a home and the stream on Kafka beside it; close both at the end."""
    if not servers:
        raise InvalidInput("is not set.", field="kafka_servers", remedy="Name the cluster, such as 127.0.0.1:9092.")
    databases = EmbeddedDatabases(home, {"stream": [SCHEMA]})
    try:
        kafka = stream_of(databases["stream"], clock, home, servers, prefix)
        try:
            yield stream_of(databases["stream"], clock, home), kafka
        finally:
            await kafka.close()
    finally:
        await databases.close()
