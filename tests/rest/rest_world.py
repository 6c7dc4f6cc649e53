"""What the tests of REST share: the three products of the manual, a caller, a server in a process of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import httpx

from restock.app import App, opened
from restock.edge.rest.application import Application
from restock.edge.rest.protocol import Connection, Door
from restock.inventory.model import Item, StockCount
from restock.inventory.port import PutItemsRequest, PutStockRequest
from restock.orders.model import Demand
from restock.orders.port import PutDemandRequest
from restock.settings import Settings
from restock.suppliers.model import Terms
from restock.suppliers.port import PutTermsRequest
from restock.units.model import Conversion
from restock.units.port import PutConversionsRequest


@dataclass
class Rest:
    """A running app, its REST, and a caller."""

    app: App
    application: Application
    client: httpx.AsyncClient


@asynccontextmanager
async def client_of(application: Application) -> AsyncIterator[httpx.AsyncClient]:
    """Give a caller that speaks HTTP to the application over a socket of this process."""
    door = Door(application)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(door), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
        for each in list(door.connections):
            each.stop()


async def answered_early(client: httpx.AsyncClient, head: str, part: bytes, most: int) -> tuple[int, int]:
    """Send a head, then parts until an answer comes, at most so many; give its status and how many parts were sent."""
    url = client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    answer = asyncio.create_task(reader.readline())
    writer.write(f"POST /purchasing/flow HTTP/1.1\r\nhost: {url.host}\r\n{head}\r\n\r\n".encode())
    sent = 0
    while not answer.done() and sent < most:
        writer.write(part)
        sent += 1
        await writer.drain()
        await asyncio.sleep(0.001)
    status = int((await asyncio.wait_for(answer, 10)).split()[1])
    writer.close()
    return status, sent


async def seeded(app: App, more: int = 0) -> None:
    """Store the three products, one with an inactive supplier, one without price, one without demand, and `more`."""
    stock = [
        StockCount("PROD-001", Decimal(25), Decimal(5)),
        StockCount("PROD-002", Decimal(10), Decimal(5)),
        StockCount("PROD-003", Decimal(10), Decimal(3)),
        StockCount("INACTIVE", Decimal(1)),
        StockCount("FREE", Decimal(1)),
        StockCount("NO-DEMAND", Decimal(1)),
        StockCount("NO-SUPPLIER", Decimal(1)),
        *(StockCount(f"MORE-{n:05}", Decimal(0)) for n in range(more)),
    ]
    await app.inventory.put_items(PutItemsRequest([Item("PROD-003", stock_unit="CASE")]))
    await app.inventory.put_stock(PutStockRequest(stock))
    await app.settle()  # before there is demand, so that falling stock wakes nobody
    await app.suppliers.put_terms(
        PutTermsRequest(
            [
                Terms("PROD-001", "SUP-001", Decimal("15.99"), 7, moq=Decimal(20), order_multiple=Decimal(20)),
                Terms("PROD-002", "SUP-002", Decimal("15.50"), 5, moq=Decimal(100)),
                Terms(
                    "PROD-003",
                    "SUP-003",
                    Decimal("25.00"),
                    5,
                    moq=Decimal(10),
                    order_multiple=Decimal(10),
                    purchase_unit="CASE",
                ),
                Terms("INACTIVE", "SUP-004", Decimal(1), 5, is_active=False),
                Terms("FREE", "SUP-005", Decimal(0), 5),
                Terms("NO-DEMAND", "SUP-005", Decimal(1), 5),
                *(Terms(f"MORE-{n:05}", "SUP-006", Decimal("1.5"), 5) for n in range(more)),
            ]
        )
    )
    await app.units.put_conversions(
        PutConversionsRequest(
            [
                Conversion("PROD-001", "CASE", "PIECE", Decimal(12)),
                Conversion("PROD-002", "CASE", "PIECE", Decimal(24)),
                Conversion("PROD-003", "PALLET", "CASE", Decimal(48)),
            ]
        )
    )
    await app.orders.put_demand(
        PutDemandRequest(
            [
                Demand("PROD-001", Decimal("15.5"), "increasing"),
                Demand("PROD-002", Decimal(50)),
                Demand("PROD-003", Decimal(22), "increasing"),
                *(Demand(name, Decimal(5)) for name in ("INACTIVE", "FREE", "NO-SUPPLIER")),
                *(Demand(f"MORE-{n:05}", Decimal(5)) for n in range(more)),
            ]
        )
    )


@lru_cache
def migrated_home() -> Path:
    """A home with empty, current stores; migrating one takes longer than most tests."""
    folder = Path(tempfile.mkdtemp(prefix="restock-rest-"))
    atexit.register(shutil.rmtree, folder, True)

    async def once() -> None:
        async with opened(Settings(home=folder, dispatch_process=False)):
            pass

    loop = asyncio.new_event_loop()
    try:
        import threading

        worker = threading.Thread(target=loop.run_until_complete, args=(once(),))
        worker.start()
        worker.join()
    finally:
        loop.close()
    return folder


def copied_home(target: Path) -> Path:
    return Path(shutil.copytree(migrated_home(), target, dirs_exist_ok=True))


def stocked(home: Path, more: int = 0) -> None:
    """Store the products without a server."""

    async def store() -> None:
        async with opened(Settings(home=home, dispatch_process=False)) as app:
            await seeded(app, more)

    asyncio.run(store())


@contextmanager
def server(home: Path, *services: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server; give the process and its address. It is killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "restock", "serve", *services, "--port", "0"],
        env={**os.environ, "RESTOCK_HOME": str(home), "RESTOCK_DISPATCH_PROCESS": "false", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        told = process.stdout.readline()
        found = re.search(r"http://[\d.:]+", told)
        assert found, told + process.stderr.read()
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()
