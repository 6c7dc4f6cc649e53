"""What the inventory context promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.frame import Frame
from restock.core.operation import Operation, Permission
from restock.core.reply import Stored
from restock.inventory.model import Item, StockCount


@dataclass(frozen=True)
class PositionsRequest:
    """Which products' stock, in which warehouse."""

    products: list[str]
    warehouse_id: str = DEFAULT_WAREHOUSE


@dataclass(frozen=True)
class PositionFrame(Frame):
    """Stock, a row per product that has any record. available = on_hand - reserved.

    `received_total` travels with the stock it raised, so that on_order (ordered - received) never counts a receipt twice
    or misses it. `backordered` is promised to customers beyond the stock.
    """

    product_id: Sequence[str]
    warehouse_id: Sequence[str]
    on_hand: Sequence[Decimal]
    reserved: Sequence[Decimal]
    available: Sequence[Decimal]
    backordered: Sequence[Decimal]
    received_total: Sequence[Decimal]
    version: Sequence[int]
    stock_unit: Sequence[str]
    safety_stock: Sequence[Decimal]


@dataclass(frozen=True)
class PutStockRequest:
    """Counts to store; the count of the same product and warehouse is replaced."""

    stock: list[StockCount]


@dataclass(frozen=True)
class PutItemsRequest:
    """Products to store; those with the same id are replaced."""

    items: list[Item]


@dataclass(frozen=True)
class CatalogueRequest:
    """A page of the catalogue: products after the given one, in order."""

    after: str = ""
    limit: int = 1000


@dataclass(frozen=True)
class CatalogueFrame(Frame):
    """Products in the order of their ids."""

    product_id: Sequence[str]
    description: Sequence[str]
    stock_unit: Sequence[str]
    safety_stock: Sequence[Decimal]


@dataclass(frozen=True)
class BackordersRequest:
    """A page of open backorders, oldest first."""

    after: int = 0
    limit: int = 100


@dataclass(frozen=True)
class BackorderFrame(Frame):
    """What customers wait for: quantity promised beyond the stock of the moment, and why."""

    number: Sequence[int]
    order_id: Sequence[str]
    product_id: Sequence[str]
    quantity: Sequence[Decimal]
    reason: Sequence[str]
    at: Sequence[str]


class Inventory(Protocol):
    """Knows the stock."""

    async def positions(self, request: PositionsRequest) -> PositionFrame:
        """Give the stock of the products that have a record; an unknown product has no row."""
        ...

    async def put_stock(self, request: PutStockRequest) -> Stored:
        """Store counts; the same again change nothing. Each change is a StockCounted event."""
        ...

    async def put_items(self, request: PutItemsRequest) -> Stored:
        """Store products; the same again change nothing."""
        ...

    async def catalogue(self, request: CatalogueRequest) -> CatalogueFrame:
        """Give a page of the catalogue."""
        ...

    async def backorders(self, request: BackordersRequest) -> BackorderFrame:
        """Give a page of what customers wait for."""
        ...

    async def revision(self) -> int:
        """Give a number that grows whenever stock or products change."""
        ...


OPERATIONS = (
    Operation(
        "inventory.positions",
        PositionsRequest,
        PositionFrame,
        "POST",
        "/api/v1/stock/query",
        "Stock of many products",
    ),
    Operation(
        "inventory.put_stock",
        PutStockRequest,
        Stored,
        "POST",
        "/api/v1/stock",
        "Store stock counts",
        Permission.BUY,
        writes=True,
    ),
    Operation(
        "inventory.put_items",
        PutItemsRequest,
        Stored,
        "POST",
        "/api/v1/products",
        "Store products",
        Permission.BUY,
        writes=True,
    ),
    Operation("inventory.catalogue", CatalogueRequest, CatalogueFrame, "GET", "/api/v1/products", "The catalogue"),
    Operation(
        "inventory.backorders", BackordersRequest, BackorderFrame, "GET", "/api/v1/backorders", "Open backorders"
    ),
)
