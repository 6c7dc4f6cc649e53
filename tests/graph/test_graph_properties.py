"""Random graphs with random durations, failures and retries, in simulated time: what holds for every run.

No node starts before its dependencies ended; every run ends; a run fails exactly when a node that it needed failed; the
same seed leaves the same trace.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from graph_world import START, Items, Turn
from hypothesis import given, settings
from hypothesis import strategies as st

from restock.core.clock import SimulatedClock
from restock.core.errors import Unavailable
from restock.engine.graph import Executor, load_flow
from restock.engine.graph.run import RunResult


@dataclass(frozen=True)
class Case:
    parents: list[list[int]]
    duration_ms: list[int]
    failing: list[dict[int, int]]  # per node: run -> how many attempts fail
    attempts: list[int]
    runs: int

    def text(self) -> str:
        lines = ["inputs: [run]", "nodes:"]
        for node, parents in enumerate(self.parents):
            wants = ", ".join(f"p{p}: n{p}.value" for p in parents)
            retry = f"{{attempts: {self.attempts[node]}, delay: 3ms, jitter: 0.5}}"
            lines.append(f"  n{node}: {{operation: op{node}, retry: {retry}, inputs: {{run: run, {wants}}}}}")
        return "\n".join(lines)

    def fails(self, node: int, run: int) -> bool:
        return self.failing[node].get(run, 0) >= self.attempts[node]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 9))
    runs = draw(st.integers(1, 4))
    parents = [
        draw(st.lists(st.integers(0, node - 1), unique=True, max_size=3)) if node else [] for node in range(count)
    ]
    return Case(
        parents=parents,
        duration_ms=draw(st.lists(st.integers(0, 20), min_size=count, max_size=count)),
        failing=[
            draw(st.dictionaries(st.integers(0, runs - 1), st.integers(1, 4), max_size=1 if draw(st.booleans()) else 0))
            for _ in range(count)
        ],
        attempts=draw(st.lists(st.integers(1, 3), min_size=count, max_size=count)),
        runs=runs,
    )


def walked(case: Case, log: list[tuple[str, str, int]], seed: int = 1) -> list[RunResult]:
    """Walk the case in simulated time; `log` gets (what, node, nanosecond)."""
    turn = Turn()

    def operation(node: int):
        tried: dict[int, int] = {}

        def answer(items: Items) -> list[object]:
            results: list[object] = []
            for item in items:
                run = item["run"]
                assert isinstance(run, int)
                tried[run] = tried.get(run, 0) + 1
                broken = tried[run] <= case.failing[node].get(run, 0)
                results.append(Unavailable(f"n{node}") if broken else {"value": (node, run)})
            return results

        async def call(items: Items) -> list[object]:
            log.append(("start", f"n{node}", turn.now))
            for item in items:
                assert all(item[f"p{parent}"] == (parent, item["run"]) for parent in case.parents[node])
            await turn.sleep(case.duration_ms[node] / 1000)
            log.append(("end", f"n{node}", turn.now))
            return answer(items)

        return answer if case.duration_ms[node] == 0 else call

    operations = {f"op{node}": operation(node) for node in range(len(case.parents))}
    executor = Executor(operations, None, SimulatedClock(START), monotonic=turn.monotonic, sleep=turn.sleep, seed=seed)
    flow = load_flow(case.text(), "random.yaml", operations=list(operations))

    async def main() -> list[RunResult]:
        task = asyncio.create_task(executor.run(flow, [{"run": run} for run in range(case.runs)]))
        await turn.run(task)
        return await task

    return asyncio.run(main())


@settings(max_examples=150, deadline=None)
@given(cases())
def test_graph_runs_respect_dependencies_under_random_durations_and_failures(case: Case):
    for run, result in enumerate(walked(case, [])):
        trace = result.trace
        spans = {span.node: span for span in trace.spans}
        for node, parents in enumerate(case.parents):
            span = spans[f"n{node}"]
            if span.started_ms is None:
                assert span.status == "cancelled" and result.error is not None
                continue
            for parent in parents:
                before = spans[f"n{parent}"]
                assert before.status == "ok"
                assert before.ended_ms is not None and before.ended_ms <= span.started_ms
            assert span.ended_ms is not None and span.ended_ms >= span.started_ms
            if span.status == "ok":
                assert span.attempts == 1 + case.failing[node].get(run, 0)
                assert span.outputs == {"value": (node, run)}
        broken = any(case.fails(node, run) for node in range(len(case.parents)))
        assert (result.error is not None) == broken
        if broken:
            assert spans[result.failed_node].status == "failed"
            assert case.fails(int(result.failed_node[1:]), run)


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 5))
def test_the_same_seed_leaves_the_same_trace(case: Case, seed: int):
    first = [result.trace.as_dict() for result in walked(case, [], seed)]
    assert [result.trace.as_dict() for result in walked(case, [], seed)] == first


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_run_takes_as_long_as_its_longest_way_and_no_longer(case: Case):
    """Really parallel: without failures the end is the critical path, not the sum."""
    calm = Case(case.parents, case.duration_ms, [{} for _ in case.parents], case.attempts, case.runs)
    ends: list[int] = []
    for node, parents in enumerate(calm.parents):
        ends.append(calm.duration_ms[node] + max((ends[parent] for parent in parents), default=0))
    assert walked(calm, [])[0].trace.took_ms == max(ends)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_node_is_called_once_for_the_whole_cohort(case: Case):
    calm = Case(
        case.parents, [1 + each for each in case.duration_ms], [{} for _ in case.parents], case.attempts, case.runs
    )
    log: list[tuple[str, str, int]] = []
    walked(calm, log)
    starts = [node for what, node, _ in log if what == "start"]
    assert sorted(starts) == sorted(f"n{node}" for node in range(len(calm.parents)))
