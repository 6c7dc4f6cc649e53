"""The walk: order, parallelism, cohorts whose runs part, failures, cancellation."""

from __future__ import annotations

import asyncio
import time

import pytest
from graph_world import Items, decide, echo, executor_of, flow_of, purchasing_flow, purchasing_operations

from restock.core.errors import InvalidInput, Unavailable
from restock.engine.graph import WrongAnswer
from restock.engine.graph.model import COHORT_LIMIT


async def test_the_purchasing_flow_gives_an_order_and_a_trace():
    (result,) = await executor_of(**purchasing_operations()).run(purchasing_flow(), [{"product_id": "PROD-001"}])
    assert result.error is None
    assert result.outputs == {"order": "PO-2026-000001", "quantity": 100}
    trace = result.trace
    assert {span.node: span.status for span in trace.spans} == {
        "orders": "ok",
        "stock": "ok",
        "supplier": "ok",
        "units": "ok",
        "decide": "ok",
        "wanted": "ok",
        "create": "ok",
        "explain": "skipped",
    }
    assert trace.span("stock").inputs == {"product_id": "PROD-001", "warehouse": "WH-001"}
    assert trace.span("create").inputs == {"product_id": "PROD-001", "quantity": 100}
    assert trace.span("create").outputs == {"po_id": "PO-2026-000001"}


async def test_a_cohort_calls_each_operation_once_for_all_its_runs():
    log: list[tuple[str, int]] = []
    flow = purchasing_flow()
    inputs = [{"product_id": f"P{i}"} for i in range(64)]
    results = await executor_of(**purchasing_operations(log)).run(flow, inputs)
    assert all(result.ok for result in results)
    assert sorted(log) == sorted(
        (name, 64)
        for name in ("orders.demand", "inventory.position", "suppliers.terms", "units.factor", "purchasing.create")
    )
    assert results[7].trace.cohort == 64


async def test_more_runs_than_a_cohort_walk_in_several():
    sizes: list[int] = []

    def a(items: Items) -> list[object]:
        sizes.append(len(items))
        return [item["x"] for item in items]

    flow = flow_of("{inputs: [x], nodes: {n: {operation: a, inputs: {x: x}}}, output: {x: n}}")
    results = await executor_of(a=a).run(flow, [{"x": i} for i in range(COHORT_LIMIT + 10)])
    assert sizes == [COHORT_LIMIT, 10]
    assert [result.outputs["x"] for result in results] == list(range(COHORT_LIMIT + 10))


async def test_independent_slow_sources_overlap_in_time():
    async def slow(items: Items) -> list[object]:
        await asyncio.sleep(0.05)
        return echo(items)

    flow = flow_of("nodes:\n  p: {operation: a}\n  q: {operation: a}\n  r: {operation: a}\n  s: {operation: a}\n")
    start = time.perf_counter()
    (result,) = await executor_of(a=slow).run(flow, [{}])
    assert time.perf_counter() - start < 0.15
    spans = result.trace.spans
    assert max(span.started_ms for span in spans) < min(span.ended_ms for span in spans)


async def test_a_node_does_not_wait_for_slow_strangers():
    """No global layers: what depends on the fast source ends before the slow source does."""
    order: list[str] = []

    def slowly(name: str, seconds: float):
        async def call(items: Items) -> list[object]:
            await asyncio.sleep(seconds)
            order.append(name)
            return echo(items)

        return call

    flow = flow_of(
        "nodes:\n  fast: {operation: a}\n  slow: {operation: b}\n  next: {operation: c, dependencies: [fast]}\n"
    )
    await executor_of(a=slowly("fast", 0), b=slowly("slow", 0.05), c=slowly("next", 0)).run(flow, [{}])
    assert order == ["fast", "next", "slow"]


BRANCHES = """
inputs: [x]
nodes:
  big: {type: conditional, condition: x > 10, true_branch: [left], false_branch: [right]}
  left: {operation: a, inputs: {x: x}}
  right: {operation: b, inputs: {x: x}}
  after_left: {operation: c, dependencies: [left]}
  merge: {operation: d, inputs: {left: left, right: right}}
"""


async def test_runs_of_a_cohort_part_at_a_conditional_and_meet_again():
    calls: dict[str, list[object]] = {}

    def logged(name: str):
        def call(items: Items) -> list[object]:
            calls[name] = list(items)
            return [f"{name}{item.get('x', '')}" for item in items]

        return call

    flow = flow_of(BRANCHES)
    executor = executor_of(**{name: logged(name) for name in "abcd"})
    results = await executor.run(flow, [{"x": 5}, {"x": 50}, {"x": 7}])
    assert calls["a"] == [{"x": 50}]
    assert calls["b"] == [{"x": 5}, {"x": 7}]
    assert len(calls["c"]) == 1
    assert calls["d"] == [
        {"left": None, "right": "b5"},
        {"left": "a50", "right": None},
        {"left": None, "right": "b7"},
    ]
    assert [r.trace.span("after_left").status for r in results] == ["skipped", "ok", "skipped"]
    assert [r.trace.span("merge").status for r in results] == ["ok", "ok", "ok"]


async def test_join_all_skips_a_node_when_any_dependency_was_skipped():
    text = BRANCHES.replace("merge: {operation: d,", "merge: {operation: d, join: all,")
    results = await executor_of(**dict.fromkeys("abcd", echo)).run(flow_of(text), [{"x": 5}])
    assert results[0].trace.span("merge").status == "skipped"


async def test_one_failing_item_leaves_the_others_alone():
    def a(items: Items) -> list[object]:
        return [InvalidInput("no such product") if item["x"] == 2 else {"v": item["x"]} for item in items]

    text = """
inputs: [x]
nodes:
  p: {operation: a, inputs: {x: x}}
  q: {operation: b, inputs: {v: p.v}}
output: {v: q.v}
"""
    results = await executor_of(a=a, b=echo).run(flow_of(text), [{"x": 1}, {"x": 2}, {"x": 3}])
    assert [result.outputs.get("v") for result in results] == [1, None, 3]
    assert isinstance(results[1].error, InvalidInput)
    assert results[1].failed_node == "p"
    assert [span.status for span in results[1].trace.spans] == ["failed", "cancelled"]


async def test_a_raised_error_fails_every_item_of_the_call():
    def a(items: Items) -> list[object]:
        raise Unavailable("down")

    results = await executor_of(a=a).run(flow_of("nodes: {p: {operation: a}}"), [{}, {}])
    assert [str(result.error) for result in results] == ["down", "down"]


@pytest.mark.parametrize("answer", [[], [1, 2, 3], "ab", None, 5])
async def test_a_wrong_number_of_results_is_told_as_the_operations_mistake(answer: object):
    results = await executor_of(a=lambda items: answer).run(flow_of("nodes:\n  p: {operation: a}"), [{}, {}])
    assert all(isinstance(result.error, WrongAnswer) for result in results)


async def test_a_tuple_is_as_good_as_a_list():
    results = await executor_of(a=lambda items: (1, 2)).run(flow_of("nodes:\n  p: {operation: a}"), [{}, {}])
    assert [result.context["p"] for result in results] == [1, 2]


async def test_a_field_that_is_not_there_fails_that_run_with_the_nearest_name():
    def a(items: Items) -> list[object]:
        return [{"quantity": 1}, {"quantitty": 1}]

    text = "nodes:\n  p: {operation: a}\n  q: {operation: b, inputs: {v: p.quantity}}\n"
    good, bad = await executor_of(a=a, b=echo).run(flow_of(text), [{}, {}])
    assert good.ok
    assert "'quantity'" in str(bad.error) and "'quantitty'" in str(bad.error)
    assert bad.trace.span("q").status == "failed"


async def test_a_missing_input_fails_that_run_only_and_defaults_fill_in():
    text = "inputs: [x, {y: 2}]\nnodes:\n  p: {operation: a, inputs: {x: x, y: input.y}}\noutput: {p: p}\n"
    good, bad = await executor_of(a=echo).run(flow_of(text), [{"x": 1}, {}])
    assert good.outputs == {"p": {"x": 1, "y": 2}}
    assert isinstance(bad.error, InvalidInput) and bad.error.field == "x"
    assert [span.status for span in bad.trace.spans] == ["cancelled"]


async def test_when_all_runs_that_need_a_task_have_failed_it_is_cancelled():
    seen: list[str] = []

    async def forever(items: Items) -> list[object]:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return echo(items)

    async def fails(items: Items) -> list[object]:
        await asyncio.sleep(0.01)
        return [Unavailable("down") for _ in items]

    flow = flow_of("nodes:\n  p: {operation: a}\n  q: {operation: b}\n  r: {operation: c, dependencies: [p]}\n")
    results = await asyncio.wait_for(executor_of(a=forever, b=fails, c=echo).run(flow, [{}, {}]), 2)
    assert seen == ["cancelled"]
    assert all(result.failed_node == "q" for result in results)
    span = results[0].trace.span("p")
    assert span.status == "cancelled" and span.ended_ms is not None
    assert results[0].trace.span("r").started_ms is None


async def test_a_task_goes_on_while_one_run_needs_it():
    async def slow(items: Items) -> list[object]:
        await asyncio.sleep(0.02)
        return echo(items)

    def half(items: Items) -> list[object]:
        return [Unavailable("down"), 1]

    flow = flow_of("nodes:\n  p: {operation: a}\n  q: {operation: b}\n")
    bad, good = await executor_of(a=slow, b=half).run(flow, [{}, {}])
    assert bad.error and good.ok
    assert bad.trace.span("p").status == "cancelled"
    assert good.trace.span("p").status == "ok"


async def test_cancelling_the_caller_cancels_every_running_node():
    ended: list[int] = []

    async def forever(items: Items) -> list[object]:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(1)
        return echo(items)

    flow = flow_of("nodes:\n  p: {operation: a}\n  q: {operation: a}\n")
    task = asyncio.create_task(executor_of(a=forever).run(flow, [{}]))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1, 1]


async def test_an_operation_that_cancels_itself_fails_its_runs_and_nothing_hangs():
    async def quits(items: Items) -> list[object]:
        raise asyncio.CancelledError

    (result,) = await executor_of(a=quits).run(flow_of("nodes:\n  p: {operation: a}"), [{}])
    assert isinstance(result.error, Unavailable)


async def test_dependencies_edges_and_references_all_make_a_node_wait():
    order: list[str] = []

    def logged(name: str):
        async def call(items: Items) -> list[object]:
            await asyncio.sleep(0)
            order.append(name)
            return [{"v": 1} for _ in items]

        return call

    text = """
nodes:
  fourth: {operation: d, dependencies: [third]}
  third: {operation: c}
  second: {operation: b, inputs: {v: first.v}}
  first: {operation: a}
edges: [{from: second, to: third}]
"""
    await executor_of(**{name: logged(name) for name in "abcd"}).run(flow_of(text), [{}])
    assert order == ["a", "b", "c", "d"]


async def test_no_runs_is_no_work():
    assert await executor_of(a=echo).run(flow_of("nodes: {p: {operation: a}}"), []) == []


async def test_an_executor_without_the_operation_refuses_the_flow():
    with pytest.raises(InvalidInput, match="'a'"):
        await executor_of(b=echo).run(flow_of("nodes: {p: {operation: a}}"), [{}])


async def test_the_rulebook_gets_its_name_and_all_items():
    flow = flow_of("nodes: {p: {rulebook: purchasing}}")
    (result,) = await executor_of().run(flow, [{}])
    assert result.context["p"] == decide("purchasing", [{}])[0]


async def test_a_guarded_task_that_is_cancelled_before_it_began_leaves_nothing_behind():
    """A sibling fails in the same breath; the coroutine already made must not be forgotten (a warning is an error)."""
    began: list[int] = []

    async def a(items: Items) -> list[object]:
        began.append(1)
        await asyncio.sleep(30)
        return echo(items)

    def b(items: Items) -> list[object]:
        return [Unavailable("down") for _ in items]

    flow = flow_of("nodes:\n  p: {operation: a, timeout: 20s}\n  q: {operation: a}\n  r: {operation: b}\n")
    (result,) = await asyncio.wait_for(executor_of(a=a, b=b).run(flow, [{}]), 2)
    assert result.failed_node == "r"
    assert began == [1, 1]


async def test_inputs_that_are_no_mapping_fail_their_run_only():
    flow = flow_of("nodes: {p: {operation: a}}")
    good, bad = await executor_of(a=echo).run(flow, [{"x": 1}, None])  # type: ignore[list-item]
    assert good.outputs == {"p": {"x": 1}}
    assert isinstance(bad.error, InvalidInput)


async def test_an_input_that_is_called_like_a_node_fails_its_run():
    flow = flow_of("nodes: {p: {operation: a}}")
    (bad,) = await executor_of(a=echo).run(flow, [{"p": 1}])
    assert isinstance(bad.error, InvalidInput) and bad.error.field == "p"


class Terms:
    """An answer with attributes instead of keys."""

    def __init__(self, moq: int) -> None:
        self.moq = moq
        self.tiers = [{"from": 1}, {"from": 100}]
        self._secret = 1

    def method(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("path", "value"),
    [("p.moq", 20), ("p.tiers.1.from", 100), ("p._secret", None), ("p.method", None), ("p.tiers.7", None)],
)
async def test_references_reach_attributes_and_list_items_but_nothing_private(path: str, value: object):
    flow = flow_of(f"nodes:\n  p: {{operation: a}}\n  q: {{operation: b, inputs: {{v: {path}}}}}\noutput: {{v: q.v}}\n")
    (result,) = await executor_of(a=lambda items: [Terms(20) for _ in items], b=echo).run(flow, [{}])
    assert result.outputs.get("v") == value
    assert result.ok is (value is not None)
