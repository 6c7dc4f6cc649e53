"""The purchasing flow in process: alone, and 64 callers at once, each with a different product that needs an order.

python -m benchmarks.flow.in_process [--stores mysql]
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from benchmarks.made_up import load
from benchmarks.report import line, machine, percentile
from benchmarks.stores import chosen
from restock.app import App, opened
from restock.purchasing.port import OrdersRequest
from restock.replenishment.port import FlowRequest
from restock.settings import load as settings_of

ALONE = 1_000
TOGETHER = 12_000
CALLERS = 64
MS = 1e3


async def walked(app: App, products: Iterator[str], times: list[float]) -> None:
    """Be one caller until no product is left."""
    for product in products:
        start = time.perf_counter()
        reply = await app.replenishment.flow(FlowRequest(product))
        times.append(time.perf_counter() - start)
        assert reply.outcome == "ordered", reply


async def measured() -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as home:
        async with opened(settings_of({"home": Path(home)})) as app:
            names = iter(await load(app, ALONE + TOGETHER))
            gc.collect()
            gc.freeze()
            alone: list[float] = []
            await walked(app, iter([next(names) for _ in range(ALONE)]), alone)
            p50, p99 = percentile(alone, 0.5) * MS, percentile(alone, 0.99) * MS
            line("one flow alone, p50 / p99", f"{p50:.2f} / {p99:.2f} ms", "p50 < 1.5 ms")
            together: list[float] = []
            start, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(walked(app, names, together) for _ in range(CALLERS)))
            took, cpu = time.perf_counter() - start, time.process_time() - cpu
            line(f"{CALLERS} callers", f"{TOGETHER / took:,.0f} flows/s")
            line("  p50 / p99", f"{percentile(together, 0.5) * MS:.1f} / {percentile(together, 0.99) * MS:.1f} ms")
            line("  processor time per flow", f"{cpu / TOGETHER * 1e6:.0f} us")
            newest = (await app.purchasing.orders(OrdersRequest(limit=1)))[0]
            assert newest.po_id.endswith(f"{ALONE + TOGETHER:06}"), "one order per flow"


def main() -> None:
    """Run and print."""
    with chosen() as stores:
        print(f"flow in process, {stores} stores: {machine()}")
        uvloop.run(measured())


if __name__ == "__main__":
    main()
