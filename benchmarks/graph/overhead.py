"""What the graph engine itself costs: trivial nodes, memory per run, and runs that walk as a cohort.

Run with `python -m benchmarks.graph.overhead`. The published figures are claims of another system on another machine;
they stand beside ours for size, not as a race.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Mapping, Sequence

from restock.core.clock import SystemClock
from restock.engine.graph import Executor, Flow, load_flow

CLAIMS_US = {5: 27, 10: 53, 20: 100}
"""Published microseconds per run for so many trivial nodes."""

BUDGETS_US = {5: 10, 10: 20, 20: 40}
"""What we allow ourselves."""

ROUNDS = 3000
COHORT = 64
COHORT_BUDGET_US = 15
COHORT_FLOW = """
flow: seven nodes
inputs: [product_id]
nodes:
  orders: {operation: fetch, inputs: {product_id: product_id}}
  stock: {operation: fetch, inputs: {product_id: product_id}}
  supplier: {operation: fetch, inputs: {product_id: product_id}}
  units: {operation: fetch, inputs: {product_id: product_id}}
  decide: {operation: fetch, inputs: {a: orders.value, b: stock.value, c: supplier.value, d: units.value}}
  create: {operation: fetch, inputs: {value: decide.value}}
  send: {operation: fetch, inputs: {value: create.value}}
output: {value: send.value}
"""


def _same(items: Sequence[Mapping[str, object]]) -> list[object]:
    return [{"value": 1} for _ in items]


async def _fetch(items: Sequence[Mapping[str, object]]) -> list[object]:
    return [{"value": 1} for _ in items]


def chain(nodes: int) -> Flow:
    """Make a flow of so many trivial nodes, one after the other."""
    lines = ["flow: chain", "inputs: [start]", "nodes:", "  n0: {operation: same, inputs: {value: start}}"]
    lines += [f"  n{i}: {{operation: same, inputs: {{value: n{i - 1}.value}}}}" for i in range(1, nodes)]
    lines.append(f"output: {{value: n{nodes - 1}.value}}")
    return load_flow("\n".join(lines), "chain.yaml", operations=["same"])


async def single_us(nodes: int, rounds: int = ROUNDS) -> float:
    """Measure the median microseconds of one run alone through a chain of trivial nodes."""
    executor, flow = Executor({"same": _same}, None, SystemClock()), chain(nodes)
    inputs = [{"start": 1}]
    times: list[int] = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        await executor.run(flow, inputs)
        times.append(time.perf_counter_ns() - start)
    return sorted(times)[rounds // 2] / 1000


async def cohort_us(size: int = COHORT, rounds: int = 300, traced: bool = False) -> float:
    """Measure the median microseconds per run in a cohort through seven asynchronous nodes."""
    executor = Executor({"fetch": _fetch}, None, SystemClock())
    flow = load_flow(COHORT_FLOW, "seven.yaml", operations=["fetch"])
    inputs = [{"product_id": f"PROD-{i}"} for i in range(size)]
    times: list[int] = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        results = await executor.run(flow, inputs)
        if traced:
            _ = [result.trace for result in results]
        times.append(time.perf_counter_ns() - start)
    return sorted(times)[rounds // 2] / 1000 / size


async def memory_bytes(nodes: int, runs: int = 500) -> float:
    """Measure the bytes that a finished run keeps: context, outputs and what its trace is built from."""
    executor, flow = Executor({"same": _same}, None, SystemClock()), chain(nodes)
    await executor.run(flow, [{"start": 1}])
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [await executor.run(flow, [{"start": 1}]) for _ in range(runs)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / len(kept)


async def _measure() -> None:
    print("One run alone, trivial nodes in a chain (median µs)")
    print(f"{'nodes':>6} {'ours':>8} {'budget':>8} {'claimed':>8} {'ratio':>7} {'bytes kept':>11}")
    for nodes, claim in CLAIMS_US.items():
        ours = await single_us(nodes)
        kept = await memory_bytes(nodes)
        print(f"{nodes:>6} {ours:>8.1f} {BUDGETS_US[nodes]:>8} {claim:>8} {claim / ours:>6.1f}x {kept:>11.0f}")
    print(f"\nCohort of {COHORT} through 7 asynchronous nodes (median µs per run; budget {COHORT_BUDGET_US})")
    print(f"  walk, trace kept     {await cohort_us():>8.1f}")
    print(f"  walk, trace built    {await cohort_us(traced=True):>8.1f}")
    print(f"  cohort of one        {await cohort_us(1):>8.1f}")


def main() -> None:
    """Print the figures beside the published claims."""
    asyncio.run(_measure())


if __name__ == "__main__":
    main()
