"""The tables of inventory_db and every statement that touches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Index, MetaData, Table, and_, bindparam, func, select

from restock.core.defaults import DEFAULT_UNIT
from restock.core.quantity import from_scaled, to_scaled
from restock.engine.database import Database, Statement, Transaction
from restock.engine.database.columns import count, label, moment, scaled, sequence
from restock.engine.database.migrate import Schema
from restock.engine.database.revision import Revision, revision_table
from restock.engine.database.statement import Upsert
from restock.engine.stream.inbox import Inbox
from restock.engine.stream.outbox import Outbox
from restock.engine.stream.tables import block_table, inbox_table, outbox_table
from restock.inventory.model import Item, Place, Stock
from restock.inventory.port import BackorderFrame, CatalogueFrame, PositionFrame
from restock.inventory.rows import events_in

SCHEMA = Schema("inventory", Path(__file__).parent / "migrations")

METADATA = MetaData()
INVENTORY_LEVELS = Table(
    "inventory_levels",
    METADATA,
    label("product_id", primary_key=True),
    label("warehouse_id", primary_key=True),
    scaled("on_hand"),
    scaled("reserved"),
    scaled("backordered"),
    scaled("received_total"),
    count("version"),
    moment("last_updated"),
    sqlite_with_rowid=False,
)
ITEM = Table(
    "item",
    METADATA,
    label("product_id", primary_key=True),
    label("description"),
    label("stock_unit"),
    scaled("safety_stock"),
    sqlite_with_rowid=False,
)
BACKORDER = Table(
    "backorder",
    METADATA,
    sequence("number"),
    label("order_id"),
    label("product_id"),
    label("warehouse_id"),
    scaled("quantity"),
    label("reason"),
    moment("at"),
    Index("backorder_of_product", "product_id"),
)
OUTBOX = Outbox(outbox_table(METADATA), events_in=events_in)
_INBOX_TABLE = inbox_table(METADATA)
_BLOCKS = block_table(METADATA)
ORDERS_INBOX = Inbox(_INBOX_TABLE, "inventory.orders", blocks=_BLOCKS)
RECEIPTS_INBOX = Inbox(_INBOX_TABLE, "inventory.receipts", blocks=_BLOCKS)
REVISION = Revision(revision_table(METADATA), "inventory")

_L, _I, _B = INVENTORY_LEVELS.c, ITEM.c, BACKORDER.c
_POSITIONS = Statement(
    select(
        _L.product_id,
        _L.warehouse_id,
        _L.on_hand,
        _L.reserved,
        _L.backordered,
        _L.received_total,
        _L.version,
        func.coalesce(_I.stock_unit, DEFAULT_UNIT),
        func.coalesce(_I.safety_stock, 0),
    )
    .select_from(INVENTORY_LEVELS.outerjoin(ITEM, _I.product_id == _L.product_id))
    .where(and_(_L.warehouse_id == bindparam("warehouse"), _L.product_id.in_(bindparam("products", expanding=True))))
    .order_by(_L.product_id)
)
_STOCK = Statement(
    select(
        _L.product_id, _L.warehouse_id, _L.on_hand, _L.reserved, _L.backordered, _L.received_total, _L.version
    ).where(_L.product_id.in_(bindparam("products", expanding=True)))
)
_PUT_STOCK = Upsert(INVENTORY_LEVELS, ("product_id", "warehouse_id"))
_ITEMS = Statement(
    select(_I.product_id, _I.description, _I.stock_unit, _I.safety_stock).where(
        _I.product_id.in_(bindparam("products", expanding=True))
    )
)
_PUT_ITEM = Upsert(ITEM, ("product_id",))
_CATALOGUE = Statement(
    select(_I.product_id, _I.description, _I.stock_unit, _I.safety_stock)
    .where(_I.product_id > bindparam("after"))
    .order_by(_I.product_id)
    .limit(bindparam("limit"))
)
_ADD_BACKORDER = Statement(
    BACKORDER.insert().values({one.name: bindparam(one.name) for one in _B if one.name != "number"})
)
_BACKORDERS = Statement(
    select(_B.number, _B.order_id, _B.product_id, _B.quantity, _B.reason, _B.at)
    .where(_B.number > bindparam("after"))
    .order_by(_B.number)
    .limit(bindparam("limit"))
)
_BACKORDERS_OF = Statement(
    select(_B.number, _B.product_id, _B.warehouse_id, _B.quantity)
    .where(_B.product_id.in_(bindparam("products", expanding=True)))
    .order_by(_B.number)
)
_SHRINK_BACKORDER = Statement(
    BACKORDER.update().where(_B.number == bindparam("key")).values(quantity=bindparam("left"))
)
_DROP_BACKORDER = Statement(BACKORDER.delete().where(_B.number == bindparam("key")))


async def positions(database: Database, products: Sequence[str], warehouse: str) -> PositionFrame:
    """Give the stock of the products that have a record."""
    if not products:
        return PositionFrame.of([])
    rows = []
    for product, place, on_hand, reserved, back, received, version, unit, safety in await database.read(
        _POSITIONS, {"products": products, "warehouse": warehouse}
    ):
        numbers = map(from_scaled, (on_hand, reserved, on_hand - reserved, back, received))
        rows.append((product, place, *numbers, version, unit, from_scaled(safety)))
    return PositionFrame.of(rows)


async def stock_of(tx: Transaction, products: Sequence[str]) -> dict[Place, Stock]:
    """Give the stock to change, by product and warehouse."""
    return {(row[0], row[1]): Stock(*row[2:]) for row in await tx.read(_STOCK, {"products": products})}


async def first_stock(tx: Transaction, places: Sequence[Place], known: Mapping[Place, Stock]) -> dict[Place, Stock]:
    """Give the stock of places that have no record yet: nothing on the shelf, and what customers wait for already."""
    new = dict.fromkeys((place for place in places if place not in known), 0)
    for _, product, warehouse, quantity in await tx.read(_BACKORDERS_OF, {"products": sorted({p for p, _ in new})}):
        if (product, warehouse) in new:
            new[product, warehouse] += quantity
    return {place: Stock(0, backordered=waiting) for place, waiting in new.items()}


async def put_stock(tx: Transaction, stock: Mapping[Place, Stock], at: str) -> None:
    """Store changed stock."""
    await tx.write_many(
        _PUT_STOCK,
        [
            {
                "product_id": product,
                "warehouse_id": warehouse,
                "on_hand": one.on_hand,
                "reserved": one.reserved,
                "backordered": one.backordered,
                "received_total": one.received_total,
                "version": one.version,
                "last_updated": at,
            }
            for (product, warehouse), one in stock.items()
        ],
    )
    if stock:
        await REVISION.bump(tx)


async def put_items(tx: Transaction, items: Sequence[Item], *, replace: bool = True) -> int:
    """Store the products that differ from what is there, or only the new ones; give their number."""
    known = {row[0]: row for row in await tx.read(_ITEMS, {"products": [one.product_id for one in items]})}
    changed = {}
    for one in items:
        values = (one.product_id, one.description, one.stock_unit, to_scaled(one.safety_stock))
        if one.product_id not in known or (replace and known[one.product_id] != values):
            changed[one.product_id] = dict(zip(_I.keys(), values, strict=True))
    await tx.write_many(_PUT_ITEM, list(changed.values()))
    if changed:
        await REVISION.bump(tx)
    return len(changed)


async def known_items(tx: Transaction, products: Sequence[str]) -> set[str]:
    """Give those of the products that the catalogue has."""
    return {row[0] for row in await tx.read(_ITEMS, {"products": products})}


async def catalogue(database: Database, after: str, limit: int) -> CatalogueFrame:
    """Give a page of the catalogue."""
    rows = await database.read(_CATALOGUE, {"after": after, "limit": limit})
    return CatalogueFrame.of([(*row[:3], from_scaled(row[3])) for row in rows])


async def add_backorders(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Record what was promised beyond the stock: order_id, product_id, warehouse_id, quantity, reason, at."""
    await tx.write_many(_ADD_BACKORDER, rows)


async def serve_backorders(tx: Transaction, served: Mapping[Place, int]) -> None:
    """Take served quantities off the oldest backorders."""
    left = dict(served)
    for number, product, warehouse, quantity in await tx.read(
        _BACKORDERS_OF, {"products": sorted({p for p, _ in served})}
    ):
        taken = min(quantity, left.get((product, warehouse), 0))
        if taken == 0:
            continue
        left[product, warehouse] -= taken
        if taken == quantity:
            await tx.write(_DROP_BACKORDER, {"key": number})
        else:
            await tx.write(_SHRINK_BACKORDER, {"key": number, "left": quantity - taken})


async def backorders(database: Database, after: int, limit: int) -> BackorderFrame:
    """Give a page of open backorders."""
    rows = await database.read(_BACKORDERS, {"after": after, "limit": limit})
    return BackorderFrame.of([(*row[:3], from_scaled(row[3]), *row[4:]) for row in rows])
