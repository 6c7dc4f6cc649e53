"""The same question over the published gRPC and the published REST of one server: `python -m benchmarks doors`.

GetHistory and GET /oms/history of one product, by one caller and by 64, taking turns in one run; the processor time is that
of the server alone. Callers share the machine with it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import grpc
import uvloop

from benchmarks.report import line, machine, percentile
from benchmarks.rest.flows import processor_seconds, server, stocked
from benchmarks.services.flows import free_ports
from restock.edge.grpc.messages import message
from restock.edge.load.caller import Caller

ROUNDS = 3
CALLS = {1: 1_000, 64: 10_000}
OK = 200

Ask = Callable[[], Awaitable[None]]


async def asked(pid: int, callers: list[Ask], calls: int) -> tuple[float, float, float]:
    """Let callers share calls; give calls a second, the median in milliseconds, the server's microseconds a call."""
    times: list[float] = []
    left = iter(range(calls))

    async def work(ask: Ask) -> None:
        for _ in left:
            began = time.perf_counter()
            await ask()
            times.append(time.perf_counter() - began)

    before, began = processor_seconds(pid), time.perf_counter()
    await asyncio.gather(*map(work, callers))
    took, used = time.perf_counter() - began, processor_seconds(pid) - before
    return calls / took, percentile(times, 0.5) * 1e3, used / calls * 1e6


def over_rest(port: int, product: str) -> Ask:
    """Give a caller with a connection of its own."""
    caller = Caller(f"http://127.0.0.1:{port}")

    async def ask() -> None:
        assert (await caller.ask("GET", f"/oms/history/{product}")).status == OK

    return ask


def over_grpc(channel: grpc.aio.Channel, product: str) -> Ask:
    """Give a caller that shares a channel, as callers of gRPC do."""
    request, reply = message("oms.HistoryRequest"), message("oms.HistoryResponse")
    method = channel.unary_unary(
        "/oms.OmsService/GetHistory",
        request_serializer=request.SerializeToString,
        response_deserializer=reply.FromString,
    )

    async def ask() -> None:
        assert (await method(request(product_id=product))).avg_daily_demand

    return ask


async def measured(pid: int, rest: int, address: str, product: str) -> None:
    """Take turns, and print."""
    async with grpc.aio.insecure_channel(address) as channel:
        for count, calls in CALLS.items():
            doors = {
                "REST": [over_rest(rest, product) for _ in range(count)],
                "gRPC": [over_grpc(channel, product) for _ in range(count)],
            }
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in doors}
            for _ in range(ROUNDS):
                for name, callers in doors.items():
                    found[name].append(await asked(pid, callers, calls))
            for name, rounds in found.items():
                rate, p50, used = (median(each) for each in zip(*rounds, strict=True))
                line(f"{name}, {count} callers: p50; server", f"{rate:,.0f}/s {p50:.2f} ms; {used:.0f} us")


def main() -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"one question over REST and over gRPC: {machine()}")
        home = Path(folder) / "home"
        (product, *_) = uvloop.run(stocked(home, 10))
        (port,) = free_ports(1)
        with server(home, RESTOCK_GRPC_PORT=str(port)) as (rest, pid, _):
            uvloop.run(measured(pid, rest, f"127.0.0.1:{port}", product))


if __name__ == "__main__":
    main()
