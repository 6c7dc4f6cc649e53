"""The flow on in-memory data, on embedded stores, and with monitoring: rate and latency for 1 and 64 callers.

python -m benchmarks.comparison

In memory is the graph engine and the rulebook over dictionaries: what the flow costs before anything is stored. Embedded is
the whole program: fetched from stores, decision stored, order with events committed. With monitoring, the trace of every run
is built as it would be sent, each flow is counted, and the metrics are collected every second beside it.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import uvloop

from benchmarks.made_up import load
from benchmarks.report import machine, percentile
from restock.app import App, opened
from restock.core.clock import SystemClock
from restock.edge.rest.meters import Meters
from restock.engine.graph import CohortRunner, Executor, Flow, RunResult, load_flow
from restock.engine.rules import Rulebook
from restock.replenishment.port import FlowRequest
from restock.settings import Settings

ALONE = 500
TOGETHER = 6_400
CALLERS = 64
ROUNDS = 3
SCRAPE_SECONDS = 1.0
FLOW = """
flow: in memory
inputs: [product_id]
nodes:
  demand: {operation: demand, inputs: {product_id: product_id}}
  stock: {operation: stock, inputs: {product_id: product_id}}
  terms: {operation: terms, inputs: {product_id: product_id}}
  decision:
    rulebook: purchasing
    inputs: {avg_daily_demand: demand.per_day, available_qty: stock.available, on_order_qty: stock.on_order,
             lead_time_days: terms.lead_time_days, moq: terms.moq, order_multiple: terms.order_multiple,
             unit_price: terms.unit_price, is_active: true}
  must_order: {condition: decision.should_create_po == true, true_branch: [order]}
  order: {operation: order, inputs: {product_id: product_id, quantity: decision.order_qty}}
output: {decision: decision}
"""

Items = Sequence[Mapping[str, object]]
Run = Callable[[str], Awaitable[None]]


class Figures(NamedTuple):
    """Flows a second and milliseconds."""

    rate: float
    p50: float
    p99: float


async def measured(run: Run, products: Sequence[str], callers: int) -> Figures:
    """Run a flow for every product with so many callers."""
    times: list[float] = []
    names = iter(products)

    async def caller() -> None:
        for product in names:
            start = time.perf_counter()
            await run(product)
            times.append(time.perf_counter() - start)

    gc.collect()
    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    rate = len(products) / (time.perf_counter() - start)
    return Figures(rate, percentile(times, 0.5) * 1e3, percentile(times, 0.99) * 1e3)


def in_memory() -> tuple[CohortRunner, Run]:
    """Make the flow over dictionaries."""
    rules = Rulebook.parse((files("restock") / "decisions/rulebooks/purchasing.grl").read_text("utf-8"), "purchasing")
    ordered: dict[object, object] = {}
    terms = {
        "lead_time_days": Decimal(7),
        "moq": Decimal(20),
        "order_multiple": Decimal(20),
        "unit_price": Decimal("15.99"),
    }

    def stock(items: Items) -> list[object]:
        return [{"available": Decimal(20), "on_order": ordered.get(item["product_id"], Decimal(0))} for item in items]

    def order(items: Items) -> list[object]:
        ordered.update((item["product_id"], item["quantity"]) for item in items)
        return list(items)

    def decide(_name: str, items: Items) -> list[object]:
        return [one if isinstance(one, Exception) else one.outputs for one in rules.decide_many(items)]

    operations = {
        "demand": lambda items: [{"per_day": Decimal("15.5")} for _ in items],
        "stock": stock,
        "terms": lambda items: [terms for _ in items],
        "order": order,
    }
    flow: Flow = load_flow(FLOW, "in_memory.yaml", operations=operations)
    runner = CohortRunner(Executor(operations, decide, SystemClock()), flow)

    async def run(product: str) -> None:
        result = await runner.submit({"product_id": product})
        assert result.outputs["decision"]["order_qty"] == 100, result

    return runner, run


def embedded(app: App) -> Run:
    """Run the product's own flow."""

    async def run(product: str) -> None:
        reply = await app.replenishment.flow(FlowRequest(product))
        assert reply.outcome == "ordered", reply

    return run


def monitored(app: App, meters: Meters) -> Run:
    """Run the product's own flow; count it, and build its trace."""
    submit = app.replenishment._runner.submit

    async def watched(inputs: Mapping[str, object]) -> RunResult:
        result = await submit(inputs)
        result.trace.as_dict()
        return result

    app.replenishment._runner.submit = watched

    async def run(product: str) -> None:
        reply = await app.replenishment.flow(FlowRequest(product))
        meters.flow(reply)
        assert reply.outcome == "ordered", reply

    return run


async def scraped(app: App, meters: Meters) -> None:
    """Collect metrics for ever."""
    while True:
        await meters.text(app, draining=False)
        await asyncio.sleep(SCRAPE_SECONDS)


async def one_round(name: str) -> tuple[Figures, Figures]:
    """Measure one of the three, alone and with many callers, on new stores."""
    if name == "in memory":
        runner, run = in_memory()
        products = [f"M{number:06}" for number in range(ALONE + TOGETHER)]
        found = await measured(run, products[:ALONE], 1), await measured(run, products[ALONE:], CALLERS)
        await runner.close()
        return found
    with tempfile.TemporaryDirectory() as home:
        async with opened(Settings(home=Path(home))) as app:
            products = await load(app, ALONE + TOGETHER)
            meters = Meters()
            watcher = asyncio.create_task(scraped(app, meters)) if name == "with monitoring" else None
            run = monitored(app, meters) if watcher else embedded(app)
            found = await measured(run, products[:ALONE], 1), await measured(run, products[ALONE:], CALLERS)
            if watcher:
                watcher.cancel()
                with suppress(asyncio.CancelledError):
                    await watcher
            return found


async def compared() -> None:
    """Run every form in turn, several times, and print the best round of each."""
    rounds: dict[str, list[tuple[Figures, Figures]]] = {}
    for _ in range(ROUNDS):
        for name in ("in memory", "embedded stores", "with monitoring"):
            rounds.setdefault(name, []).append(await one_round(name))
    print(f"{'':<18} {'1 caller':>10} {'p50':>8} {'p99':>8}   {f'{CALLERS} callers':>10} {'p50':>8} {'p99':>8}")
    for name, found in rounds.items():
        alone = max((one for one, _ in found), key=lambda figures: figures.rate)
        many = max((each for _, each in found), key=lambda figures: figures.rate)
        cells = [f"{one.rate:>8,.0f}/s {one.p50:>5.2f} ms {one.p99:>5.2f} ms" for one in (alone, many)]
        print(f"{name:<18} {cells[0]}   {cells[1]}")


def main() -> None:
    """Print the figures."""
    print(f"comparison: {machine()}; best of {ROUNDS} rounds")
    uvloop.run(compared())


if __name__ == "__main__":
    main()
