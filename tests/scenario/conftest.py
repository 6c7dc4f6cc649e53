"""Fixtures: a home with empty stores to copy, the nursery of processes, the state that an undisturbed life leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nursery import Nursery
from scenario_world import business_state, copy_home, life, make_home, run_loop, unlooped


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with empty, current stores: migrating takes longer than most lives."""
    return make_home(tmp_path_factory.mktemp("scenario") / "template")


@pytest.fixture
def fresh(template: Path, home: Path) -> Path:
    """A home of this test with empty stores."""
    return copy_home(template, home)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def second_nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def undisturbed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What one whole life leaves."""
    home = copy_home(template, tmp_path_factory.mktemp("undisturbed") / "home")

    async def lived() -> dict[str, object]:
        async with life(home) as app:
            await run_loop(app)
            return await business_state(app)

    return unlooped(lived())
