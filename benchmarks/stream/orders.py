"""Orders over REST, each acknowledged after its flush: one server as people start it, callers in another process.

First acceptance alone: another process owns the background work, so the events wait in the outbox as they would while the
stream is away. Then everything live in the one server: relays, inventory, replenishment and analytics beside acceptance, and
how long they take to catch up. The callers share the two cores with it.

python -m benchmarks orders-rest
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.report import ROOT, line, machine, percentile
from benchmarks.rest.flows import processor_seconds, server
from restock.adapters.database.embedded import exclusive
from restock.app import opened
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.settings import Settings

BATCH, BATCHED, BATCH_CALLERS = 100, 200_000, 16
SINGLES, CALLERS = 30_000, 64
LIVE = 60_000
PRODUCTS = 500
ROUNDS = 3
PATIENCE_SECONDS = 120


async def stocked(home: Path) -> None:
    """Count the products; nothing is known that would make anybody order them."""
    async with opened(Settings(home=home)) as app:
        counts = [StockCount(f"PROD-{n:03d}", Decimal(100_000)) for n in range(PRODUCTS)]
        await app.inventory.put_stock(PutStockRequest(counts))
        await app.settle()


def called(port: int, connections: int, batch: int, count: int, folder: Path) -> dict[str, Any]:
    """Let the callers send so many orders."""
    found = folder / "result.json"
    numbers = [str(each) for each in (port, connections, batch, count)]
    command = [sys.executable, "-m", "benchmarks.stream.order_callers", *numbers, str(found)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=PATIENCE_SECONDS)
    result: dict[str, Any] = json.loads(found.read_text())
    assert not result["failures"], result["failures"]
    assert result["accepted"] == count, "every order is accepted"
    return result


def asked(port: int, path: str) -> dict[str, Any]:
    """Ask the server."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_SECONDS) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def measured(folder: Path, *, live: bool) -> dict[str, dict[str, Any]]:
    """Give what was measured on a new home."""
    home = folder / "home"
    uvloop.run(stocked(home))
    results: dict[str, dict[str, Any]] = {}
    owned = nullcontext() if live else exclusive(home, "background", "The benchmark owns it already.")
    runs = {"live": (BATCH_CALLERS, BATCH, LIVE)} if live else {
        "batches": (BATCH_CALLERS, BATCH, BATCHED),
        "singly": (CALLERS, 1, SINGLES),
    }  # fmt: skip
    with owned, server(home) as (port, pid, _):
        sent = 0
        for name, (connections, batch, count) in runs.items():
            before, began = processor_seconds(pid), time.perf_counter()
            result = results[name] = called(port, connections, batch, count, folder)
            sent += count
            result["server_us"] = (processor_seconds(pid) - before) / count * 1e6
            result["rate"] = count / result["seconds"]
            assert asked(port, "/stats")["orders_produced"] == sent, "what was acknowledged is there"
            while live and asked(port, "/api/v1/figures")["orders"] < sent:
                time.sleep(0.05)
            result["behind"] = time.perf_counter() - began - result["seconds"]
    return results


def best(rounds: list[dict[str, dict[str, Any]]], name: str) -> dict[str, Any]:
    """Give the round with the highest rate: what the program can do while others leave it the machine."""
    return max((one[name] for one in rounds), key=lambda one: one["rate"])


def show(what: str, one: dict[str, Any], bar: str, times_bar: str = "") -> None:
    """Print a run."""
    line(what, f"{one['rate']:,.0f} orders/s", bar)
    p50, p99 = (percentile(one["ms"], part) for part in (0.5, 0.99))
    line("  p50 / p99 of a request", f"{p50:.1f} / {p99:.1f} ms", times_bar)
    line("  processor time of an order, server", f"{one['server_us']:.1f} us")
    line("  processor time of an order, callers", f"{one['processor_us']:.1f} us")


def main() -> None:
    """Run and print."""
    print(machine())
    print(f"Orders over REST, acknowledged after the flush, best of {ROUNDS}:")
    alone, live = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            alone.append(measured(Path(folder), live=False))
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            live.append(measured(Path(folder), live=True))
    show(f"POST /orders/batch of {BATCH}, {BATCH_CALLERS} callers", best(alone, "batches"), ">= 60,000/s")
    show(f"POST /orders, {CALLERS} callers", best(alone, "singly"), ">= 6,000/s", "p99 < 30 ms")
    show(f"all live in one process, batches of {BATCH}", best(live, "live"), ">= 25,000/s")
    line("  until inventory and figures had caught up", f"{best(live, 'live')['behind']:.1f} s")


if __name__ == "__main__":
    main()
