"""The real shop as customers: ten months of invoices through the published batch, compared with its files to the penny."""

from __future__ import annotations

import asyncio
import csv
import gzip
import os
import re
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import cast

import httpx
import pytest

from restock.analytics.port import FiguresRequest
from restock.app import App, opened
from restock.edge.load.retail import Shop
from restock.edge.load.sending import Sending
from restock.edge.rest.application import Application
from restock.edge.rest.protocol import Connection, Door
from restock.engine.stream import decode
from restock.inventory.model import Item
from restock.inventory.port import BackordersRequest, PutItemsRequest
from restock.settings import Settings

BESIDE = Path(__file__).parents[2].parent / "shared" / "data" / "online-retail"
RETAIL = Path(os.environ.get("RESTOCK_RETAIL_DATA", BESIDE))

pytestmark = pytest.mark.slow


class Straight:
    """What was sold, by the shortest way over the files: nothing of the program is used."""

    def __init__(self, folder: Path) -> None:
        self.revenue = Decimal(0)
        self.quantities: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self.lines = 0
        for path in sorted(folder.glob("*.csv.gz")):
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    self.take(row)

    def take(self, row: dict[str, str]) -> None:
        code, customer = row["StockCode"].strip().upper(), row["CustomerID"].strip()
        quantity, price = Decimal(row["Quantity"]), Decimal(row["UnitPrice"])
        sale = row["InvoiceNo"].strip().isdigit() and re.fullmatch("[0-9]{5}[A-Z]{0,2}", code)
        if not sale or quantity <= 0 or price < 0 or (price == 0 and not customer):
            return
        amount = (quantity * price).quantize(Decimal("0.01"), ROUND_HALF_UP)
        self.lines += 1
        self.revenue += amount
        self.quantities[code] += int(quantity)
        self.spent[customer or "WALK-IN"] += cast("int", amount)  # exact sums of decimals


async def sold_by(app: App, folder: Path) -> tuple[Shop, int]:
    """Send the shop to a server of this process; give what was sent and the orders accepted."""
    door = Door(Application(app, service="order"))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(door), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        shop = Shop(folder)
        outcome = await Sending(f"http://127.0.0.1:{port}", shop.parcels(100), seen=shop.seen).run()
        assert (outcome.refused, outcome.unanswered) == (0, 0), outcome.reasons
        stats = httpx.URL(f"http://127.0.0.1:{port}/stats")
        async with httpx.AsyncClient() as client:
            assert (await client.get(stats)).json()["orders_produced"] == shop.sold.orders
        for each in list(door.connections):
            each.stop()
    return shop, outcome.accepted


async def placed(app: App) -> tuple[Counter[str], Counter[str], Decimal]:
    """Add up the events on the topic: quantities by product, money by customer, money together."""
    quantities: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for partition, (low, high) in (await app.stream.watermarks("orders")).items():
        for offset in range(low, high, 1000):
            for record in await app.stream.read("orders", partition, offset, 1000):
                data = decode(record).data
                spent[str(data["customer_id"])] += cast("int", data["total_amount"])
                for item in cast("list[dict[str, int]]", data["items"]):
                    quantities[cast("str", item["sku"])] += item["quantity"]
    return quantities, spent, Decimal(sum(spent.values()))


@pytest.mark.timeout(600)
@pytest.mark.skipif(not RETAIL.is_dir(), reason=f"the data set is not at {RETAIL}; set RESTOCK_RETAIL_DATA")
async def test_ten_months_of_a_shop_come_to_the_penny(home: Path) -> None:
    straight = Straight(RETAIL)
    assert straight.lines > 300_000 and straight.revenue > 5_000_000
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        await app.inventory.put_items(PutItemsRequest([Item(product) for product in Shop(RETAIL).products()]))
        shop, accepted = await sold_by(app, RETAIL)
        assert accepted == shop.sold.orders
        assert shop.accepted == shop.sold.revenue == straight.revenue
        again, _ = await sold_by(app, RETAIL)
        assert again.accepted == straight.revenue, "the same orders answered again, none placed twice"
        await app.settle()
        quantities, spent, revenue = await placed(app)
        assert revenue == straight.revenue
        assert quantities == straight.quantities
        assert spent == straight.spent
        figures = await app.analytics.figures(FiguresRequest())
        assert (figures.orders, figures.revenue) == (accepted, straight.revenue)
        assert figures.unique_customers == len(straight.spent)
        best = straight.spent.most_common(5)
        assert [(one.customer_id, one.revenue) for one in figures.top_customers] == best
        waiting: Counter[str] = Counter()
        after = 0
        while len(page := await app.inventory.backorders(BackordersRequest(after, 1000))):
            for product, quantity in zip(page.product_id, page.quantity, strict=True):
                waiting[product] += cast("int", quantity)
            after = page.number[-1]
        assert waiting == straight.quantities, "nothing is on the shelf, so everything sold is waited for"
