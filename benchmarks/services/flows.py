"""Flows through seven processes over gRPC, beside the same flows in one process and a chain of calls that do nothing.

python -m benchmarks services [--stores mysql]
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import grpc
import uvloop

from benchmarks.report import ROOT, line, machine, percentile
from benchmarks.rest.flows import called, ordered, processor_seconds, server, stocked
from benchmarks.stores import chosen

SEVEN = ("oms", "inventory", "supplier", "uom", "rule-engine", "po", "orchestrator")

ALONE = 500
FEW, MANY = 12_000, 24_000
BATCH, BATCHES = 1_000, 6
CHAIN = 2_000
STARTS = 3


class Process(NamedTuple):
    """A service that runs."""

    name: str
    pid: int
    rest: int
    grpc: int
    started: float


def free_ports(count: int) -> list[int]:
    """Give ports that nobody has."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]


@contextmanager
def seven(home: Path) -> Iterator[dict[str, Process]]:
    """Run the services one after the other, so that each has the machine for its start."""
    ports = dict(zip(SEVEN, zip(free_ports(len(SEVEN)), free_ports(len(SEVEN)), strict=True), strict=True))
    neighbours = {
        f"RESTOCK_{name.replace('-', '_').upper()}_GRPC_URL": f"127.0.0.1:{port}" for name, (_, port) in ports.items()
    }
    processes: list[subprocess.Popen[str]] = []
    found = {}
    try:
        for name, (rest, port) in ports.items():
            began = time.perf_counter()
            environment = {"RESTOCK_HOME": str(home), "RESTOCK_PORT": str(rest), "RESTOCK_GRPC_PORT": str(port)}
            process = subprocess.Popen(
                [sys.executable, "-m", "restock", "serve", name],
                env={**os.environ, **neighbours, **environment},
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                text=True,
            )
            processes.append(process)
            _until_ready(rest)
            found[name] = Process(name, process.pid, rest, port, time.perf_counter() - began)
        yield found
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(60) for process in processes]
    assert not any(codes), f"the services ended with {codes}"


def _until_ready(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.005)
    raise AssertionError(f"nothing is ready at {port}")


def memory_mib(pid: int) -> float:
    """Give the memory that a process holds."""
    for each in Path(f"/proc/{pid}/status").read_text().splitlines():
        if each.startswith("VmRSS"):
            return int(each.split()[1]) / 1024
    return 0.0


def batched(port: int, products: Sequence[str]) -> float:
    """Send products in one request; give the seconds."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/purchasing/flow/batch",
        json.dumps({"products": list(products)}).encode(),
        {"content-type": "application/json"},
    )
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        results = json.loads(answer.read())["results"]
    took = time.perf_counter() - began
    assert [one["outcome"] for one in results] == ["ordered"] * len(products)
    return took


async def chain_ms() -> float:
    """Give the median time of what one flow costs in calls that do nothing: five at once, then two in a row."""

    async def nothing(request: bytes, _context: object) -> bytes:
        return request

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("nothing", {"At": grpc.unary_unary_rpc_method_handler(nothing)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    times = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/nothing/At")
        body = bytes(200)
        for _ in range(CHAIN):
            began = time.perf_counter()
            await asyncio.gather(*(call(body) for _ in range(5)))
            await call(body)
            await call(body)
            times.append(time.perf_counter() - began)
    await server.stop(None)
    return median(times) * 1e3


def measured(port: int, names: list[str], folder: Path, pids: Sequence[int], which: str) -> dict[str, float]:
    """Measure one shape; print it and give the rates."""
    alone = called(port, 1, names[:ALONE], folder)
    p50, p99 = (percentile(alone["ms"], part) for part in (0.5, 0.99))
    line(f"{which}: one flow alone, p50 / p99", f"{p50:.2f} / {p99:.2f} ms", "p50 < 8 ms" if which == "seven" else "")
    found = {"alone": p50}
    start = ALONE
    for callers, count, bars in ((64, FEW, (">= 2,500/s", "p50 < 30, p99 < 60")), (1_000, MANY, (">= 4,000/s", ""))):
        before = [processor_seconds(pid) for pid in pids]
        result = called(port, callers, names[start : start + count], folder)
        used = [processor_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
        start += count
        rate = count / result["seconds"]
        p50, p99 = (percentile(result["ms"], part) for part in (0.5, 0.99))
        told = bars if which == "seven" else ("", "")
        line(f"{which}: {callers:,} callers", f"{rate:,.0f} flows/s", told[0])
        line("  p50 / p99", f"{p50:.1f} / {p99:.1f} ms", told[1])
        each = " ".join(f"{one / count * 1e6:.0f}" for one in used)
        line("  processor us per flow, each process / callers", f"{each} / {result['processor_us']:.0f}")
        found[str(callers)] = rate
    times = [batched(port, names[start + n * BATCH :][:BATCH]) for n in range(BATCHES)]
    found["batch"] = BATCH / median(times)
    line(f"{which}: batch of {BATCH:,}", f"{found['batch']:,.0f} products/s", ">= 6,000/s" if which == "seven" else "")
    return found


def main() -> None:
    """Run and print."""
    wanted = ALONE + FEW + MANY + BATCH * BATCHES
    with chosen() as stores, tempfile.TemporaryDirectory() as folder:
        print(f"flows through seven services, {stores} stores: {machine()}")
        home = Path(folder) / "home"
        names = uvloop.run(stocked(home, 2 * wanted))
        chain = uvloop.run(chain_ms())
        line("a chain of seven calls that do nothing", f"{chain:.2f} ms")
        with seven(home) as services:
            time.sleep(2)
            for each in services.values():
                line(f"  {each.name}: start / idle memory", f"{each.started * 1e3:,.0f} ms / {memory_mib(each.pid):.0f} MiB",
                     "< 1,000 ms / < 120 MiB")  # fmt: skip
            pids = [each.pid for each in services.values()]
            apart = measured(services["orchestrator"].rest, names[:wanted], Path(folder), pids, "seven")
        with server(home) as (port, pid, _):
            whole = measured(port, names[wanted:], Path(folder), [pid], "one")
        for what in ("64", "1000", "batch"):
            line(f"seven against one, {what}", f"{apart[what] / whole[what]:.2f}")
        line(
            "seven against one, alone; against the chain",
            f"{apart['alone'] / whole['alone']:.1f}; {apart['alone'] / chain:.1f}",
        )
        stored = uvloop.run(ordered(home))
        assert stored == len(names), f"{stored} purchase orders for {len(names)} requests"
        line("purchase orders stored, one per request", f"{stored:,}")


if __name__ == "__main__":
    main()
