"""The flow on embedded stores: data in through the ports, orders out as files. See also monitored_flow.py."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

from restock.app import App, opened
from restock.inventory.model import Item, StockCount
from restock.inventory.port import PutItemsRequest, PutStockRequest
from restock.orders.model import Demand
from restock.orders.port import PutDemandRequest
from restock.replenishment.port import FlowBatchRequest, FlowReply
from restock.settings import Settings
from restock.suppliers.model import Terms
from restock.suppliers.port import PutTermsRequest

D = Decimal
ITEMS = [
    Item("PROD-001", "Filter cartridge", "PIECE"),
    Item("PROD-002", "Sealing ring", "PIECE"),
    Item("PROD-003", "Cleaning cloth", "CASE"),
]
STOCK = [
    StockCount("PROD-001", on_hand=D(25), reserved=D(5)),
    StockCount("PROD-002", on_hand=D(10), reserved=D(5)),
    StockCount("PROD-003", on_hand=D(10), reserved=D(3)),
]
TERMS = [
    Terms("PROD-001", "SUP-001", D("15.99"), 7, moq=D(20), order_multiple=D(20), purchase_unit="PIECE"),
    Terms("PROD-002", "SUP-002", D("15.50"), 5, moq=D(100), order_multiple=D(1), purchase_unit="PIECE"),
    Terms("PROD-003", "SUP-003", D(25), 5, moq=D(10), order_multiple=D(10), purchase_unit="CASE"),
]
DEMAND = [
    Demand("PROD-001", D("15.5"), "increasing"),
    Demand("PROD-002", D(50), "stable"),
    Demand("PROD-003", D(22), "increasing"),
]
PRODUCTS = [item.product_id for item in ITEMS]


async def load(app: App) -> None:
    """Store the three products. Demand comes last: without it, no flow wakes while the rest is loaded."""
    await app.inventory.put_items(PutItemsRequest(ITEMS))
    await app.inventory.put_stock(PutStockRequest(STOCK))
    await app.suppliers.put_terms(PutTermsRequest(TERMS))
    await app.settle()
    await app.orders.put_demand(PutDemandRequest(DEMAND))


async def main(home: Path) -> None:
    """Run the flow for the three products, twice, and list the order files."""
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        await load(app)
        for heading in ("First", "Again"):
            print(heading)
            for reply in (await app.replenishment.flow_batch(FlowBatchRequest(PRODUCTS))).results:
                assert isinstance(reply, FlowReply), reply
                po = reply.po
                print(f"  {reply.product_id} {reply.outcome}", end="")
                print(f": {po.qty} for {po.total_amount:,.2f} {po.currency}, {po.status}" if po else "")
        await app.settle()  # carries events and orders to their last effect
        print(f"{len(list((home / 'outbox').glob('*.pdf')))} order files")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(Path(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder)))
