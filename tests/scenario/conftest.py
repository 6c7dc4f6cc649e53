"""Fixtures: a home with empty stores to copy, the nursery of processes, the state that an undisturbed life leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenario_world import business_state, copy_home, life, make_home, run_loop, unlooped

CHILD = Path(__file__).parent / "loop_child.py"


class Nursery:
    """Processes at the price of a fork. One lives at a time; a test that needs two takes two nurseries."""

    def __init__(self) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, str(CHILD), "nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, **task: str) -> None:
        """Let a process live; `kill_after` seconds it is killed."""
        assert self._mother.stdin is not None
        self._mother.stdin.write(json.dumps(task) + "\n")
        self._mother.stdin.flush()

    def wait(self) -> int:
        """Give the exit status of the process once it ended."""
        assert self._mother.stdout is not None
        return int(self._mother.stdout.readline())

    def run(self, **task: str) -> int:
        """Let a process live to its end; give its exit status."""
        self.start(**task)
        return self.wait()

    def close(self) -> None:
        self._mother.communicate(timeout=10)


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
