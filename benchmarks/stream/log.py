"""Rates of the embedded log on this machine, every publish flushed to the disk: `python -m benchmarks.stream.log`.

Each line is the median of five rounds. The last column compares with one record per publish by one caller, the price of
one flush, because disks differ more than programs do.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy import MetaData

from benchmarks.report import line, machine
from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SystemClock
from restock.core.event import Event
from restock.engine.database import Transaction
from restock.engine.stream import SCHEMA, EmbeddedLog, Message, Outbox, Relay, outbox_table

ROUNDS = 5
PARTITIONS = 6
VALUE = b"x" * 126
"""The size of a published order event."""

CALLERS = 64
RECORDS = 20_000
READ = 1_000
EVENTS = 20_000

BARS = {
    "publish, 100 records, 8 callers": "; >= 120,000/s",
    "consume and commit per 1,000": "; >= 400,000/s",
}

Work = Callable[[], Awaitable[int]]


def messages(count: int) -> list[Message]:
    """Give messages over 500 products, each with its event id."""
    return [Message("orders", f"PROD-{n % 500:03d}", VALUE, {"event-id": f"{n:036d}"}) for n in range(count)]


async def rate(work: Work) -> float:
    """Give the median of things per second."""
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        done = await work()
        rates.append(done / (time.perf_counter() - start))
    return statistics.median(rates)


class Bench:
    """The log and an outbox in a folder that is thrown away."""

    def __init__(self, home: Path) -> None:
        self.databases = EmbeddedDatabases(home, {"stream": [SCHEMA]})
        self.log = EmbeddedLog(self.databases["stream"], SystemClock(), FilePresence(home))
        self.outbox = Outbox(outbox_table(MetaData()))

    def publish(self, batch: int, callers: int, total: int) -> Work:
        """Publish so many records in batches, by so many callers at once."""
        batches = [messages(batch) for _ in range(callers)]

        async def caller(mine: list[Message]) -> int:
            rounds = max(1, total // batch // callers)
            for _ in range(rounds):
                await self.log.publish(mine)
            return rounds * batch

        async def work() -> int:
            return sum(await asyncio.gather(*(caller(mine) for mine in batches)))

        return work

    async def read(self) -> int:
        """Read the topic from the start."""
        count = 0
        for partition, (low, high) in (await self.log.watermarks("orders")).items():
            offset = low
            while offset < high:
                records = await self.log.read("orders", partition, offset, READ)
                count += len(records)
                offset = records[-1].offset + 1
        return count

    async def consume(self) -> int:
        """Be a member of a new group that consumes the topic from the start and commits durably behind every read."""
        member = self.log.consumer(f"group-{time.monotonic_ns()}", ["orders"])
        count = 0
        while records := await member.poll(READ):
            count += len(records)
            reached = {(record.topic, record.partition): record.offset + 1 for record in records}
            await member.commit(reached)
        await member.close()
        return count

    async def relay(self, home: Path, name: str) -> float:
        """Give the events per second from an outbox in a database of its own to the log, publish and delete flushed."""
        folder = home / f"{name}-migrations"
        folder.mkdir()
        (folder / "0001_outbox.py").write_text(
            "from alembic import op\nfrom restock.engine.stream.tables import batch_outbox, create_outbox\n"
            "revision = '0001'\ndown_revision = None\n\n\ndef upgrade():\n    create_outbox(op)\n    batch_outbox(op)\n"
        )
        from restock.engine.database.migrate import Schema

        databases = EmbeddedDatabases(home / name, {"shop": [Schema("shop", folder)]})
        shop = databases["shop"]
        relay = Relay(shop, self.outbox, self.log)
        events = [
            Event(f"{n:036d}", "StockChanged", "orders", f"PROD-{n % 500:03d}", "2026-01-05T08:00:00Z", {"on_hand": n})
            for n in range(EVENTS)
        ]

        async def add(tx: Transaction) -> None:
            await self.outbox.add(tx, events)

        rates = []
        for _ in range(ROUNDS):
            await shop.write("add", add)
            start = time.perf_counter()
            done = await relay.drain()
            rates.append(done / (time.perf_counter() - start))
        await databases.close()
        return statistics.median(rates)


async def measure(home: Path) -> None:
    """Print every rate."""
    bench = Bench(home)
    await bench.log.create_topic("orders", PARTITIONS)
    single = await rate(bench.publish(1, 1, 1_000))
    lines = [
        ("publish, 1 record, 1 caller", single),
        (f"publish, 1 record, {CALLERS} callers", await rate(bench.publish(1, CALLERS, RECORDS))),
        ("publish, 100 records, 1 caller", await rate(bench.publish(100, 1, RECORDS))),
        ("publish, 100 records, 8 callers", await rate(bench.publish(100, 8, RECORDS * 4))),
        ("publish, 1,000 records, 1 caller", await rate(bench.publish(1_000, 1, RECORDS))),
        ("relay, outbox to log", await bench.relay(home, "relay")),
        ("read", await rate(bench.read)),
        ("consume and commit per 1,000", await rate(bench.consume)),
    ]
    print(f"embedded log: {machine()}")
    for name, value in lines:
        line(name, f"{value:,.0f}/s", f"{value / single:.1f} x one record by one caller{BARS.get(name, '')}")
    await bench.databases.close()


def main() -> None:
    """Measure in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
