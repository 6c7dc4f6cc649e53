"""How fast analytics counts events again from the start of the stream: `python -m benchmarks.stream.analytics`.

Each event is counted exactly once: figures, windows, positions and the identifiers of what was counted are committed
together and flushed to the disk. The stream is the embedded log with what the services publish: per order one OrderPlaced
with one to three lines, and a StockReserved for each line. Rates are medians of the rounds, all in one run, beside what the
log alone gives: reading is the floor that no consumer goes below.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.report import line, machine
from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.analytics.consumer import READ, FiguresConsumer
from restock.analytics.store import SCHEMA as ANALYTICS_SCHEMA
from restock.core.clock import SimulatedClock, timestamp
from restock.core.collector import collected_seldom
from restock.core.event import Event
from restock.core.ids import Ids
from restock.engine.stream import SCHEMA, EmbeddedLog, Message, encode

ORDERS = 100_000
CUSTOMERS = 5_000
PRODUCTS = 2_000
PUBLISH = 1_000
PARTITIONS = {"orders": 6, "inventory-updates": 4}
SECONDS_APART = 0.05
"""Twenty orders a second: the run spans an hour and a half of windows."""

ROUNDS = 5
BAR = 350_000
LIVE = (1, 20, 500)
"""Events that come together while the program is live."""

Work = Callable[[], Awaitable[int]]


class Bench:
    """A stream full of events, and a consumer that counts them."""

    def __init__(self, home: Path) -> None:
        self.databases = EmbeddedDatabases(home, {"stream": [SCHEMA], "analytics": [ANALYTICS_SCHEMA]})
        self.clock = SimulatedClock(datetime(2026, 1, 5, 8, tzinfo=UTC))
        self.ids = Ids.seeded(self.clock, 1)
        self.log = EmbeddedLog(self.databases["stream"], self.clock, FilePresence(home))
        self.random = random.Random(1)
        self.orders = 0

    def order(self) -> list[Message]:
        """Make the events of one order."""
        self.clock.advance(timedelta(seconds=SECONDS_APART))
        at = timestamp(self.clock.now())
        drawn = self.random
        customer = f"CUST-{int(CUSTOMERS * drawn.random() ** 2):05}"
        items = [
            {
                "sku": f"SKU-{int(PRODUCTS * drawn.random() ** 2):05}",
                "quantity": drawn.randint(1, 12),
                "price": Decimal(drawn.randint(100, 9999)) / 100,
            }
            for _ in range(drawn.randint(1, 3))
        ]
        total = sum((item["quantity"] * item["price"] for item in items), Decimal(0))  # type: ignore[operator, misc]
        order_id = f"ORD-{self.orders:08X}"
        self.orders += 1
        data = {
            "order_id": order_id,
            "customer_id": customer,
            "items": items,
            "total_amount": total,
            "shipping_address": None,
            "status": "created",
            "created_at": at,
        }
        placed = Event(self.ids.new(), "OrderPlaced", "orders", customer, at, data)
        events = [placed]
        for item in items:
            stock = {
                "event_id": "INV-0011AABB",
                "sku": item["sku"],
                "order_id": order_id,
                "change": -item["quantity"],  # type: ignore[operator]
                "new_quantity": 400,
                "status": "Reserved",
                "timestamp": at,
                "version": self.orders,
                "received_total": 0,
                "warehouse_id": "WH-001",
            }
            key = str(item["sku"])
            events.append(Event(self.ids.new(), "StockReserved", "inventory-updates", key, at, stock, placed.event_id))
        return [Message(one.topic, one.key, encode(one), {"event-id": one.event_id}) for one in events]

    async def fill(self) -> dict[str, int]:
        """Publish the events of all orders; give how many each topic holds."""
        for topic, partitions in PARTITIONS.items():
            await self.log.create_topic(topic, partitions)
        for _ in range(0, ORDERS, PUBLISH):
            await self.log.publish([message for _ in range(PUBLISH) for message in self.order()])
        return {topic: await self.held(topic) for topic in PARTITIONS}

    async def held(self, topic: str) -> int:
        """Give the records of a topic."""
        return sum(high for _, high in (await self.log.watermarks(topic)).values())

    async def read(self) -> int:
        """Only read."""
        count = 0
        for topic in PARTITIONS:
            for partition, (low, high) in (await self.log.watermarks(topic)).items():
                offset = low
                while offset < high:
                    records = await self.log.read(topic, partition, offset, READ)
                    count += len(records)
                    offset = records[-1].offset + 1
        return count

    async def counted(self, *topics: str) -> float:
        """Give the events per second of counting topics from their start."""
        consumer = FiguresConsumer(self.log, topics, self.databases["analytics"])
        rates = []
        for _ in range(ROUNDS):
            await consumer.rebuild()
            start = time.perf_counter()
            done = await consumer.drain()
            rates.append(done / (time.perf_counter() - start))
        return statistics.median(rates)

    async def again(self) -> float:
        """Give the events per second when every one was counted before: an operator set the group back."""
        consumer = FiguresConsumer(self.log, list(PARTITIONS), self.databases["analytics"])
        consumer.group = "set-back"  # type: ignore[misc]  # a group that committed nothing begins at the start
        start = time.perf_counter()
        done = await consumer.drain()
        return done / (time.perf_counter() - start)

    async def live(self, together: int) -> float:
        """Give the milliseconds from orders in the stream to their figures, when so many come together."""
        consumer = FiguresConsumer(self.log, list(PARTITIONS), self.databases["analytics"])
        await consumer.drain()
        took = []
        for _ in range(50):
            await self.log.publish([message for _ in range(together) for message in self.order()])
            start = time.perf_counter()
            await consumer.drain()
            took.append(time.perf_counter() - start)
        return statistics.median(took) * 1e3


async def rate(work: Work) -> float:
    """Give the median of things per second."""
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        done = await work()
        rates.append(done / (time.perf_counter() - start))
    return statistics.median(rates)


async def measure(home: Path) -> None:
    """Print every rate."""
    bench = Bench(home)
    held = await bench.fill()
    gc.collect()
    with collected_seldom():
        print(f"Analytics in replay: {held['orders']:,} orders, {held['inventory-updates']:,} stock events")
        line("events read from the log, nothing done with them", f"{await rate(bench.read):,.0f} /s")
        line("events counted, exactly once", f"{await bench.counted(*PARTITIONS):,.0f} /s", f"bar {BAR:,} /s")
        line("orders alone counted, exactly once", f"{await bench.counted('orders'):,.0f} /s")
        line("stock events alone counted", f"{await bench.counted('inventory-updates'):,.0f} /s")
        await bench.counted(*PARTITIONS)
        line("events delivered again, all known", f"{await bench.again():,.0f} /s")
        for together in LIVE:
            line(f"{together} orders at once, until they are counted", f"{await bench.live(together):.1f} ms")
    await bench.databases.close()


def main() -> None:
    """Measure in a temporary folder."""
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
