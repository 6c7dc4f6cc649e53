"""Replicas that are restarted one by one under load: what is inside is finished, and no caller sees an error."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from socket import socket

import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TWICE = ("inventory", "supplier", "po")
"""Services with two replicas; the others are in one process."""

ROUNDS = 10
CALLERS = 8
PRODUCTS = 2000


def free_port() -> int:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def replica(home: Path, names: list[str], environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve until the end of the block; give the process and where it is asked over REST."""
    environment = {**os.environ, "RESTOCK_HOME": str(home), "RESTOCK_DISPATCH_PROCESS": "false", **environment}
    process = subprocess.Popen(
        [sys.executable, "-m", "restock", "serve", *names, "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "Restock serves http://" in line, line
        process.stdout.readline()  # gRPC
        yield process, line.split()[2]
    finally:
        process.kill()
        process.communicate()


def stocked(address: str) -> None:
    """Put products that each need an order."""
    names = [f"P-{number:04}" for number in range(PRODUCTS)]
    rows: dict[str, list[dict[str, object]]] = {
        "/api/v1/stock": [{"product_id": name, "on_hand": 5} for name in names],
        "/api/v1/suppliers/terms": [
            {"supplier_id": "S", "product_id": name, "moq": 10, "lead_time_days": 5, "unit_price": 2} for name in names
        ],
        "/api/v1/orders/demand": [{"product_id": name, "demand_per_day": 10} for name in names],
    }
    members = {"/api/v1/stock": "stock", "/api/v1/suppliers/terms": "terms", "/api/v1/orders/demand": "demand"}
    for path, items in rows.items():
        for start in range(0, PRODUCTS, 1000):
            answer = httpx.post(f"{address}{path}", json={members[path]: items[start : start + 1000]}, timeout=30)
            assert answer.status_code == 200, answer.text


async def test_replicas_restarted_one_by_one_fail_no_request(home: Path) -> None:
    ports = {name: [free_port(), free_port()] for name in TWICE}
    urls = {
        f"RESTOCK_{name.upper()}_GRPC_URL": ",".join(f"127.0.0.1:{port}" for port in both)
        for name, both in ports.items()
    }
    others = ["oms", "uom", "rule-engine", "orchestrator"]
    alone = {f"RESTOCK_{name.upper().replace('-', '_')}_GRPC_URL": f"127.0.0.1:{free_port()}" for name in others}
    rest = {**urls, **alone, "RESTOCK_GRPC_PORT": alone["RESTOCK_OMS_GRPC_URL"].rpartition(":")[2]}
    for name in others[1:]:
        rest[f"RESTOCK_{name.upper().replace('-', '_')}_GRPC_URL"] = alone["RESTOCK_OMS_GRPC_URL"]
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    numbers = count()
    going = True

    async def caller(address: str) -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            while going:
                product = f"P-{next(numbers) % PRODUCTS:04}"
                answer = await client.post(f"{address}/purchasing/flow", json={"product_id": product})
                statuses[answer.status_code] += 1
                if answer.status_code != 200:
                    wrong.append(answer.text)

    with replica(home, others, rest) as (_, address):
        running = {}
        for name in TWICE:
            for place, port in enumerate(ports[name]):
                manager = replica(home, [name], {**rest, "RESTOCK_GRPC_PORT": str(port)})
                running[name, place] = (manager, manager.__enter__())
        try:
            await asyncio.to_thread(stocked, address)
            callers = [asyncio.create_task(caller(address)) for _ in range(CALLERS)]
            for turn in range(ROUNDS):
                name, place = TWICE[turn % len(TWICE)], turn // len(TWICE) % 2
                manager, (process, _) = running[name, place]
                process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.wait, 40) == 0
                manager.__exit__(None, None, None)
                again = replica(home, [name], {**rest, "RESTOCK_GRPC_PORT": str(ports[name][place])})
                running[name, place] = (again, await asyncio.to_thread(again.__enter__))
                await asyncio.sleep(0.5)
            going = False
            await asyncio.gather(*callers)
        finally:
            for manager, _ in running.values():
                manager.__exit__(None, None, None)
    assert set(statuses) == {200}, (statuses, wrong[:3])
    assert statuses[200] > 20 * ROUNDS
