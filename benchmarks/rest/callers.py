"""The callers: raw sockets and requests made beforehand, so that they cost little on the cores they share with the server.

python -m benchmarks.rest.callers PORT CONNECTIONS FILE-OF-PRODUCTS FILE-FOR-THE-RESULT [TRACE-FLAGS]

With flags (00 or 01) every request brings a trace of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop

WANTED = b'"outcome":"ordered"'


class Caller(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last is whole."""

    def __init__(self, requests: Iterator[tuple[bytes, bytes]], times: list[float], failures: list[str]) -> None:
        self.requests = requests
        self.times = times
        self.failures = failures
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self.product = b""
        self.buffer = b""
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.next()

    def next(self) -> None:
        """Send the next request, or leave."""
        found = next(self.requests, None)
        if found is None:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.product, request = found
        self.began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self.buffer = data = self.buffer + data if self.buffer else data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        at = data.find(b"content-length: ") + 16
        length = int(data[at : data.find(b"\r", at)])
        if len(data) < head + 4 + length:
            return
        self.times.append(time.perf_counter() - self.began)
        if WANTED not in data or self.product not in data:
            self.failures.append(data[:500].decode("utf-8", "replace"))
        self.buffer = b""
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the server left."""
        if not self.done.done():
            self.failures.append(f"connection lost: {exc}")
            self.done.set_result(None)


def request(product: str, number: int, flags: str) -> tuple[bytes, bytes]:
    """Give a product as it stands in the answer, and the request for it."""
    body = json.dumps({"product_id": product}).encode()
    head = b"POST /purchasing/flow HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    if flags:
        head += f"traceparent: 00-{number + 1:032x}-{number + 1:016x}-{flags}\r\n".encode()
    return f'"product_id":"{product}"'.encode(), head + b"content-length: %d\r\n\r\n" % len(body) + body


async def called(port: int, connections: int, products: list[str], flags: str) -> dict[str, object]:
    """Order every product once; give what was measured."""
    requests = iter([request(product, number, flags) for number, product in enumerate(products)])
    times: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    began, cpu = time.perf_counter(), time.process_time()
    callers = [
        (await loop.create_connection(lambda: Caller(requests, times, failures), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(caller.done for caller in callers))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "seconds": took,
        "processor_us": cpu / len(products) * 1e6,
        "ms": [round(each * 1e3, 4) for each in times],
        "failures": failures[:3],
        "failed": len(failures),
    }


if __name__ == "__main__":
    port, connections, names, result, *flags = sys.argv[1:]
    found = uvloop.run(called(int(port), int(connections), Path(names).read_text().split(), "".join(flags)))
    Path(result).write_text(json.dumps(found))
