"""What publishing in Avro costs beside JSON: `python -m benchmarks formats`.

Both formats take turns in one run, on one machine. `publish` is the relay alone, from a full outbox to the log; `orders` and
`flows` are callers of the whole program with its background work, until everything that they caused is published.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvloop

from benchmarks.made_up import load
from benchmarks.orders.accept import orders
from benchmarks.report import line, machine
from restock.app import App, opened
from restock.engine.stream import Record, decode, framing
from restock.orders.port import PlaceRequest
from restock.replenishment.port import FlowRequest
from restock.settings import Settings

FORMATS = ("json", "avro")
ROUNDS = 5
ORDERS = 20_000
BATCH = 100
BATCH_CALLERS = 16
FLOWS = 3_000
CALLERS = 64
MOST = 10.0
"""Per cent by which Avro may slow orders or flows before it could be the default."""

Figures = dict[str, dict[str, list[float]]]


async def published(app: App, figures: list[float]) -> list[Record]:
    """Fill the outbox, then publish all of it; note the rate and give some records."""
    every = orders(ORDERS)
    for start in range(0, ORDERS, BATCH):
        await app.orders.place(PlaceRequest(every[start : start + BATCH]))
    gc.collect()
    begun = time.perf_counter()
    done = await app.relays[0].drain()
    figures.append(done / (time.perf_counter() - begun))
    assert done == ORDERS
    return await app.stream.read("orders", 0, 0, 1_000)


async def ordered(app: App, figures: list[float]) -> None:
    """Place orders in batches beside the background work, until all are published."""
    every = orders(ORDERS)
    waiting = iter([PlaceRequest(every[start : start + BATCH]) for start in range(0, ORDERS, BATCH)])

    async def caller() -> None:
        for request in waiting:
            await app.orders.place(request)

    await timed(app, caller, BATCH_CALLERS, ORDERS, figures)


async def flowed(app: App, names: Iterator[str], figures: list[float]) -> None:
    """Walk flows beside the background work, until all that they did is published."""

    async def caller() -> None:
        for product in names:
            assert (await app.replenishment.flow(FlowRequest(product))).outcome == "ordered"

    await timed(app, caller, CALLERS, FLOWS, figures)


async def timed(app: App, caller: Callable[[], object], callers: int, things: int, figures: list[float]) -> None:
    """Let callers work beside the relays; note the rate once nothing waits to be published."""
    gc.collect()
    relaying = [asyncio.create_task(relay.run()) for relay in app.relays]
    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))  # type: ignore[arg-type]
    while any([(await relay.backlog()).events for relay in app.relays]):  # noqa: ASYNC110 - it waits in a database
        await asyncio.sleep(0.001)
    figures.append(things / (time.perf_counter() - begun))
    for task in relaying:
        task.cancel()
    await asyncio.gather(*relaying, return_exceptions=True)


async def round_of(name: str, figures: Figures) -> list[Record]:
    """Measure one format on a fresh home."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as home:
        settings = Settings(home=Path(home), event_format=name, dispatch_process=False)
        async with opened(settings) as app:
            names = await load(app, FLOWS)
            await app.relays[1].drain()
            records = await published(app, figures["publish"][name])
            await ordered(app, figures["orders"][name])
            await flowed(app, iter(names), figures["flows"][name])
    return records


def per_event(records: dict[str, list[Record]]) -> None:
    """Print what one event costs in bytes and in time."""
    plain, framed = records["json"], records["avro"]
    assert all(one.value is not None and one.value[:1] == framing.MAGIC for one in framed)
    for name, some in records.items():
        line(f"bytes of an order event, {name}", f"{statistics.mean(len(one.value or b'') for one in some):.0f}")
    line("frame an event (JSON to Avro)", _us(lambda one: framing.framed(one.topic, one.value or b""), plain))
    line("read an event, json", _us(decode, plain))
    line("read an event, avro", _us(decode, framed))


def _us(work: Callable[[Record], object], records: list[Record]) -> str:
    best = 1e9
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for one in records:
            work(one)
        best = min(best, (time.perf_counter() - begun) / len(records))
    return f"{best * 1e6:.2f} us"


async def measured() -> None:
    """Run and print."""
    figures: Figures = {what: {name: [] for name in FORMATS} for what in ("publish", "orders", "flows")}
    records: dict[str, list[Record]] = {}
    for _ in range(ROUNDS):
        for name in FORMATS:
            records[name] = await round_of(name, figures)
    per_event(records)
    for what, rates in figures.items():
        plain, framed = (statistics.median(rates[name]) for name in FORMATS)
        slower = (1 - framed / plain) * 100
        line(
            f"{what}, json / avro",
            f"{plain:,.0f} / {framed:,.0f} /s",
            f"{slower:.1f} % slower, default from {MOST:.0f} %",
        )


def main() -> None:
    """Run and print."""
    print(f"formats of events: {machine()}")
    uvloop.run(measured())


if __name__ == "__main__":
    main()
