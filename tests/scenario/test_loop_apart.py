"""The scenarios once more with every service alone, asked over gRPC: the same results, errors and order as in one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import scenario_world
import test_loop_arithmetic
import test_loop_bad_input
import test_loop_life
import test_one_need
import test_pinned_rules
from apart import apart
from scenario_world import business_state, life, run_loop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

IN_ONE_PROCESS = {
    "test_two_processes_race_for_the_same_needs",
    "test_a_store_of_a_newer_program_is_refused_and_no_file_is_touched",
}
"""What is about processes of one shape or the other, not about what the program does."""

for module in (test_loop_life, test_loop_arithmetic, test_loop_bad_input, test_one_need, test_pinned_rules):
    globals().update(
        {name: test for name, test in vars(module).items() if name.startswith("test_") and name not in IN_ONE_PROCESS}
    )


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(scenario_world, "SHAPE", apart)
        yield


async def test_the_whole_loop_leaves_the_same_state_in_both_shapes(fresh: Path, undisturbed: dict[str, object]) -> None:
    async with life(fresh) as app:
        await run_loop(app)
        assert await business_state(app) == undisturbed
