"""Time limits, retries, breakers, fallbacks and the cache, in simulated time where time matters."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from graph_world import START, Items, Turn, decide, echo, executor_of, flow_of
from hypothesis import given
from hypothesis import strategies as st

from restock.core.breaker import Breaker, BreakerOpen, BreakerRule
from restock.core.clock import SimulatedClock
from restock.core.errors import DeadlinePassed, InvalidInput, Unavailable
from restock.engine.graph import Executor, FlowError, load_flow
from restock.engine.graph.cache import Cache, frozen
from restock.engine.graph.model import CacheRule, Retry
from restock.engine.graph.policy import CALLS_PER_RETRY, RETRIES_SAVED, RetryBudget, pause_s


def failing(times: int, error: Exception, asynchronous: bool = False):
    """Make an operation that fails so many times for every item, then echoes; `.calls` counts items per call."""
    calls: list[int] = []

    def answer(items: Items) -> list[object]:
        calls.append(len(items))
        return [error] * len(items) if len(calls) <= times else echo(items)

    async def answer_later(items: Items) -> list[object]:
        await asyncio.sleep(0)
        return answer(items)

    made = answer_later if asynchronous else answer
    made.calls = calls  # type: ignore[attr-defined]
    return made


RETRY = "nodes:\n  p: {operation: a, retry: {attempts: 3, delay: 1ms}}\n"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_neighbour_that_comes_back_is_tried_again_and_the_trace_counts_attempts(asynchronous: bool):
    operation = failing(2, Unavailable("down"), asynchronous)
    (result,) = await executor_of(a=operation).run(flow_of(RETRY), [{"x": 1}])
    assert result.ok
    assert result.trace.span("p").attempts == 3
    assert result.trace.span("p").outputs == {"x": 1}


async def test_attempts_end_and_the_last_error_is_the_runs():
    operation = failing(9, TimeoutError("slow"))
    (result,) = await executor_of(a=operation).run(flow_of(RETRY), [{}])
    assert isinstance(result.error, TimeoutError)
    assert operation.calls == [1, 1, 1]
    span = result.trace.span("p")
    assert (span.status, span.attempts, span.error) == ("failed", 3, "TimeoutError: slow")


async def test_a_mistake_in_the_input_is_not_tried_again_unless_listed():
    operation = failing(9, InvalidInput("no such product"))
    await executor_of(a=operation).run(flow_of(RETRY), [{}])
    assert operation.calls == [1]
    listed = failing(1, InvalidInput("no such product"))
    text = RETRY.replace("delay: 1ms", "delay: 1ms, on: [InvalidInput]")
    (result,) = await executor_of(a=listed).run(flow_of(text), [{}])
    assert result.ok and listed.calls == [1, 1]


async def test_only_the_failed_items_of_a_cohort_are_called_again():
    calls: list[list[object]] = []

    def a(items: Items) -> list[object]:
        calls.append([item["x"] for item in items])
        return [Unavailable("busy") if item["x"] == 2 and len(calls) == 1 else item["x"] for item in items]

    results = await executor_of(a=a).run(flow_of(RETRY), [{"x": 1}, {"x": 2}, {"x": 3}])
    assert calls == [[1, 2, 3], [2]]
    assert [result.context["p"] for result in results] == [1, 2, 3]
    assert [result.trace.span("p").attempts for result in results] == [1, 2, 1]


async def test_waits_grow_within_their_limit_and_the_same_seed_gives_the_same_trace():
    async def once() -> tuple[list[float], object]:
        waits: list[float] = []
        turn = Turn()

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            turn.now += round(seconds * 1e9)

        executor = Executor(
            {"a": failing(9, Unavailable("down"))},
            decide,
            SimulatedClock(START),
            monotonic=turn.monotonic,
            sleep=sleep,
            seed=7,
        )
        text = "nodes:\n  p: {operation: a, retry: {attempts: 5, delay: 1s, factor: 2, max_delay: 3s, jitter: 0.5}}\n"
        (result,) = await executor.run(flow_of(text), [{}])
        return waits, result.trace.as_dict()

    waits, trace = await once()
    assert all(full / 2 <= wait <= full for wait, full in zip(waits, [1, 2, 3, 3], strict=True))
    assert await once() == (waits, trace)


@given(st.integers(1, 10), st.floats(0, 1), st.integers(0, 99))
def test_a_pause_is_never_longer_than_its_limit_nor_shorter_than_the_jitter_allows(
    failed: int, jitter: float, seed: int
):
    retry = Retry(attempts=10, delay_s=0.1, factor=2, max_delay_s=5, jitter=jitter)
    full = min(0.1 * 2 ** (failed - 1), 5)
    assert full * (1 - jitter) - 1e-9 <= pause_s(retry, failed, Random(seed)) <= full


async def test_a_late_answer_is_a_deadline_passed_and_its_task_is_cancelled():
    cancelled: list[int] = []

    async def slow(items: Items) -> list[object]:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise
        return echo(items)

    flow = flow_of("nodes:\n  p: {operation: a, timeout: 10ms, retry: {attempts: 2, delay: 1ms}}\n")
    (result,) = await executor_of(a=slow).run(flow, [{}])
    assert isinstance(result.error, DeadlinePassed)
    assert "0.01 s" in str(result.error)
    assert cancelled == [1, 1]


async def test_a_fallback_answers_when_all_attempts_failed_and_the_trace_says_so():
    text = """
inputs: [x]
nodes:
  p: {operation: a, inputs: {x: x}, retry: {attempts: 2, delay: 1ms}, fallback: {moq: 0}}
  q: {operation: a, inputs: {x: x}, fallback: input.x}
output: {moq: p.moq, x: q}
"""
    (result,) = await executor_of(a=failing(9, Unavailable("down"))).run(flow_of(text), [{"x": 4}])
    assert result.outputs == {"moq": 0, "x": 4}
    span = result.trace.span("p")
    assert (span.status, span.attempts, span.error) == ("fallback", 2, "down")


def test_a_breaker_opens_rests_probes_and_closes():
    now = [0]
    breaker = Breaker("a", BreakerRule(failures=2, reset_s=1.0), lambda: now[0])
    for _ in range(2):
        assert breaker.state == "closed"
        breaker.enter()
        breaker.leave(ok=False)
    assert breaker.state == "open"
    now[0] = 400_000_000
    with pytest.raises(BreakerOpen) as caught:
        breaker.enter()
    assert caught.value.retry_after_s == pytest.approx(0.6)
    assert "0.6 s" in str(caught.value)
    now[0] = 1_000_000_000
    assert breaker.state == "half-open"
    breaker.enter()
    with pytest.raises(BreakerOpen):  # one probe at a time
        breaker.enter()
    breaker.leave(ok=False)
    assert breaker.state == "open"
    now[0] = 2_000_000_000
    breaker.enter()
    breaker.abandon()  # a cancelled probe says nothing: the next call probes
    breaker.enter()
    breaker.leave(ok=True)
    assert breaker.state == "closed"


async def test_an_open_breaker_answers_at_once_for_every_flow_that_shares_it():
    turn = Turn()
    operation = failing(2, Unavailable("down"))
    executor = Executor({"a": operation}, None, SimulatedClock(START), monotonic=turn.monotonic)
    text = "nodes:\n  p: {operation: a, breaker: {failures: 2, reset: 5s}}\n"
    for flow in (flow_of(text), flow_of(text)):
        (result,) = await executor.run(flow, [{}])
        assert str(result.error) == "down"
    (result,) = await executor.run(flow_of(text), [{}])
    assert isinstance(result.error, BreakerOpen)
    assert result.error.retry_after_s == 5
    assert result.trace.span("p").attempts == 0
    assert operation.calls == [1, 1]
    turn.now += 5_000_000_000
    (result,) = await executor.run(flow_of(text), [{}])
    assert result.ok


async def test_wrong_inputs_do_not_open_a_breaker():
    operation = failing(3, InvalidInput("no such product"))
    executor = executor_of(a=operation)
    flow = flow_of("nodes:\n  p: {operation: a, breaker: {failures: 2, reset: 5s}}\n")
    for _ in range(3):
        await executor.run(flow, [{}])
    (result,) = await executor.run(flow, [{}])
    assert result.ok


CACHED = "inputs: [x, y]\nnodes:\n  p: {operation: a, inputs: {x: x, y: y}, cache: {ttl: 10s, key: [x]}}\n"


async def test_a_cached_answer_is_used_until_its_time_is_over():
    turn = Turn()
    operation = failing(0, Unavailable(""))
    executor = Executor({"a": operation}, None, SimulatedClock(START), monotonic=turn.monotonic)
    flow = flow_of(CACHED)
    await executor.run(flow, [{"x": 1, "y": 1}])
    (result,) = await executor.run(flow, [{"x": 1, "y": 2}])
    assert result.context["p"] == {"x": 1, "y": 1}
    assert (result.trace.span("p").status, result.trace.span("p").attempts) == ("cached", 0)
    await executor.run(flow, [{"x": 2, "y": 2}])
    turn.now += 10_000_000_000
    await executor.run(flow, [{"x": 1, "y": 3}])
    assert operation.calls == [1, 1, 1]


async def test_items_that_are_alike_are_asked_for_once_in_a_cohort():
    operation = failing(0, Unavailable(""))
    results = await executor_of(a=operation).run(flow_of(CACHED), [{"x": i % 3, "y": 0} for i in range(9)])
    assert operation.calls == [3]
    assert [result.context["p"]["x"] for result in results] == [0, 1, 2] * 3


async def test_failures_are_not_cached():
    operation = failing(1, Unavailable("down"))
    executor, flow = executor_of(a=operation), flow_of(CACHED)
    first = await executor.run(flow, [{"x": 1, "y": 1}])
    second = await executor.run(flow, [{"x": 1, "y": 1}])
    assert not first[0].ok and second[0].ok


async def test_alike_items_share_a_failure_too():
    operation = failing(1, Unavailable("down"))
    results = await executor_of(a=operation).run(flow_of(CACHED), [{"x": 1, "y": 1}, {"x": 1, "y": 1}])
    assert [str(result.error) for result in results] == ["down", "down"]


STANDS_IN = "inputs: [x]\nnodes:\n  p: {operation: a, inputs: {x: x}, cache: {stale: 1min}}\n"


async def test_an_answer_of_before_stands_in_while_its_operation_is_away_and_tells_its_age():
    turn, away = Turn(), [Unavailable("down"), DeadlinePassed("late"), InvalidInput("no such product")]
    asked: list[int] = []

    def operation(items):
        asked.append(len(items))
        if len(asked) in (2, 3, 4, 6):
            raise away[(len(asked) - 2) % 3]
        return [{"x": item["x"], "answer": len(asked)} for item in items]

    executor = Executor({"a": operation}, None, SimulatedClock(START), monotonic=turn.monotonic)
    flow = flow_of(STANDS_IN)
    await executor.run(flow, [{"x": 1}])
    for kind in ("Unavailable", "DeadlinePassed"):
        turn.now += 12_500_000_000
        one, other = await executor.run(flow, [{"x": 1}, {"x": 2}])
        assert one.context["p"] == {"x": 1, "answer": 1}
        span = one.trace.span("p")
        assert (span.status, span.outputs) == ("stale", {"x": 1, "answer": 1})
        age = "12.5" if kind == "Unavailable" else "25.0"
        assert f"The answer of {age} s ago stands in" in span.error
        assert type(other.error).__name__ == kind, "nothing was known of the other"
    (wrong,) = await executor.run(flow, [{"x": 1}])
    assert type(wrong.error) is InvalidInput, "an answer is an answer"
    (fresh,) = await executor.run(flow, [{"x": 1}])
    assert (fresh.context["p"]["answer"], fresh.trace.span("p").status) == (5, "ok"), "it is always asked first"
    turn.now += 60_000_000_000
    (late,) = await executor.run(flow, [{"x": 1}])
    assert not late.ok, "after its time it stands in no more"


async def test_an_open_breaker_lets_an_answer_of_before_stand_in():
    operation = failing(0, Unavailable("down"))
    executor = executor_of(a=operation)
    flow = flow_of(STANDS_IN.replace("cache:", "breaker: {failures: 1, reset: 5s}, cache:"))
    await executor.run(flow, [{"x": 1}])
    executor.tools.breakers[next(iter(executor.tools.breakers))].leave(ok=False)
    (result,) = await executor.run(flow, [{"x": 1}])
    assert (result.trace.span("p").status, result.trace.span("p").attempts) == ("stale", 0)
    assert operation.calls == [1]


async def test_an_operation_that_cannot_be_away_keeps_nothing():
    operation = failing(0, Unavailable("down"))
    executor = Executor({"a": operation}, None, SimulatedClock(START), distant={"b"})
    await executor.run(flow_of(STANDS_IN), [{"x": 1}, {"x": 1}])
    assert (operation.calls, len(executor.tools.cache)) == ([2], 0)


@pytest.mark.parametrize("part", ["cache: {stale: 1min}", "cache: {ttl: 1s}", "fallback: 0"])
def test_nothing_may_stand_in_for_what_changes_with_every_order(part: str):
    text = f"inputs: [x]\nnodes:\n  p: {{operation: a, inputs: {{x: x}}, {part}}}\n"
    assert load_flow(text, "f.yaml", operations=["a"])
    with pytest.raises(FlowError, match="nothing may stand in") as refused:
        load_flow(text, "f.yaml", operations=["a"], fresh=["a"])
    assert refused.value.line == 3


def test_a_budget_bounds_retries_to_a_tenth_of_the_calls():
    budget = RetryBudget()
    assert [budget.spend() for _ in range(RETRIES_SAVED + 1)] == [True] * RETRIES_SAVED + [False]
    made = 0
    for _ in range(50 * CALLS_PER_RETRY):
        budget.called()
        made += budget.spend()
    assert made == 50


async def test_many_failures_at_once_are_not_doubled_by_retries():
    operation = failing(10_000, Unavailable("down"))
    executor = executor_of(a=operation)
    flow = flow_of("nodes:\n  p: {operation: a, retry: {attempts: 3, delay: 1ms}}\n")
    for _ in range(100):
        await executor.run(flow, [{}])
    assert len(operation.calls) <= 100 + RETRIES_SAVED + 100 / CALLS_PER_RETRY


def test_the_cache_forgets_the_least_recently_used():
    cache = Cache(lambda: 0, limit=2)
    second = CacheRule(1)
    cache.put("a", 1, second)
    cache.put("b", 2, second)
    assert cache.get("a") == (1,)
    cache.put("c", 3, second)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == ((1,), None, (3,), 2)


@pytest.mark.parametrize(
    ("left", "right"), [(1, True), ("1", 1), (None, "None"), ([1], 1), ({"a": 1}, {"a": 2}), (0, None)]
)
def test_values_that_differ_have_different_cache_keys(left: object, right: object):
    assert frozen(left) != frozen(right)
