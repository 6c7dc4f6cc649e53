"""Random graphs with conditionals, cohorts whose runs part: the walk agrees with a reference that runs one at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from graph_world import START, Items, Turn
from hypothesis import given, settings
from hypothesis import strategies as st

from restock.core.clock import SimulatedClock
from restock.core.errors import InvalidInput
from restock.engine.graph import Executor, dry_run, load_flow
from restock.engine.graph.run import RunResult


@dataclass(frozen=True)
class Graph:
    """Node i is a conditional (`x > limit`, members per side) or an operation; parents come before it."""

    parents: list[list[int]]
    limits: list[int | None]
    branches: dict[int, tuple[list[int], list[int]]]
    join_all: list[bool]
    delay_ms: list[int]
    fails_at: list[int | None]

    def text(self) -> str:
        lines = ["inputs: [x]", "nodes:"]
        for node, limit in enumerate(self.limits):
            depends = "[" + ", ".join(f"n{p}" for p in self.parents[node]) + "]"
            join = "all" if self.join_all[node] else "any"
            if limit is None:
                work = f"operation: op{node}, inputs: {{x: x}}"
            else:
                yes, no = (", ".join(f"n{m}" for m in side) for side in self.branches[node])
                work = f"condition: x > {limit}, true_branch: [{yes}], false_branch: [{no}]"
            lines.append(f"  n{node}: {{{work}, dependencies: {depends}, join: {join}}}")
        return "\n".join(lines)

    def reached(self, x: int) -> set[int]:
        """The nodes that a run needs when nothing fails."""
        live: set[int] = set()
        for node in range(len(self.parents)):
            gates = [(c, side) for c, sides in self.branches.items() for side in (0, 1) if node in sides[side]]
            waits = {*self.parents[node], *(c for c, _ in gates)}
            chosen = not gates or any(c in live and (x <= (self.limits[c] or 0)) == bool(side) for c, side in gates)
            quorum = all if self.join_all[node] else any
            if chosen and (not waits or quorum(each in live for each in waits)):
                live.add(node)
        return live


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 10))
    parents = [draw(st.lists(st.integers(0, n - 1), unique=True, max_size=2)) if n else [] for n in range(count)]
    limits = [draw(st.one_of(st.none(), st.integers(1, 8))) for _ in range(count)]
    branches: dict[int, tuple[list[int], list[int]]] = {}
    for node, limit in enumerate(limits):
        if limit is not None:
            later = (
                st.lists(st.integers(node + 1, count - 1), unique=True, max_size=2) if node + 1 < count else st.just([])
            )
            branches[node] = (draw(later), draw(later))
    return Graph(
        parents=parents,
        limits=limits,
        branches=branches,
        join_all=draw(st.lists(st.booleans(), min_size=count, max_size=count)),
        delay_ms=draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)),
        fails_at=[draw(st.one_of(st.none(), st.none(), st.integers(0, 9))) for _ in range(count)],
    )


def walked(graph: Graph, xs: list[int], with_failures: bool) -> tuple[list[RunResult], dict[int, list[int]]]:
    turn = Turn()
    calls: dict[int, list[int]] = {}

    def operation(node: int):
        def answer(items: Items) -> list[object]:
            assert node not in calls, "a node is called once for the whole cohort"
            calls[node] = [int(str(item["x"])) for item in items]
            broken = graph.fails_at[node] if with_failures else None
            return [InvalidInput(f"n{node}") if item["x"] == broken else node for item in items]

        async def later(items: Items) -> list[object]:
            await turn.sleep(graph.delay_ms[node] / 1000)
            return answer(items)

        return later if graph.delay_ms[node] else answer

    operations = {f"op{node}": operation(node) for node in range(len(graph.parents))}
    executor = Executor(operations, None, SimulatedClock(START), monotonic=turn.monotonic, sleep=turn.sleep)
    flow = load_flow(graph.text(), "graph.yaml", operations=list(operations))

    async def main() -> list[RunResult]:
        task = asyncio.create_task(executor.run(flow, [{"x": x} for x in xs]))
        await turn.run(task)  # type: ignore[arg-type]
        return await task

    return asyncio.run(main()), calls


RUNS = st.lists(st.integers(0, 9), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(graphs(), RUNS)
def test_every_run_of_a_cohort_reaches_the_nodes_it_would_reach_alone(graph: Graph, xs: list[int]):
    results, calls = walked(graph, xs, with_failures=False)
    for x, result in zip(xs, results, strict=True):
        assert result.error is None
        status = {span.node: span.status for span in result.trace.spans}
        live = graph.reached(x)
        assert status == {f"n{n}": "ok" if n in live else "skipped" for n in range(len(graph.parents))}
    for node, limit in enumerate(graph.limits):
        if limit is None:
            assert calls.get(node, []) == [x for x in xs if node in graph.reached(x)]


@settings(max_examples=200, deadline=None)
@given(graphs(), RUNS)
def test_a_failing_run_changes_nothing_for_its_neighbours(graph: Graph, xs: list[int]):
    results, _ = walked(graph, xs, with_failures=True)
    for x, result in zip(xs, results, strict=True):
        live = graph.reached(x)
        broken = {n for n in live if graph.limits[n] is None and graph.fails_at[n] == x}
        assert (result.error is not None) == bool(broken)
        if not broken:
            assert {int(name[1:]) for name in result.outputs} == live
        else:
            assert int(result.failed_node[1:]) in broken
            (alone,), _ = walked(graph, [x], with_failures=True)
            assert (alone.failed_node, str(alone.error)) == (result.failed_node, str(result.error))


@settings(max_examples=100, deadline=None)
@given(graphs(), st.integers(0, 9))
def test_a_dry_run_says_what_a_run_then_does(graph: Graph, x: int):
    (result,), _ = walked(graph, [x], with_failures=False)
    flow = load_flow(graph.text(), "graph.yaml", operations=[f"op{n}" for n in range(len(graph.parents))])
    told = {step.node: step.runs for step in dry_run(flow, {"x": x})}
    assert told == {span.node: "yes" if span.status == "ok" else "no" for span in result.trace.spans}
