"""Fixtures: a notebook on a fresh home."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from notebook import NAMES, Notebook, Pages, ServerPages, copied_home, migrated_home

from restock.adapters.database.mysql import connected, sent
from restock.adapters.database.mysql_databases import setup
from restock.adapters.database.mysql_place import Place


@pytest.fixture(scope="session", autouse=True)
def _migrated() -> None:
    migrated_home()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return copied_home(tmp_path / "home")


@pytest.fixture
async def notebook(home: Path) -> AsyncIterator[Notebook]:
    notebook = Notebook(home)
    yield notebook
    await notebook.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Place]:
    """A server of MySQL or MariaDB with our databases, which are dropped in the end."""
    address = urlsplit(os.environ["RESTOCK_MYSQL_URL"])
    assert address.hostname and address.port and address.username and address.password
    place = Place(address.hostname, address.port, address.username, address.password, f"notes_{uuid4().hex[:8]}_")
    asyncio.run(setup(place, NAMES))
    yield place

    async def dropped() -> None:
        connection = await connected(place)
        for name in NAMES:
            await sent(connection, f"DROP DATABASE `{place.of(name).database}`")
        await connection.ensure_closed()

    asyncio.run(dropped())


@pytest.fixture(params=["sqlite", pytest.param("mysql", marks=pytest.mark.server("mysql"))])
def where(request: pytest.FixtureRequest) -> Place | None:
    """The server; none for the embedded databases."""
    return None if request.param == "sqlite" else request.getfixturevalue("server")


@pytest.fixture
async def pages(where: Place | None, tmp_path: Path) -> AsyncIterator[Pages]:
    """The databases of every adapter, empty."""
    pages: Pages = (
        Notebook(copied_home(tmp_path / "home")) if where is None else await (await ServerPages.opened(where)).emptied()
    )
    yield pages
    await pages.close()
