"""The tables of supplier_db and every statement that touches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from sqlalchemy import MetaData, Table, bindparam, select

from restock.core.quantity import from_scaled, to_scaled
from restock.core.value import changed
from restock.engine.database import Database, Row, Statement, Transaction
from restock.engine.database.columns import count, flag, label, moment, scaled
from restock.engine.database.migrate import Schema
from restock.engine.database.revision import Revision, revision_table
from restock.engine.database.statement import Upsert
from restock.suppliers.model import Terms
from restock.suppliers.port import OffersFrame, TermsFrame

SCHEMA = Schema("suppliers", Path(__file__).parent / "migrations")

METADATA = MetaData()
SUPPLIER_INFO = Table(
    "supplier_info",
    METADATA,
    label("product_id", primary_key=True),
    label("supplier_id", primary_key=True),
    label("supplier_name"),
    scaled("unit_price"),
    scaled("moq"),
    scaled("order_multiple"),
    label("purchase_unit"),
    count("lead_time_days"),
    flag("is_active"),
    label("currency"),
    count("rank"),
    moment("last_updated"),
    sqlite_with_rowid=False,
)
REVISION = Revision(revision_table(METADATA), "suppliers")

_T = SUPPLIER_INFO.c
_TERMS = Statement(
    select(
        _T.product_id,
        _T.supplier_id,
        _T.supplier_name,
        _T.unit_price,
        _T.moq,
        _T.order_multiple,
        _T.purchase_unit,
        _T.lead_time_days,
        _T.is_active,
        _T.currency,
        _T.rank,
    )
    .where(_T.product_id.in_(bindparam("products", expanding=True)))
    .order_by(_T.product_id, _T.is_active.desc(), _T.rank, _T.supplier_id)
)
_ALL = Statement(
    select(*(_T[field.name] for field in fields(Terms))).where(_T.product_id.in_(bindparam("products", expanding=True)))
)
_PUT = Upsert(SUPPLIER_INFO, ("product_id", "supplier_id"))


async def terms(database: Database, products: Sequence[str]) -> TermsFrame:
    """Give the terms of the supplier asked first, a row per product that has one."""
    rows, last = [], ""
    for row in await database.read(_TERMS, {"products": products}) if products else []:
        if row[0] != last:
            last = row[0]
            rows.append(_shown(row))
    return TermsFrame.of(rows)


async def offers(database: Database, products: Sequence[str]) -> OffersFrame:
    """Give the terms of every supplier, a row per product and supplier, the one asked first on top."""
    rows = await database.read(_TERMS, {"products": products}) if products else []
    return OffersFrame.of([(*_shown(row), row[-1]) for row in rows])


async def put_terms(tx: Transaction, terms: Sequence[Terms], at: str) -> int:
    """Store the terms that differ from what is there; give their number."""
    known = {(row[0], row[1]): row for row in await tx.read(_ALL, {"products": [one.product_id for one in terms]})}
    different: list[dict[str, object]] = []
    for one in terms:
        before = known.get((one.product_id, one.supplier_id))
        active = one.is_active if one.is_active is not None else before is None or bool(before[_ACTIVE])
        values = _stored(changed(one, is_active=active))
        if before != values:
            different.append({**dict(zip(_NAMES, values, strict=True)), "last_updated": at})
    await tx.write_many(_PUT, different)
    if different:
        await REVISION.bump(tx)
    return len(different)


_NAMES = tuple(field.name for field in fields(Terms))
_ACTIVE = _NAMES.index("is_active")
_SCALED = {"unit_price", "moq", "order_multiple"}


def _stored(terms: Terms) -> tuple[object, ...]:
    pairs = zip(_NAMES, astuple(terms), strict=True)
    return tuple(to_scaled(value) if name in _SCALED else value for name, value in pairs)


def _shown(row: Row) -> tuple[object, ...]:
    product, supplier, supplier_name, price, moq, multiple, unit, lead_time, active, currency, _rank = row
    numbers = (from_scaled(price), from_scaled(moq), from_scaled(multiple))
    return (product, supplier, supplier_name, *numbers, unit, lead_time, bool(active), currency)
