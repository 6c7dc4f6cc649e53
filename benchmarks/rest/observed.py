"""What watching costs: flows over REST with everything that can be told, against a server that tells nothing, in turns.

Three servers, each with stores of its own, take turns with the same number of flows:

    silent    as it is started by default: counters, the log of what is wrong
    told      a JSON line per request and run, every request within a trace that is not sampled, /metrics read each second
    sampled   the same, every trace sampled and every span sent to a collector by OTLP

python -m benchmarks.rest.observed
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.report import line, machine
from benchmarks.rest.flows import CALLERS, called, processor_seconds, server, stocked

ROUNDS = 7
FLOWS = 2_000
SETTLE_SECONDS = 0.5
"""Between two turns: what the flows before left for the background must not be charged to the next server."""

TOLD = {"RESTOCK_LOG_LEVEL": "info"}


class Collector(BaseHTTPRequestHandler):
    """Takes spans, and counts them."""

    spans = 0

    def do_POST(self) -> None:
        """Take a request."""
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).spans += body.count(b'"spanId"')
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def collector() -> Iterator[str]:
    """Give the address of a collector."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as taking:
        threading.Thread(target=taking.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{taking.server_port}"
        taking.shutdown()


@contextmanager
def scraped(port: int) -> Iterator[None]:
    """Read /metrics each second, as often as nobody's Prometheus does."""
    ended = threading.Event()

    def scrape() -> None:
        while not ended.wait(1.0):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Run and print."""
    print(f"what watching costs: {machine()}")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        endpoint = stack.enter_context(collector())
        kinds: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
            "silent": ({}, ()),
            "told": (TOLD, ("00",)),
            "sampled": ({**TOLD, "RESTOCK_OTLP_ENDPOINT": endpoint}, ("01",)),
        }
        running: dict[str, tuple[int, int]] = {}
        for kind, (environment, _) in kinds.items():
            products = uvloop.run(stocked(folder / kind, ROUNDS * FLOWS))
            log = stack.enter_context((folder / f"{kind}.log").open("wb"))
            port, pid, _ = stack.enter_context(server(folder / kind, log, **environment))
            running[kind] = (port, pid)
        rates: dict[str, list[float]] = {kind: [] for kind in kinds}
        used: dict[str, list[float]] = {kind: [] for kind in kinds}
        for turn in range(ROUNDS):
            part = products[turn * FLOWS : (turn + 1) * FLOWS]
            order = list(kinds)[turn % len(kinds) :] + list(kinds)[: turn % len(kinds)]
            for kind in order:
                port, pid = running[kind]
                before = processor_seconds(pid)
                with ExitStack() as beside:
                    if kind != "silent":
                        beside.enter_context(scraped(port))
                    found = called(port, CALLERS, part, folder, *kinds[kind][1])
                rates[kind].append(FLOWS / found["seconds"])
                time.sleep(SETTLE_SECONDS)
                used[kind].append((processor_seconds(pid) - before) / FLOWS * 1e6)
        told(rates, used)
        check(folder)


def told(rates: dict[str, list[float]], used: dict[str, list[float]]) -> None:
    """Print rates, and what each costs against the silent server in the same turn."""
    for kind, found in rates.items():
        costs = [1 - rate / silent for rate, silent in zip(found, rates["silent"], strict=True)]
        bar = {"told": "costs <= 20 % of the rate"}.get(kind, "")
        line(f"{kind}, {CALLERS} callers", f"{median(found):,.0f} flows/s", bar)
        line("  processor time per flow, background too", f"{median(used[kind]):.0f} us")
        if kind != "silent":
            line("  costs, median of the turns", f"{median(costs):.1%} of the rate")


def check(folder: Path) -> None:
    """Look that everything was told: a line per request and run, and spans for sampled traces only."""
    for kind in ("told", "sampled"):
        lines = [json.loads(text) for text in (folder / f"{kind}.log").read_bytes().splitlines()]
        for event in ("request", "run"):
            found = sum(1 for each in lines if each["event"] == event and each.get("trace_id"))
            assert found >= ROUNDS * FLOWS, f"{kind}: {found} lines of {event}"
    line("spans that reached the collector", f"{Collector.spans:,}")


if __name__ == "__main__":
    main()
