"""Fixtures: a purchasing desk on a fresh home."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from buying import Desk, copied_home


@pytest.fixture(scope="session", autouse=True)
def _migrated() -> None:
    from buying import migrated_home

    migrated_home()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(copied_home(tmp_path / "home"))
    yield desk
    await desk.close()
