"""Rates of the stream on a real Kafka broker: `RESTOCK_KAFKA=HOST:PORT python -m benchmarks.stream.kafka`.

The broker of `scripts/kafka` flushes every batch to the disk, on the same machine. The last column compares with the bar of
the product; each line is the best of three rounds, because the broker's virtual machine is warm only then.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from restock.adapters.kafka.stream import KafkaStream
from restock.core.clock import SimulatedClock
from restock.core.collector import collected_seldom
from restock.core.ids import Ids
from restock.engine.stream import Message, Record

ROUNDS = 3
PARTITIONS = 6
RECORDS = 300_000
BATCH = 10_000
"""Records of a publish and of a poll: the most the port takes."""

CALLERS = 4
PUBLISH_BAR, CONSUME_BAR = 150_000, 300_000
"""Records a second that issue 4 asks for."""


def messages(count: int) -> list[Message]:
    """Give messages over 500 products, each with its event id and 126 bytes, the size of a published order event."""
    ids = Ids.seeded(SimulatedClock(datetime(2026, 1, 5, 8, tzinfo=UTC)), 1).many(count)
    made = []
    for number, event_id in enumerate(ids):
        key = f"PROD-{number % 500:03d}"
        value = (
            f'{{"event_id":"{event_id}","sku":"{key}","order_id":"ORD-{number * 2654435761 % 2**32:08X}","quantity":'
        )
        made.append(Message("orders", key, f"{value}{number % 12:>20}}}".encode(), {"event-id": event_id}))
    return made


Work = Callable[[], Awaitable[float]]
"""Does something and gives the records a second."""


async def best(work: Work) -> float:
    """Give the most of some rounds."""
    return max([await work() for _ in range(ROUNDS)])


class Bench:
    """One topic on the broker."""

    def __init__(self, stream: KafkaStream) -> None:
        self.stream = stream

    def publish(self, batch: int, callers: int, total: int) -> Work:
        """Publish so many records in batches, by so many callers at once."""
        mine = messages(batch)

        async def caller() -> int:
            rounds = max(1, total // batch // callers)
            for _ in range(rounds):
                await self.stream.publish(mine)
            return rounds * batch

        async def work() -> float:
            start = time.perf_counter()
            done = sum(await asyncio.gather(*(caller() for _ in range(callers))))
            return done / (time.perf_counter() - start)

        return work

    def consume(self, batch: int) -> Work:
        """Let a new group read the topic and commit behind every batch; joining is not counted."""

        async def work() -> float:
            return await self._consumed(batch)

        return work

    async def _consumed(self, batch: int) -> float:
        consumer = self.stream.consumer(f"group-{uuid4().hex}", ["orders"])
        records: list[Record] = []
        while not records:
            records = await consumer.poll(1)
        count, start = 0, time.perf_counter()
        while count < RECORDS:
            records = await consumer.poll(batch)
            if records:
                await consumer.commit({(one.topic, one.partition): one.offset + 1 for one in records})
            count += len(records)
        seconds = time.perf_counter() - start
        await consumer.close()
        return count / seconds


async def measure() -> None:
    """Print every rate."""
    stream = KafkaStream(os.environ["RESTOCK_KAFKA"], prefix=f"bench-{uuid4().hex}.")
    bench = Bench(stream)
    await stream.create_topic("orders", PARTITIONS)
    lines = [
        (f"publish, {BATCH:,} per publish, {CALLERS} callers", bench.publish(BATCH, CALLERS, RECORDS), PUBLISH_BAR),
        ("publish, 100 per publish, 64 callers", bench.publish(100, 64, RECORDS // 3), PUBLISH_BAR),
        (f"consume and commit per {BATCH:,}", bench.consume(BATCH), CONSUME_BAR),
        ("consume and commit per 1,000", bench.consume(1_000), CONSUME_BAR),
    ]
    for name, work, bar in lines:
        with collected_seldom():  # as in the server
            rate = await best(work)
        print(f"{name:<44}{rate:>12,.0f} /s{rate / bar:>8.2f} of {bar:,}")
    await stream.close()


if __name__ == "__main__":
    asyncio.run(measure())
