"""Plan a catalogue and order its proposals: made-up products, and the real shop when its files are there.

python -m benchmarks.catalogue.plan            1,000 to 100,000 made-up products
RESTOCK_RETAIL_DATA=DIR python -m benchmarks.catalogue.plan     and the shop of that folder
"""

from __future__ import annotations

import gc
import os
import resource
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.made_up import load
from benchmarks.report import line, machine
from restock.app import App, opened
from restock.core.clock import SystemClock
from restock.edge.files.retail import RetailPorts, import_online_retail
from restock.edge.files.settings import ImportSettings
from restock.replenishment.port import PlanRequest, PurchaseRequest
from restock.settings import Settings

SIZES = (1_000, 10_000, 100_000)
NEEDY = 1
"""Every product needs an order: the most work a plan can be."""


async def planned_and_ordered(app: App, what: str, bar: str) -> None:
    """Plan, plan again, purchase; print the rates."""
    gc.collect()
    start = time.perf_counter()
    plan = await app.replenishment.plan(PlanRequest())
    first = time.perf_counter() - start
    line(f"plan {what}: {plan.products:,} products, {first:.2f} s", f"{plan.products / first:,.0f} products/s", bar)
    start = time.perf_counter()
    again = await app.replenishment.plan(PlanRequest())
    second = time.perf_counter() - start
    assert again.reused and again.digest == plan.digest
    line("  again, nothing changed", f"{second / first:.3%} of the first", "<= 5 %")
    start = time.perf_counter()
    bought = await app.replenishment.purchase(PurchaseRequest())
    took = time.perf_counter() - start
    lines = sum(len(order.lines) for order in bought.orders)
    assert lines == plan.outcomes["proposed"] and not bought.refused
    line(f"  purchase: {lines:,} lines, {len(bought.orders):,} orders", f"{lines / took:,.0f} lines/s", ">= 5,000/s")


async def made_up(products: int) -> None:
    """Measure one size."""
    with tempfile.TemporaryDirectory() as home:
        async with opened(Settings(home=Path(home))) as app:
            await load(app, products, needy=NEEDY)
            await planned_and_ordered(app, "made up", ">= 20,000/s")
    line(
        "  peak memory of the process",
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB",
        "< 1 GiB",
    )


async def retail(folder: Path) -> None:
    """Measure the real shop."""
    with tempfile.TemporaryDirectory() as home:
        async with opened(Settings(home=Path(home))) as app:
            ports = RetailPorts(app.orders, app.inventory, app.suppliers, app.units)
            start = time.perf_counter()
            await import_online_retail(folder, ports, ImportSettings(Path(home) / "rejects", SystemClock()))
            line("import of the real shop, all ten months", f"{time.perf_counter() - start:.1f} s")
            await planned_and_ordered(app, "real shop", "< 1 s")


def main() -> None:
    """Run and print."""
    print(f"catalogue: {machine()}")
    for size in SIZES:
        uvloop.run(made_up(size))
    folder = os.environ.get("RESTOCK_RETAIL_DATA", "")
    if folder:
        uvloop.run(retail(Path(folder)))


if __name__ == "__main__":
    main()
