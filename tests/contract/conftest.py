"""Fixtures: every adapter, fresh."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from streams import PARTITIONS, EmbeddedStreams, KafkaStreams, StreamBuilder

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.engine.stream import SCHEMA, Stream


@pytest.fixture(scope="session")
def migrated_stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("stream")
    asyncio.run(EmbeddedDatabases(home, {"stream": [SCHEMA]}).close())
    return home


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.server("kafka"))])
async def streams(
    request: pytest.FixtureRequest, migrated_stream: Path, tmp_path: Path
) -> AsyncIterator[StreamBuilder]:
    builder: StreamBuilder
    if request.param == "kafka":
        builder = KafkaStreams()
    else:
        builder = EmbeddedStreams(Path(shutil.copytree(migrated_stream, tmp_path / "home")))
    yield builder
    await builder.close()


@pytest.fixture
async def stream(streams: StreamBuilder) -> Stream:
    stream = await streams.open()
    await stream.create_topic("orders", PARTITIONS)
    return stream
