"""From a customer order's acceptance to the purchase order it leads to: one server as people start it, nothing asked for.

Callers send orders one by one at a stated rate, whatever the answers; some of them take the last stock of a product, so that
the loop orders it: outbox, stream, inventory, stream, flow. Another thread watches the database of purchase orders, every
millisecond, for what is committed there. Callers and watcher share the two cores with the server.

python -m benchmarks reaction
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread

import uvloop

from benchmarks.report import line, machine, percentile
from benchmarks.rest.flows import server
from benchmarks.stream.order_callers import request
from restock.adapters.database.embedded import STORES
from restock.app import opened
from restock.edge.wire import encode
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.orders.model import Demand
from restock.orders.port import PutDemandRequest
from restock.settings import Settings
from restock.suppliers.model import Terms
from restock.suppliers.port import PutTermsRequest

RATES = ((20, 400, 1), (200, 2_000, 4), (1_000, 10_000, 10))
"""Orders a second, orders in all, and of how many of them one crosses a reorder point."""

CONNECTIONS = 16
LOOK_SECONDS = 0.001
PATIENCE_SECONDS = 60

_NEW = "SELECT po_id, product_id FROM purchase_order_line WHERE po_id > ? ORDER BY po_id"


async def stocked(home: Path, scarce: list[str]) -> None:
    """Store products of which one order leaves less than demand over the lead time, and one that always suffices."""
    names = [*scarce, "PLENTY"]
    async with opened(Settings(home=home)) as app:
        counts = [StockCount(name, Decimal(100 if name in scarce else 10_000_000)) for name in names]
        await app.inventory.put_stock(PutStockRequest(counts))
        terms = [Terms(name, "SUP-1", Decimal("1.50"), 5, "Supplier", Decimal(10), Decimal(10)) for name in names]
        await app.suppliers.put_terms(PutTermsRequest(terms))
        await app.orders.put_demand(PutDemandRequest([Demand(name, Decimal(2)) for name in names]))
        await app.settle()


class Watcher:
    """Notes when the purchase order of each product is there for everybody to read."""

    def __init__(self, home: Path) -> None:
        self.seen: dict[str, float] = {}
        self._home = home
        self._over = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        last = ""
        with closing(sqlite3.connect(f"file:{self._home / STORES / 'po.db'}?mode=ro", uri=True)) as database:
            while not self._over.wait(LOOK_SECONDS):
                for po_id, product in database.execute(_NEW, (last,)).fetchall():
                    last = po_id
                    assert product not in self.seen, f"{product} was ordered twice"
                    self.seen[product] = time.perf_counter()


async def sent(port: int, rate: int, products: list[str]) -> dict[str, float]:
    """Send an order for each product, so many a second; give the moment at which each was accepted."""
    accepted: dict[str, float] = {}
    waiting = iter(enumerate(products))
    began = time.perf_counter()

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, product in waiting:
            body = {"customer_id": f"C-{number}", "items": [{"sku": product, "quantity": 95, "price": "3.00"}]}
            whole = request("/orders", encode(body))
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            writer.write(whole)
            head = await reader.readuntil(b"\r\n\r\n")
            accepted[product] = time.perf_counter()
            assert head.startswith(b"HTTP/1.1 20"), head
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
        writer.close()

    await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
    return accepted


def measured(rate: int, count: int, one_in: int) -> tuple[list[float], float]:
    """Give the milliseconds of each purchase order, and the orders a second that were really sent."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        home = Path(folder) / "home"
        scarce = [f"M{number:06}" for number in range(0, count, one_in)]
        uvloop.run(stocked(home, scarce))
        wanted = [f"M{number:06}" if number % one_in == 0 else "PLENTY" for number in range(count)]
        with server(home) as (port, _, _), Watcher(home) as watcher:
            began = time.perf_counter()
            accepted = uvloop.run(sent(port, rate, wanted))
            took, end = time.perf_counter() - began, time.perf_counter() + PATIENCE_SECONDS
            while len(watcher.seen) < len(scarce):
                assert time.perf_counter() < end, f"{len(watcher.seen)} purchase orders for {len(scarce)} needs"
                time.sleep(0.05)
        return [(watcher.seen[product] - accepted[product]) * 1e3 for product in scarce], count / took


def main() -> None:
    """Run and print."""
    print(machine())
    print("Customer order accepted over REST -> its purchase order stored, one `restock serve`:")
    for rate, count, one_in in RATES:
        times, really = measured(rate, count, one_in)
        p50, p95, most = (percentile(times, part) for part in (0.5, 0.95, 1))
        what = f"{really:,.0f} orders/s, one in {one_in} to be bought, p50 / p95 / most"
        line(what, f"{p50:.0f} / {p95:.0f} / {most:.0f} ms", "p95 < 100 ms")


if __name__ == "__main__":
    main()
