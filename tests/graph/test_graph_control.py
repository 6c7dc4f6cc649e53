"""Loops, try/catch/finally and subgraphs."""

from __future__ import annotations

import asyncio

import pytest
from graph_world import Items, echo, executor_of, flow_of

from restock.core.errors import InvalidInput, Unavailable
from restock.engine.graph import FlowError

LOOP = """
inputs: [lines]
nodes:
  each: {type: loop, over: lines, body: price}
  price: {operation: a, inputs: {sku: _loop_item.sku, index: _loop_index, turn: _loop_iteration}}
output: {prices: each.results, count: each.count}
"""


async def test_a_loop_is_one_plural_call_for_all_items_of_all_runs():
    sizes: list[int] = []

    def a(items: Items) -> list[object]:
        sizes.append(len(items))
        return [f"{item['sku']}{item['index']}{item['turn']}" for item in items]

    inputs = [{"lines": [{"sku": s} for s in text]} for text in ("ab", "", "xyz")]
    results = await executor_of(a=a).run(flow_of(LOOP), inputs)
    assert sizes == [5]
    assert [result.outputs["prices"] for result in results] == [["a01", "b12"], [], ["x01", "y12", "z23"]]
    assert [result.outputs["count"] for result in results] == [2, 0, 3]
    children = results[2].trace.span("each").children
    assert [child.node for child in children] == ["each[0].price", "each[1].price", "each[2].price"]
    assert children[1].inputs == {"sku": "y", "index": 1, "turn": 2}


async def test_a_failing_item_fails_its_loop_and_no_other_run():
    def a(items: Items) -> list[object]:
        return [InvalidInput("unknown") if item["sku"] == "bad" else 1 for item in items]

    inputs = [{"lines": [{"sku": "ok"}]}, {"lines": [{"sku": "ok"}, {"sku": "bad"}]}]
    good, bad = await executor_of(a=a).run(flow_of(LOOP), inputs)
    assert good.ok
    assert (bad.failed_node, str(bad.error)) == ("each", "unknown")
    assert [child.status for child in bad.trace.span("each").children] == ["ok", "failed"]


async def test_a_fallback_in_the_body_puts_something_in_the_place_of_a_bad_line():
    text = LOOP.replace("price: {operation: a,", 'price: {operation: a, fallback: {error: "bad line"},')

    def a(items: Items) -> list[object]:
        return [InvalidInput("unknown") if item["sku"] == "bad" else 1 for item in items]

    (result,) = await executor_of(a=a).run(flow_of(text), [{"lines": [{"sku": "ok"}, {"sku": "bad"}]}])
    assert result.outputs["prices"] == [1, {"error": "bad line"}]


@pytest.mark.parametrize("lines", [5, "abc", None, {"a": 1}])
async def test_a_loop_over_something_else_than_a_list_fails_that_run(lines: object):
    (result,) = await executor_of(a=echo).run(flow_of(LOOP), [{"lines": lines}])
    assert isinstance(result.error, InvalidInput)


async def test_more_items_than_allowed_is_an_error_not_a_silent_cut():
    text = LOOP.replace("over: lines,", "over: lines, max_iterations: 2,")
    (result,) = await executor_of(a=echo).run(flow_of(text), [{"lines": [{"sku": "x"}] * 3}])
    assert "3 items, the loop allows 2" in str(result.error)


async def test_one_at_a_time_each_iteration_sees_the_one_before():
    text = """
inputs: [lines]
nodes:
  each: {type: loop, over: lines, body: add, at_once: 1}
  add: {operation: a, inputs: {item: _loop_item, before: add}}
output: {sums: each.results}
"""
    sizes: list[int] = []

    def a(items: Items) -> list[object]:
        sizes.append(len(items))
        return [item["item"] + (item["before"] or 0) for item in items]

    results = await executor_of(a=a).run(flow_of(text), [{"lines": [1, 2, 3]}, {"lines": [10, 20]}])
    assert [result.outputs["sums"] for result in results] == [[1, 3, 6], [10, 30]]
    assert sizes == [2, 2, 1]


WHILE = """
inputs: [start]
nodes:
  again: {type: loop, while: "_loop_index < 1 or step.left > 0", max_iterations: 5, at_once: 1, body: step}
  step: {operation: a, inputs: {left: step.left, start: start}}
output: {results: again.results, exhausted: again.exhausted}
"""


async def test_a_while_loop_ends_by_its_condition_or_says_that_it_was_exhausted():
    def a(items: Items) -> list[object]:
        return [{"left": (item["start"] if item["left"] is None else item["left"]) - 1} for item in items]

    short, long = await executor_of(a=a).run(flow_of(WHILE), [{"start": 3}, {"start": 99}])
    assert [each["left"] for each in short.outputs["results"]] == [2, 1, 0]
    assert short.outputs["exhausted"] is False
    assert len(long.outputs["results"]) == 5
    assert long.outputs["exhausted"] is True


TRY = """
inputs: [x]
nodes:
  safe: {type: try, try: risky, catch: rescue, finally: tidy}
  risky: {operation: a, inputs: {x: x}}
  rescue: {operation: b, inputs: {message: _error.message, type: _error.type}}
  tidy: {operation: c, inputs: {x: x}}
  after: {operation: d, inputs: {got: safe}}
output: {got: after.got}
"""


async def test_try_catch_finally_go_by_each_run():
    tidied: list[object] = []

    def a(items: Items) -> list[object]:
        return [Unavailable("down") if item["x"] == 2 else item["x"] for item in items]

    def c(items: Items) -> list[object]:
        tidied.extend(item["x"] for item in items)
        return echo(items)

    good, caught = await executor_of(a=a, b=echo, c=c, d=echo).run(flow_of(TRY), [{"x": 1}, {"x": 2}])
    assert good.outputs == {"got": 1}
    assert caught.outputs == {"got": {"message": "down", "type": "Unavailable"}}
    assert tidied == [1, 2]
    children = caught.trace.span("safe").children
    assert [(child.node, child.status) for child in children] == [
        ("safe.try.risky", "failed"),
        ("safe.catch.rescue", "ok"),
        ("safe.finally.tidy", "ok"),
    ]


async def test_without_catch_finally_runs_and_the_error_stays():
    text = TRY.replace(", catch: rescue", "").replace(
        "  rescue: {operation: b, inputs: {message: _error.message, type: _error.type}}\n", ""
    )
    tidied: list[object] = []

    def c(items: Items) -> list[object]:
        tidied.append(1)
        return echo(items)

    def a(items: Items) -> list[object]:
        raise Unavailable("down")

    (result,) = await executor_of(a=a, c=c, d=echo).run(flow_of(text), [{"x": 1}])
    assert (str(result.error), tidied) == ("down", [1])


async def test_a_failing_finally_fails_the_node():
    def c(items: Items) -> list[object]:
        raise Unavailable("cannot tidy")

    (result,) = await executor_of(a=echo, b=echo, c=c, d=echo).run(flow_of(TRY), [{"x": 1}])
    assert str(result.error) == "cannot tidy"


async def test_finally_runs_when_the_caller_is_cancelled():
    tidied: list[int] = []

    async def forever(items: Items) -> list[object]:
        await asyncio.sleep(30)
        return echo(items)

    async def c(items: Items) -> list[object]:
        await asyncio.sleep(0)
        tidied.append(1)
        return echo(items)

    task = asyncio.create_task(executor_of(a=forever, b=echo, c=c, d=echo).run(flow_of(TRY), [{"x": 1}]))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tidied == [1]


async def test_a_part_of_a_try_may_wait_for_nodes_outside():
    text = """
nodes:
  t: {type: try, try: r, finally: {operation: c}}
  r: {operation: b, inputs: {v: first}}
  first: {operation: a}
"""
    flow = flow_of(text)
    assert flow.nodes["t"].dependencies == ("first",)
    assert list(flow.nodes) == ["first", "t"]
    (result,) = await executor_of(a=lambda items: [7], b=echo, c=echo).run(flow, [{}])
    assert result.context["t"] == {"v": 7}


SUBGRAPH = """
inputs: [price]
nodes:
  discount:
    type: subgraph
    inputs: {amount: price}
    graph:
      flow: discounts
      inputs: [amount, {rate: 10}]
      nodes:
        rated: {operation: a, inputs: {amount: amount, rate: rate}}
      output: {final: rated.amount, rate: rated.rate}
  after: {operation: a, inputs: {final: discount.final}}
output: {final: after.final, rate: discount.rate}
"""


async def test_a_subgraph_sees_its_own_inputs_only_and_gives_its_outputs():
    results = await executor_of(a=echo).run(flow_of(SUBGRAPH), [{"price": 5}, {"price": 6}])
    assert [result.outputs for result in results] == [{"final": 5, "rate": 10}, {"final": 6, "rate": 10}]
    (child,) = results[0].trace.span("discount").children
    assert (child.node, child.inputs) == ("discount.rated", {"amount": 5, "rate": 10})


async def test_a_subgraph_from_a_file_with_mappings():
    files = {"discount.yaml": "inputs: [base]\nnodes:\n  cut: {operation: a, inputs: {v: base}}\n"}
    text = """
inputs: [price]
nodes:
  discount: {file: discount.yaml, input_mapping: {price: base}, output_mapping: {cut.v: total}}
output: {total: discount.total}
"""
    flow = flow_of(text, read_file=files.__getitem__)
    (result,) = await executor_of(a=echo).run(flow, [{"price": 5}])
    assert result.outputs == {"total": 5}


def test_a_file_that_includes_itself_is_refused():
    text = "nodes:\n  again: {file: test.yaml}\n"
    with pytest.raises(FlowError, match=r"includes itself: test.yaml → test.yaml"):
        flow_of(text, read_file=lambda name: text)


async def test_a_failing_subgraph_fails_its_node_with_the_inner_error():
    def a(items: Items) -> list[object]:
        return [Unavailable("down") if item.get("amount") == 6 else dict(item) for item in items]

    good, bad = await executor_of(a=a).run(flow_of(SUBGRAPH), [{"price": 5}, {"price": 6}])
    assert good.ok
    assert (bad.failed_node, str(bad.error)) == ("discount", "down")


async def test_a_control_node_can_be_retried_and_bounded_as_a_whole():
    calls: list[int] = []

    def a(items: Items) -> list[object]:
        calls.append(1)
        return [Unavailable("down") if len(calls) == 1 else 1 for _ in items]

    text = """
inputs: [n]
nodes:
  l: {type: loop, over: n, body: {operation: a}, retry: {attempts: 2, delay: 1ms}, timeout: 1s}
"""
    (result,) = await executor_of(a=a).run(flow_of(text), [{"n": [1]}])
    assert result.ok
    assert result.trace.span("l").attempts == 2


async def test_a_finally_that_has_begun_is_not_broken_off_when_further_runs_fail():
    tidied: list[str] = []

    async def risky(items: Items) -> list[object]:
        await asyncio.sleep(30)
        return echo(items)

    async def tidy(items: Items) -> list[object]:
        await asyncio.sleep(0.03)
        tidied.append("done")
        return echo(items)

    async def fails(items: Items) -> list[object]:
        await asyncio.sleep(0.01 * int(str(items[0]["step"])))
        return [Unavailable("down") if item["x"] == item["step"] else 1 for item in items]

    text = """
inputs: [x]
nodes:
  small: {type: conditional, condition: x == 1, true_branch: [t]}
  t: {type: try, try: {operation: a}, finally: {operation: b}}
  first: {operation: c, inputs: {x: x, step: 1}}
  second: {operation: c, inputs: {x: x, step: 2}}
"""
    flow = flow_of(text)
    results = await asyncio.wait_for(executor_of(a=risky, b=tidy, c=fails).run(flow, [{"x": 1}, {"x": 2}]), 2)
    assert [result.failed_node for result in results] == ["first", "second"]
    assert tidied == ["done"]
