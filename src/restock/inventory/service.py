"""Keeps the promise of the inventory port on a database."""

from __future__ import annotations

from restock.core import trace
from restock.core.clock import Clock, timestamp
from restock.core.errors import InvalidInput
from restock.core.frame import batches
from restock.core.ids import Ids
from restock.core.once import once_each
from restock.core.quantity import to_scaled
from restock.core.reply import Stored
from restock.engine.database import Database, Transaction
from restock.inventory import store
from restock.inventory.model import Item, Place, Stock, StockCount, checked_count, checked_item
from restock.inventory.news import COUNTED, News
from restock.inventory.port import (
    BackorderFrame,
    BackordersRequest,
    CatalogueFrame,
    CatalogueRequest,
    PositionFrame,
    PositionsRequest,
    PutItemsRequest,
    PutStockRequest,
)

MAX_PAGE = 1000
"""Rows in one page."""


class InventoryService:
    """The inventory context over inventory_db."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def positions(self, request: PositionsRequest) -> PositionFrame:
        """Give the stock of the products that have a record."""
        return await store.positions(self._database, request.products, request.warehouse_id)

    async def put_stock(self, request: PutStockRequest) -> Stored:
        """Store counts; the same again change nothing."""
        changed, asked_in = 0, trace.current()  # the unit runs elsewhere
        counts = once_each([checked_count(one) for one in request.stock], "stock", "product_id", "warehouse_id")
        for batch in batches(counts):

            async def unit(tx: Transaction, batch: list[StockCount] = batch) -> int:
                return await self._count(tx, batch, asked_in)

            changed += await self._database.write("put_stock", unit)
        return Stored(changed)

    async def put_items(self, request: PutItemsRequest) -> Stored:
        """Store products; the same again change nothing."""
        changed = 0
        for batch in batches(once_each([checked_item(one) for one in request.items], "items", "product_id")):

            async def unit(tx: Transaction, batch: list[Item] = batch) -> int:
                return await store.put_items(tx, batch)

            changed += await self._database.write("put_items", unit)
        return Stored(changed)

    async def catalogue(self, request: CatalogueRequest) -> CatalogueFrame:
        """Give a page of the catalogue."""
        return await store.catalogue(self._database, request.after, _limit(request.limit))

    async def backorders(self, request: BackordersRequest) -> BackorderFrame:
        """Give a page of what customers wait for."""
        return await store.backorders(self._database, request.after, _limit(request.limit))

    async def revision(self) -> int:
        """Give a number that grows whenever stock or products change."""
        return await store.REVISION.read(self._database)

    async def _count(self, tx: Transaction, counts: list[StockCount], traceparent: str) -> int:
        at = timestamp(self._clock.now())
        known = await store.stock_of(tx, [one.product_id for one in counts])
        first = await store.first_stock(tx, [(one.product_id, one.warehouse_id) for one in counts], known)
        changed: dict[Place, Stock] = {}
        news = self.news(at, traceparent)
        for one in counts:
            place = (one.product_id, one.warehouse_id)
            before = changed.get(place) or known.get(place)
            on_hand, reserved = to_scaled(one.on_hand), to_scaled(one.reserved)
            if before is not None and (before.on_hand, before.reserved) == (on_hand, reserved):
                continue
            before = before or first[place]
            after = before.count(on_hand, reserved)
            changed[place] = after
            news.tell(COUNTED, place, before, after)
        await store.put_items(tx, [Item(one.product_id) for one in counts], replace=False)
        await store.put_stock(tx, changed, at)
        await store.OUTBOX.add_packed(tx, news.batches())
        return len(changed)

    def news(self, at: str, traceparent: str = "") -> News:
        """Begin the events of a unit of work, all of one trace if it is given; otherwise of the traces of their causes."""
        return News(self._ids, at, traceparent)


def _limit(limit: int) -> int:
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"{limit} is not 1 to {MAX_PAGE}.", field="limit")
    return limit
