"""The demo company: the three standard products and the six of the order pipeline, as data for the ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from restock.edge.running import Running
from restock.inventory.model import Item, StockCount
from restock.inventory.port import PositionsRequest, PutItemsRequest, PutStockRequest
from restock.orders.model import Demand
from restock.orders.port import PutDemandRequest
from restock.suppliers.model import Terms
from restock.suppliers.port import PutTermsRequest
from restock.units.model import Conversion
from restock.units.port import PutConversionsRequest

D = Decimal

ITEMS = [
    Item("PROD-001", "Filter cartridge", "PIECE"),
    Item("PROD-002", "Sealing ring", "PIECE"),
    Item("PROD-003", "Cleaning cloth", "CASE"),
    Item("WIDGET-1", "Widget, small", "PIECE", D(10)),
    Item("WIDGET-2", "Widget, large", "PIECE", D(6)),
    Item("GADGET-A", "Gadget, basic", "PIECE", D(20)),
    Item("GADGET-B", "Gadget, professional", "PIECE", D(10)),
    Item("TOOL-X", "Folding rule", "PIECE", D(4)),
    Item("TOOL-Y", "Spirit level", "PIECE", D(10)),
]

STOCK = [
    StockCount("PROD-001", D(25), D(5)),
    StockCount("PROD-002", D(10), D(5)),
    StockCount("PROD-003", D(10), D(3)),
    StockCount("WIDGET-1", D(100)),
    StockCount("WIDGET-2", D(50)),
    StockCount("GADGET-A", D(200)),
    StockCount("GADGET-B", D(75)),
    StockCount("TOOL-X", D(30)),
    StockCount("TOOL-Y", D(150)),
]

DEMAND = [
    Demand("PROD-001", D("15.5"), "increasing"),
    Demand("PROD-002", D(50), "stable"),
    Demand("PROD-003", D(22), "increasing"),
    Demand("WIDGET-1", D(12), "increasing"),
    Demand("WIDGET-2", D(6), "stable"),
    Demand("GADGET-A", D(30), "stable"),
    Demand("GADGET-B", D(5), "increasing"),
    Demand("TOOL-X", D(4), "decreasing"),
    Demand("TOOL-Y", D(5), "stable"),
]

TERMS = [
    Terms("PROD-001", "SUP-001", D("15.99"), 7, "Standard Filters", D(20), D(20), "PIECE"),
    Terms("PROD-002", "SUP-002", D("15.50"), 5, "Ring & Seal", D(100), D(1), "PIECE"),
    Terms("PROD-003", "SUP-003", D(25), 5, "Cloth Works", D(10), D(10), "CASE"),
    Terms("WIDGET-1", "SUP-101", D("18.00"), 3, "Northwind Parts", D(60), D(20), "PIECE"),
    Terms("WIDGET-2", "SUP-101", D("31.50"), 3, "Northwind Parts", D(24), D(12), "PIECE"),
    Terms("TOOL-Y", "SUP-101", D("22.40"), 5, "Northwind Parts", D(20), D(10), "PIECE"),
    Terms("GADGET-A", "SUP-102", D("262.80"), 4, "Harbour Gadgets", D(3), D(1), "CASE"),
    Terms("GADGET-B", "SUP-102", D("68.00"), 7, "Harbour Gadgets", D(200), D(10), "PIECE"),
    Terms("TOOL-X", "SUP-103", D("8.75"), 5, "Ironbridge Tools", D(20), D(20), "PIECE", is_active=False),
]
"""GADGET-B in its smallest quantity costs more than may be bought without approval; TOOL-X has no active supplier."""

CONVERSIONS = [
    Conversion("PROD-001", "CASE", "PIECE", D(12)),
    Conversion("PROD-002", "CASE", "PIECE", D(24)),
    Conversion("PROD-003", "PALLET", "CASE", D(48)),
    Conversion("GADGET-A", "CASE", "PIECE", D(24)),
]

STANDARD = ("PROD-001", "PROD-002", "PROD-003")

PIPELINE: Mapping[str, tuple[Decimal, Decimal]] = {
    "WIDGET-1": (D(2), D("29.99")),
    "WIDGET-2": (D(1), D("49.99")),
    "GADGET-A": (D(3), D("19.99")),
    "GADGET-B": (D(1), D("99.99")),
    "TOOL-X": (D(2), D("14.99")),
    "TOOL-Y": (D(1), D("39.99")),
}
"""What customers order: the quantity and price of a line, by product."""

CUSTOMERS = ("cust-alice", "cust-bob", "cust-charlie", "cust-diana", "cust-eve")


async def load(app: Running, settle: Callable[[], Awaitable[object]]) -> dict[str, int]:
    """Store the company; give how many rows of each kind differ from what was there.

    Stock comes first, and `settle` carries its events to their end before demand is known: so loading wakes no flow.
    Stock that is there already stays, because it has moved since.
    """
    changed = {"products": (await app.inventory.put_items(PutItemsRequest(ITEMS))).changed}
    there = set((await app.inventory.positions(PositionsRequest([one.product_id for one in STOCK]))).product_id)
    missing = [one for one in STOCK if one.product_id not in there]
    changed["stock counts"] = (await app.inventory.put_stock(PutStockRequest(missing))).changed if missing else 0
    await settle()
    changed["supplier terms"] = (await app.suppliers.put_terms(PutTermsRequest(TERMS))).changed
    changed["conversions"] = (await app.units.put_conversions(PutConversionsRequest(CONVERSIONS))).changed
    changed["demand"] = (await app.orders.put_demand(PutDemandRequest(DEMAND))).changed
    return changed
