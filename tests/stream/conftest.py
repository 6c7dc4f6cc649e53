"""Fixtures: a shop on a fresh home, and one migrated home to copy."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stream_shop import Shop


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with empty, current stores; migrating one takes longer than most tests."""
    import asyncio

    home = tmp_path_factory.mktemp("migrated")
    asyncio.run(Shop(home).close())
    return home


@pytest.fixture
def home(migrated_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(migrated_home, tmp_path / "home"))


@pytest.fixture
async def shop(home: Path) -> AsyncIterator[Shop]:
    shop = await Shop(home).open()
    yield shop
    await shop.close()
