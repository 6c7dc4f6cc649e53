"""The door: cohorts form from whoever waits, answers are per caller, the queue is bounded."""

from __future__ import annotations

import asyncio

import pytest
from graph_world import Items, echo, executor_of, flow_of

from restock.core.errors import InvalidInput, Unavailable
from restock.engine.graph import CohortRunner, QueueFull
from restock.engine.graph.model import COHORT_LIMIT

FLOW = "inputs: [x]\nnodes:\n  p: {operation: a, inputs: {x: x}}\n  q: {operation: b, inputs: {x: p.x}}\noutput: {x: q.x}\n"


class Gate:
    """An asynchronous operation that waits until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.sizes: list[int] = []
        self.cancelled = 0

    async def __call__(self, items: Items) -> list[object]:
        self.sizes.append(len(items))
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return echo(items)


async def test_500_callers_at_once_each_get_their_own_answer_in_few_cohorts():
    sizes: list[int] = []

    async def a(items: Items) -> list[object]:
        sizes.append(len(items))
        await asyncio.sleep(0.001)
        return echo(items)

    runner = CohortRunner(executor_of(a=a, b=echo), flow_of(FLOW))
    results = await asyncio.gather(*(runner.submit({"x": i}) for i in range(500)))
    assert [result.outputs["x"] for result in results] == list(range(500))
    assert sizes == [COHORT_LIMIT, 500 - COHORT_LIMIT]
    await runner.close()


async def test_alone_a_run_goes_at_once():
    runner = CohortRunner(executor_of(a=echo, b=echo), flow_of(FLOW))
    assert (await runner.submit({"x": 1})).outputs == {"x": 1}
    assert (await runner.submit({"x": 2})).trace.cohort == 1


async def test_who_comes_while_a_cohort_walks_forms_the_next_one():
    gate = Gate()
    runner = CohortRunner(executor_of(a=gate, b=echo), flow_of(FLOW))
    first = asyncio.create_task(runner.submit({"x": 0}))
    await asyncio.sleep(0.001)
    rest = [asyncio.create_task(runner.submit({"x": i})) for i in range(1, 6)]
    await asyncio.sleep(0.001)
    assert (gate.sizes, runner.waiting) == ([1], 5)
    gate.open.set()
    await asyncio.gather(first, *rest)
    assert gate.sizes == [1, 5]


async def test_of_two_cohorts_in_flight_the_second_goes_only_when_it_is_full():
    gate = Gate()
    runner = CohortRunner(executor_of(a=gate, b=echo), flow_of(FLOW), in_flight=2, queue_limit=3 * COHORT_LIMIT)
    tasks = [asyncio.create_task(runner.submit({"x": 0}))]
    await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(runner.submit({"x": i})) for i in range(1, COHORT_LIMIT)]
    await asyncio.sleep(0.001)
    assert gate.sizes == [1], "one is missing"
    tasks += [asyncio.create_task(runner.submit({"x": i})) for i in range(COHORT_LIMIT, 2 * COHORT_LIMIT + 1)]
    await asyncio.sleep(0.005)
    assert gate.sizes == [1, COHORT_LIMIT], "it walks beside the first, and a third does not"
    gate.open.set()
    results = await asyncio.gather(*tasks)
    assert [result.outputs["x"] for result in results] == list(range(2 * COHORT_LIMIT + 1))
    await runner.close()
    with pytest.raises(Unavailable):
        await runner.submit({"x": 1})


async def test_callers_who_come_back_one_after_the_other_walk_together_again():
    sizes: list[int] = []

    async def a(items: Items) -> list[object]:
        sizes.append(len(items))
        await asyncio.sleep(0.001)
        return echo(items)

    runner = CohortRunner(executor_of(a=a, b=echo), flow_of(FLOW))

    async def caller(number: int) -> None:
        for _ in range(20):
            await runner.submit({"x": number})
            for _ in range(5 * (number % 2)):  # every other answer takes a few turns longer on its way
                await asyncio.sleep(0)

    await asyncio.gather(*(caller(number) for number in range(64)))
    assert len(sizes) < 20 * 1.5, f"halves that wait for one another: {sizes}"
    await runner.close()


async def test_a_bad_item_fails_its_caller_only():
    def a(items: Items) -> list[object]:
        return [InvalidInput("bad") if item["x"] == 3 else dict(item) for item in items]

    runner = CohortRunner(executor_of(a=a, b=echo), flow_of(FLOW))
    results = await asyncio.gather(*(runner.submit({"x": i} if i != 4 else {}) for i in range(6)))
    assert [result.ok for result in results] == [True, True, True, False, False, True]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back():
    gate = Gate()
    runner = CohortRunner(executor_of(a=gate, b=echo), flow_of(FLOW), queue_limit=2)
    tasks = [asyncio.create_task(runner.submit({"x": 0}))]
    await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(runner.submit({"x": i})) for i in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull) as caught:
        await runner.submit({"x": 3})
    assert caught.value.retry_after_s > 0
    assert isinstance(caught.value, Unavailable)
    gate.open.set()
    assert [result.outputs["x"] for result in await asyncio.gather(*tasks)] == [0, 1, 2]


async def test_a_caller_who_leaves_while_waiting_is_not_started():
    gate = Gate()
    runner = CohortRunner(executor_of(a=gate, b=echo), flow_of(FLOW))
    first = asyncio.create_task(runner.submit({"x": 0}))
    await asyncio.sleep(0.001)
    second, third = (asyncio.create_task(runner.submit({"x": i})) for i in (1, 2))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    assert (await first).ok and (await third).ok
    assert second.cancelled()
    assert gate.sizes == [1, 1]


async def test_a_caller_who_leaves_on_the_way_is_dropped_and_the_others_go_on():
    gate, seen = Gate(), []

    def b(items: Items) -> list[object]:
        seen.extend(item["x"] for item in items)
        return echo(items)

    runner = CohortRunner(executor_of(a=gate, b=b), flow_of(FLOW))
    tasks = [asyncio.create_task(runner.submit({"x": i})) for i in range(3)]
    await asyncio.sleep(0.001)
    tasks[1].cancel()
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert seen == [0, 2]


async def test_when_every_caller_has_left_the_work_is_cancelled():
    gate = Gate()
    runner = CohortRunner(executor_of(a=gate, b=echo), flow_of(FLOW))
    tasks = [asyncio.create_task(runner.submit({"x": i})) for i in range(3)]
    await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(runner.close(), 1)
    assert gate.cancelled == 1


async def test_close_drains_and_refuses_newcomers():
    gate = Gate()
    runner = CohortRunner(executor_of(a=gate, b=echo), flow_of(FLOW))
    tasks = [asyncio.create_task(runner.submit({"x": i})) for i in range(3)]
    await asyncio.sleep(0.001)
    closing = asyncio.create_task(runner.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="shutting down"):
        await runner.submit({"x": 9})
    assert not closing.done()
    gate.open.set()
    await closing
    assert [task.result().outputs["x"] for task in tasks] == [0, 1, 2]


async def test_a_runner_of_a_flow_that_cannot_run_is_refused_when_made():
    with pytest.raises(InvalidInput):
        CohortRunner(executor_of(a=echo), flow_of(FLOW))
