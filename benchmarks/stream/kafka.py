"""Rates of the stream on a real Kafka broker: `RESTOCK_KAFKA=HOST:PORT python -m benchmarks.stream.kafka`.

The broker of `scripts/kafka` flushes every batch to the disk, on the same machine. The last column compares with the bar of
the product; each line is the best of three rounds, because the broker's virtual machine is warm only then.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

from restock.adapters.kafka.stream import KafkaStream
from restock.engine.stream import Message

ROUNDS = 3
PARTITIONS = 6
VALUE = b"x" * 126
"""The size of a published order event."""

RECORDS = 300_000
BATCH = 10_000
"""Records of a publish and of a poll: the most the port takes."""

CALLERS = 4
PUBLISH_BAR, CONSUME_BAR = 150_000, 300_000
"""Records a second that issue 4 asks for."""


def messages(count: int) -> list[Message]:
    """Give messages over 500 products, each with its event id."""
    return [Message("orders", f"PROD-{n % 500:03d}", VALUE, {"event-id": f"{n:036d}"}) for n in range(count)]


async def best(work: Callable[[], Awaitable[int]]) -> float:
    """Give the most things per second."""
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        done = await work()
        rates.append(done / (time.perf_counter() - start))
    return max(rates)


class Bench:
    """One topic on the broker."""

    def __init__(self, stream: KafkaStream) -> None:
        self.stream = stream

    def publish(self, batch: int, callers: int, total: int) -> Callable[[], Awaitable[int]]:
        """Publish so many records in batches, by so many callers at once."""
        mine = messages(batch)

        async def caller() -> int:
            rounds = max(1, total // batch // callers)
            for _ in range(rounds):
                await self.stream.publish(mine)
            return rounds * batch

        async def work() -> int:
            return sum(await asyncio.gather(*(caller() for _ in range(callers))))

        return work

    def consume(self, batch: int) -> Callable[[], Awaitable[int]]:
        """Let a new group read the topic and commit behind every batch; joining is not counted."""

        async def work() -> int:
            return await self._consumed(batch)

        return work

    async def _consumed(self, batch: int) -> int:
        consumer = self.stream.consumer(f"group-{uuid4().hex}", ["orders"])
        count = 0
        while count < RECORDS:
            records = await consumer.poll(batch)
            if records:
                await consumer.commit({(one.topic, one.partition): one.offset + 1 for one in records})
            count += len(records)
        await consumer.close()
        return count


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
        rate = await best(work)
        print(f"{name:<44}{rate:>12,.0f} /s{rate / bar:>8.2f} of {bar:,}")
    await stream.close()


if __name__ == "__main__":
    asyncio.run(measure())
