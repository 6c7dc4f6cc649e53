"""Stock reserved in replay, events and outbox committed: `python -m benchmarks inventory`.

Orders of one to three items stand in the embedded log, as much as a busy hour leaves; inventory has consumed none of them.
What is measured is the consumer as it runs: records read and decoded, the inbox asked, stock reserved, an event per item
written to the outbox, all of it committed with a flush, the position behind it. The second line leaves out what the stream
does and hands the decoded events over, in units of the same size.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from benchmarks.orders.accept import orders
from benchmarks.report import line, machine
from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SystemClock
from restock.core.event import Event
from restock.core.ids import Ids
from restock.engine.database import Transaction
from restock.engine.stream import SCHEMA as STREAM
from restock.engine.stream import EmbeddedLog, Relay, Subscriber
from restock.inventory import store
from restock.inventory.consumer import ORDERS_AT_ONCE, ORDERS_BATCH, InventoryConsumer, OrderPlaced, order_in
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.inventory.service import InventoryService
from restock.orders.port import TOPIC, PlaceRequest
from restock.orders.service import OrdersService
from restock.orders.store import OUTBOX_EVENTS
from restock.orders.tables import SCHEMA as ORDERS

COUNT = 60_000
PRODUCTS = 500
PARTITIONS = 6
BAR = 150_000
ROUNDS = 3


async def prepared(home: Path) -> tuple[EmbeddedDatabases, EmbeddedLog, InventoryConsumer, int]:
    """Place the orders and publish their events; give what consumes them and the number of items."""
    databases = EmbeddedDatabases(home, {"oms": [ORDERS], "stream": [STREAM], "inventory": [store.SCHEMA]})
    clock = SystemClock()
    ids = Ids(clock)
    log = EmbeddedLog(databases["stream"], clock, FilePresence(home))
    await log.create_topic(TOPIC, PARTITIONS)
    place = OrdersService(databases["oms"], clock, ids).place
    every = orders(COUNT)
    for start in range(0, COUNT, 1000):
        await place(PlaceRequest(every[start : start + 1000]))
    await Relay(databases["oms"], OUTBOX_EVENTS, log).drain()
    service = InventoryService(databases["inventory"], clock, ids)
    await service.put_stock(PutStockRequest([StockCount(f"PROD-{n:03d}", Decimal(400)) for n in range(PRODUCTS)]))
    return databases, log, InventoryConsumer(service, clock), sum(len(one.items) for one in every)


async def replayed() -> float:
    """Give the items reserved per second by the subscriber."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        databases, log, consumer, items = await prepared(Path(folder))
        subscriber = Subscriber(
            log,
            "inventory.orders",
            [TOPIC],
            consumer.on_orders,
            databases["inventory"],
            store.ORDERS_INBOX,
            batch=ORDERS_BATCH,
            at_once=ORDERS_AT_ONCE,
            reading=order_in,
        )
        gc.collect()
        start = time.perf_counter()
        await subscriber.drain()
        seconds = time.perf_counter() - start
        await databases.close()
    return items / seconds


async def handed_over() -> float:
    """Give the items reserved per second when the decoded events are given to the consumer."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        databases, log, consumer, items = await prepared(Path(folder))
        events: list[Event | OrderPlaced] = []
        for partition, (low, high) in (await log.watermarks(TOPIC)).items():
            for offset in range(low, high, 1000):  # the embedded log leaves no gaps
                events += map(order_in, await log.read(TOPIC, partition, offset, 1000))
        gc.collect()
        start = time.perf_counter()
        for first in range(0, len(events), ORDERS_BATCH):

            async def unit(
                tx: Transaction, part: Sequence[Event | OrderPlaced] = events[first : first + ORDERS_BATCH]
            ) -> None:
                await consumer.on_orders(tx, part)

            await databases["inventory"].write("consume", unit)
        seconds = time.perf_counter() - start
        await databases.close()
    return items / seconds


async def run() -> dict[str, float]:
    """Give the best of some rounds of each: what the program can do while others leave it the machine."""
    whole, handler = [], []
    for _ in range(ROUNDS):
        whole.append(await replayed())
        handler.append(await handed_over())
    return {"replay, from the log to the outbox": max(whole), "the same without reading and inbox": max(handler)}


def main() -> None:
    """Print the rates beside what is asked for."""
    print(machine())
    print("Items of customer orders reserved, committed with their events:")
    for what, rate in asyncio.run(run()).items():
        line(what, f"{rate:,.0f} items/s", f"asked: {BAR:,}")


if __name__ == "__main__":
    main()
