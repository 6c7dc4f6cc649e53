"""Flows over REST: the server as people start it, callers in another process, every order counted afterwards.

python -m benchmarks.rest.flows [--stores mysql]
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import IO, Any

import uvloop

from benchmarks.made_up import load
from benchmarks.report import ROOT, line, machine, percentile
from benchmarks.stores import chosen
from restock.analytics.port import FiguresRequest
from restock.app import opened
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.settings import load as settings_of

ALONE = 1_000
TOGETHER = 12_000
CALLERS = 64
STARTS = 5
BARS = {"embedded": ">= 4,000/s", "mysql": ">= 4,500/s"}
READY_SECONDS = 20.0


async def stocked(home: Path, products: int) -> list[str]:
    """Store products that each need an order."""
    async with opened(settings_of({"home": home})) as app:
        await app.inventory.put_stock(PutStockRequest([StockCount(f"M{n:06}", Decimal(0)) for n in range(products)]))
        await app.settle()  # stock that falls wakes flows by itself; without demand nobody does yet
        return await load(app, products)


async def ordered(home: Path) -> int:
    """Give how many purchase orders there are, counted from their events."""
    async with opened(settings_of({"home": home})) as app:
        await app.settle()
        return sum(one.orders for one in (await app.analytics.figures(FiguresRequest())).purchase_orders)


@contextmanager
def server(home: Path, log: IO[bytes] | None = None, **environment: str) -> Iterator[tuple[int, int, float]]:
    """Run `restock serve`; give its port, its process id and the seconds until it was ready. `log` takes standard error."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "restock", "serve", "--port", "0"],
        env={**os.environ, "RESTOCK_HOME": str(home), **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found, "the server says where it is"
        port = int(found[1])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=READY_SECONDS) as answer:
            assert answer.status == 200
        yield port, process.pid, time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert code == 0, f"the server ended with {code}"


def called(port: int, connections: int, products: list[str], folder: Path, *flags: str) -> dict[str, Any]:
    """Let the callers order the products; with trace flags (00, 01) each within a trace of its own."""
    names = folder / "products.txt"
    names.write_text("\n".join(products))
    found = folder / "result.json"
    command = [sys.executable, "-m", "benchmarks.rest.callers", str(port), str(connections), str(names), str(found)]
    command += flags
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    result: dict[str, Any] = json.loads(found.read_text())
    assert not result["failed"], result["failures"]
    assert len(result["ms"]) == len(products), "every request is answered"
    return result


def processor_seconds(pid: int) -> float:
    """Give the processor time of a process and of the processes it started."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run and print."""
    with chosen() as stores, tempfile.TemporaryDirectory() as folder:
        print(f"flows over REST, {stores} stores: {machine()}")
        home = Path(folder) / "home"
        names = uvloop.run(stocked(home, ALONE + TOGETHER))
        starts = []
        for _ in range(STARTS):
            with server(home) as (_, _, seconds):
                starts.append(seconds)
        line("start of `restock serve` to ready", f"{median(starts) * 1e3:,.0f} ms", "< 1,000 ms")
        with server(home) as (port, pid, _):
            alone = called(port, 1, names[:ALONE], Path(folder))
            p50, p99 = (percentile(alone["ms"], part) for part in (0.5, 0.99))
            line("single flow alone, p50 / p99", f"{p50:.2f} / {p99:.2f} ms", "p50 < 3 ms")
            before = processor_seconds(pid)
            together = called(port, CALLERS, names[ALONE:], Path(folder))
            used = processor_seconds(pid) - before
            p50, p99 = (percentile(together["ms"], part) for part in (0.5, 0.99))
            line(f"{CALLERS} callers", f"{TOGETHER / together['seconds']:,.0f} flows/s", BARS[stores])
            line("  p50 / p99", f"{p50:.1f} / {p99:.1f} ms", "p99 < 40 ms")
            line("  processor time per flow, server", f"{used / TOGETHER * 1e6:.0f} us")
            line("  processor time per flow, callers", f"{together['processor_us']:.0f} us")
        stored = uvloop.run(ordered(home))
        assert stored == len(names), f"{stored} purchase orders for {len(names)} requests"
        line("purchase orders stored, one per request", f"{stored:,}")


if __name__ == "__main__":
    main()
