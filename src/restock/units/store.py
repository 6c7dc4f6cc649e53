"""The tables of uom_db and every statement that touches them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy import MetaData, Table, bindparam, select

from restock.core.quantity import from_scaled, to_scaled
from restock.engine.database import Database, Statement, Transaction
from restock.engine.database.columns import label, moment, scaled
from restock.engine.database.migrate import Schema
from restock.engine.database.revision import Revision, revision_table
from restock.engine.database.statement import Upsert
from restock.units.model import Conversion
from restock.units.port import ConversionFrame

SCHEMA = Schema("units", Path(__file__).parent / "migrations")

METADATA = MetaData()
UOM_CONVERSION = Table(
    "uom_conversion",
    METADATA,
    label("product_id", primary_key=True),
    label("from_uom", primary_key=True),
    label("to_uom", primary_key=True),
    scaled("conversion_factor"),
    moment("last_updated"),
    sqlite_with_rowid=False,
)
REVISION = Revision(revision_table(METADATA), "units")

_T = UOM_CONVERSION.c
_OF_PRODUCTS = Statement(
    select(_T.product_id, _T.from_uom, _T.to_uom, _T.conversion_factor)
    .where(_T.product_id.in_(bindparam("products", expanding=True)))
    .order_by(_T.product_id, _T.from_uom, _T.to_uom)
)
_PUT = Upsert(UOM_CONVERSION, ("product_id", "from_uom", "to_uom"))


async def conversions(source: Database | Transaction, products: Sequence[str]) -> ConversionFrame:
    """Give the conversions of the products."""
    rows = await source.read(_OF_PRODUCTS, {"products": products}) if products else []
    return ConversionFrame.of(
        [(product, source, target, from_scaled(factor)) for product, source, target, factor in rows]
    )


async def put_conversions(
    tx: Transaction, conversions: Sequence[Conversion], known: Collection[Conversion], at: str
) -> int:
    """Store the conversions that differ from the known ones of their products; give their number."""
    changed = [
        {
            "product_id": one.product_id,
            "from_uom": one.from_unit,
            "to_uom": one.to_unit,
            "conversion_factor": to_scaled(one.factor),
            "last_updated": at,
        }
        for one in conversions
        if one not in known
    ]
    await tx.write_many(_PUT, changed)
    if changed:
        await REVISION.bump(tx)
    return len(changed)
