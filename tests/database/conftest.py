"""Fixtures: a notebook on a fresh home."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from notebook import Notebook, copied_home, migrated_home


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
