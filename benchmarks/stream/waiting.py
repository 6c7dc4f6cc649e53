"""The memory of who publishes and who consumes while millions of records wait: it must stay flat.

Orders are published to the embedded log while nobody consumes; then inventory and analytics start, each in a process of its
own, and work through all of them. Every process tells its resident memory (VmRSS) on the way. Takes minutes and gigabytes
of disk, which it gives back.

python -m benchmarks.stream.waiting [RECORDS]
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import uvloop

from benchmarks.report import ROOT, machine
from restock.app import App, opened
from restock.core.clock import timestamp
from restock.core.collector import collected_seldom
from restock.core.event import Event
from restock.engine.stream import Message, encode
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.orders.port import TOPIC
from restock.settings import Settings

RECORDS = 5_000_000
SHOWN = 10
"""How often each process tells, beside its start."""

BATCH = 1_000
PRODUCTS = 500
CUSTOMERS = 5_000
APART = timedelta(milliseconds=20)
"""Between two orders, so that they span a day of windows."""

GROWTH = 1.1
"""How much larger the memory may be at the end than half way, when every buffer and every bounded memory is full."""

WORK = {"publish": "", "inventory": "inventory.orders", "analytics": "analytics"}
"""The processes, with the group of those that consume."""


def resident_mb() -> float:
    """Give this process's resident memory."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


async def published(app: App, count: int) -> AsyncIterator[int]:
    """Publish so many orders; give how many are there, batch by batch."""
    counts = [StockCount(f"PROD-{n:03d}", Decimal(100_000_000)) for n in range(PRODUCTS)]
    await app.inventory.put_stock(PutStockRequest(counts))
    began, values = app.clock.now() - count * APART, [order(f"PROD-{number:03d}") for number in range(PRODUCTS)]
    for start in range(0, count, BATCH):
        at = timestamp(began + start * APART).encode()
        messages = []
        for number, event_id in enumerate(app.ids.many(BATCH), start):
            customer = f"CUST-{number * 7919 % CUSTOMERS:05}"
            value = values[number % PRODUCTS].replace(b"EVENT-ID", event_id.encode()).replace(b"MOMENT", at)
            value = value.replace(b"ORD-NUMBER", b"ORD-%08X" % number).replace(b"CUSTOMER", customer.encode())
            messages.append(Message(TOPIC, customer, value, {"event-id": event_id}))
        await app.stream.publish(messages)
        yield start + BATCH


def order(sku: str) -> bytes:
    """Give the event of an order, with names in the places of what differs: encoding millions would take the most time."""
    data = {
        "order_id": "ORD-NUMBER",
        "customer_id": "CUSTOMER",
        "items": [{"sku": sku, "quantity": 2, "price": Decimal("2.50")}],
        "total_amount": Decimal("5.00"),
        "shipping_address": None,
        "status": "created",
        "created_at": "MOMENT",
    }
    return encode(Event("EVENT-ID", "OrderPlaced", TOPIC, "CUSTOMER", "MOMENT", data))


async def consumed(app: App, group: str, count: int) -> AsyncIterator[int]:
    """Let one consumer work through the orders; give how many it is done with."""
    (subscriber,) = (one for one in app.subscribers if one.group == group)
    task = asyncio.create_task(subscriber.run())
    done = 0
    while done < count:
        await asyncio.sleep(0.2)
        assert subscriber.problem is None, subscriber.problem
        done = sum((await app.stream.committed(group, TOPIC)).values())
        yield done
    task.cancel()
    await asyncio.wait([task])


async def work(name: str, home: Path, count: int) -> None:
    """Be one of the processes: a line of JSON for each step."""
    async with opened(Settings(home=home)) as app:
        began, step, told = time.perf_counter(), count // SHOWN, 0
        progress = published(app, count) if name == "publish" else consumed(app, WORK[name], count)
        async for done in progress:
            if done // step > told:
                told = done // step
                row = {"records": done, "seconds": time.perf_counter() - began, "mb": resident_mb()}
                print(json.dumps(row), flush=True)


def started(name: str, home: Path, count: int) -> subprocess.Popen[str]:
    """Start one of the processes."""
    command = [sys.executable, "-m", "benchmarks.stream.waiting", str(count), name, str(home)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def shown(name: str, process: subprocess.Popen[str]) -> None:
    """Print what a process told once it has ended, and refuse memory that grew."""
    output, _ = process.communicate()
    assert process.returncode == 0, f"{name} ended with {process.returncode}"
    rows = [json.loads(each) for each in output.splitlines()]
    print(f"  {name}: {rows[-1]['records'] / rows[-1]['seconds']:,.0f} records/s, resident MB by records done")
    print("    " + "  ".join(f"{row['records'] / 1e6:.1f}M {row['mb']:.0f}" for row in rows), flush=True)
    half, last = rows[len(rows) // 2 - 1]["mb"], rows[-1]["mb"]
    assert last <= half * GROWTH, f"{name} grew from {half:.0f} to {last:.0f} MB"


def main(count: int = RECORDS) -> None:
    """Run and print."""
    print(machine())
    print(f"Memory while {count:,} records wait in the embedded log, and while they are worked through:")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        home = Path(folder) / "home"
        shown("publish", started("publish", home, count))
        consumers = {name: started(name, home, count) for name, group in WORK.items() if group}
        for name, process in consumers.items():
            shown(name, process)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        with collected_seldom():
            uvloop.run(work(sys.argv[2], Path(sys.argv[3]), int(sys.argv[1])))
    else:
        main(*(int(each) for each in sys.argv[1:]))
