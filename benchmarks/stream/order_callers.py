"""The callers of the order service: requests made beforehand, so that they cost little on the cores they share with it.

python -m benchmarks.stream.order_callers PORT CONNECTIONS BATCH ORDERS FILE-FOR-THE-RESULT
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import uvloop

from benchmarks.orders.accept import orders
from benchmarks.rest.callers import Caller
from restock.edge.wire import encode

DIFFERENT = 20_000
"""Different orders, sent in turn: a shop sells the same products all day, and orders are never the same ones twice."""


def requests(batch: int) -> list[bytes]:
    """Give whole requests, one per order or per batch."""
    made = [{"customer_id": one.customer_id, "items": one.items} for one in orders(DIFFERENT)]
    if batch == 1:
        return [request("/orders", encode(one)) for one in made]
    return [
        request("/orders/batch", encode({"orders": made[start : start + batch]}))
        for start in range(0, DIFFERENT, batch)
    ]


def request(path: str, body: bytes) -> bytes:
    """Give the bytes of a request."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


class OrderCaller(Caller):
    """One connection; an answer must hold so many accepted orders."""

    wanted = 1
    accepted = 0

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self.buffer = data = self.buffer + data if self.buffer else data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        at = data.find(b"content-length: ") + 16
        if len(data) < head + 4 + int(data[at : data.find(b"\r", at)]):
            return
        self.times.append(time.perf_counter() - self.began)
        found = data.count(b'"order_id":"ORD-')
        OrderCaller.accepted += found
        if found != self.wanted:
            self.failures.append(data[:500].decode("utf-8", "replace"))
        self.buffer = b""
        self.next()


async def called(port: int, connections: int, batch: int, count: int) -> dict[str, object]:
    """Send so many orders; give what was measured."""
    every: Iterator[tuple[bytes, bytes]] = islice(((b"", each) for each in cycle(requests(batch))), count // batch)
    OrderCaller.wanted = batch
    times: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    began, cpu = time.perf_counter(), time.process_time()
    callers = [
        (await loop.create_connection(lambda: OrderCaller(every, times, failures), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(caller.done for caller in callers))
    took = time.perf_counter() - began
    return {
        "seconds": took,
        "accepted": OrderCaller.accepted,
        "processor_us": (time.process_time() - cpu) / count * 1e6,
        "ms": [round(each * 1e3, 4) for each in times],
        "failures": failures[:3],
    }


if __name__ == "__main__":
    port, connections, batch, count = (int(each) for each in sys.argv[1:5])
    Path(sys.argv[5]).write_text(json.dumps(uvloop.run(called(port, connections, batch, count))))
