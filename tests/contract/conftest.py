"""Fixtures: every adapter, fresh."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from streams import PARTITIONS, EmbeddedStreams, KafkaStreams, MockStreams, StreamBuilder

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.engine.stream import SCHEMA, Stream


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out on the mock cluster what it does not do: groups and settings told, deleting, times, much memory."""
    beyond = [
        one
        for one in items
        if isinstance(one, pytest.Function)
        and hasattr(one, "callspec")
        and one.callspec.params.get("streams") == "mock"
        and one.get_closest_marker("broker")
    ]
    if beyond:
        config.hook.pytest_deselected(items=beyond)
        items[:] = [one for one in items if one not in beyond]


@pytest.fixture(scope="session")
def migrated_stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("stream")
    asyncio.run(EmbeddedDatabases(home, {"stream": [SCHEMA]}).close())
    return home


@pytest.fixture(params=["embedded", "mock", pytest.param("kafka", marks=pytest.mark.server("kafka"))])
async def streams(
    request: pytest.FixtureRequest, migrated_stream: Path, tmp_path: Path
) -> AsyncIterator[StreamBuilder]:
    builder: StreamBuilder
    if request.param == "kafka":
        builder = KafkaStreams()
    elif request.param == "mock":
        builder = MockStreams()
    else:
        builder = EmbeddedStreams(Path(shutil.copytree(migrated_stream, tmp_path / "home")))
    yield builder
    await builder.close()


@pytest.fixture
async def stream(streams: StreamBuilder) -> Stream:
    stream = await streams.open()
    await stream.create_topic("orders", PARTITIONS)
    return stream
