"""A process may die at any place of a move, and others may decide meanwhile: one version is in force, the old or the new."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from life_child import LONG_AFTER
from life_world import NAME, START, activated, approved, decisions, waits

from restock.core.clock import SimulatedClock
from restock.core.failpoint import KILLED
from restock.decisions.model import State
from restock.decisions.port import ReplaysRequest, VersionRequest, VersionsRequest

CHILD = Path(__file__).parent / "life_child.py"

PLACES = [
    "decisions.rulebook_move.before",
    "decisions.rulebook_move.after",
    *(f"decisions.statement:{number}" for number in range(1, 5)),
]
"""A swap is four statements in one commit: two moves, and the rows of two versions."""


def child(home: Path, work: str, failpoint: str = "") -> int:
    return subprocess.run(
        [sys.executable, str(CHILD), str(home), work],
        env={**os.environ, "RESTOCK_FAILPOINT": failpoint},
        check=False,
        timeout=50,
    ).returncode


def under_load(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), str(home), "load"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("work", ["activate", "rollback", "decide"])
async def test_a_kill_at_any_place_of_a_swap_leaves_the_old_version_or_the_new_one_in_force(
    home: Path, tmp_path: Path, work: str
) -> None:
    async with decisions(home) as service:
        await activated(service, 100)
        if work == "rollback":
            await activated(service, 200)
        else:
            await approved(service, 200, effective="2026-03-10" if work == "decide" else "")
    for number, place in enumerate(PLACES):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(home, copy)
        assert child(copy, work, place) == KILLED, place
        await whole(copy)
        if not place.endswith("after"):
            assert child(copy, work) == 0
        clock = SimulatedClock(START)
        clock.advance(LONG_AFTER)
        async with decisions(copy, clock) as service:
            assert await waits(service, 150) is (work == "rollback"), place


async def whole(home: Path) -> None:
    """One version is in force, and each stands where its last move left it."""
    async with decisions(home) as service:
        known = await service.versions(VersionsRequest(NAME))
        assert [one.state for one in known].count(State.ACTIVE) == 1
        numbers = []
        for one in known:
            steps = (await service.version(VersionRequest(NAME, one.version))).steps
            assert (steps[-1].state, steps[-1].move_no) == (one.state, one.move_no)
            numbers += [step.move_no for step in steps]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def test_another_process_under_load_takes_each_version_whole_and_never_goes_back(home: Path) -> None:
    limits = {}
    async with decisions(home) as service:
        limits[(await activated(service, 100)).version] = 100
        with under_load(home) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            seen = [other.stdout.readline().split()]
            for limit in (200, 120, 300, 90):
                version = (await activated(service, limit)).version
                limits[version] = limit
                while seen[-1][0] != version:
                    seen.append(other.stdout.readline().split())
            rest, _ = other.communicate(timeout=20)
            seen += [line.split() for line in rest.splitlines()]
        assert {(version, waiting) for version, waiting, _ in seen} == {
            (version, str(limit < 150)) for version, limit in limits.items()
        }
        order = list(limits)
        assert [order.index(version) for version, _, _ in seen] == sorted(
            order.index(version) for version, _, _ in seen
        )
        again = await service.replays(ReplaysRequest(limit=1000))
        assert (again.different, again.decisions) == ([], min(1000, len(seen)))
