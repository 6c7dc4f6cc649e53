"""The tables of analytics_db and every statement that touches them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import MetaData, Table, bindparam, func, select

from restock.analytics.model import Additions
from restock.engine.database import Database, Row, Statement, Transaction
from restock.engine.database.columns import count, label
from restock.engine.database.migrate import Schema
from restock.engine.database.statement import Upsert
from restock.engine.stream.inbox import Inbox
from restock.engine.stream.tables import inbox_table

SCHEMA = Schema("analytics", Path(__file__).parent / "migrations")

METADATA = MetaData()
CUSTOMER = Table(
    "customer",
    METADATA,
    label("customer_id", primary_key=True),
    count("orders"),
    count("amount"),
    sqlite_with_rowid=False,
)
PRODUCT = Table(
    "product", METADATA, label("sku", primary_key=True), count("orders"), count("amount"), sqlite_with_rowid=False
)
TALLY = Table(
    "tally",
    METADATA,
    label("kind", primary_key=True),
    label("label", primary_key=True),
    count("orders"),
    count("amount"),
    sqlite_with_rowid=False,
)
INBOX = Inbox(inbox_table(METADATA), "analytics")

_C, _P, _T = CUSTOMER.c, PRODUCT.c, TALLY.c
_ADD_CUSTOMER = Upsert(CUSTOMER, ("customer_id",), adds=("orders", "amount"))
_ADD_PRODUCT = Upsert(PRODUCT, ("sku",), adds=("orders", "amount"))
_ADD_TALLY = Upsert(TALLY, ("kind", "label"), adds=("orders", "amount"))
_CUSTOMERS = Statement(select(func.count()).select_from(CUSTOMER))
_TOP_CUSTOMERS = Statement(
    select(_C.customer_id, _C.orders, _C.amount).order_by(_C.amount.desc(), _C.customer_id).limit(bindparam("top"))
)
_TOP_PRODUCTS = Statement(
    select(_P.sku, _P.orders, _P.amount).order_by(_P.amount.desc(), _P.sku).limit(bindparam("top"))
)
_TALLIES = Statement(select(_T.kind, _T.label, _T.orders, _T.amount).order_by(_T.kind, _T.label))


async def add(tx: Transaction, added: Additions) -> None:
    """Add to the figures."""
    await tx.write_many(_ADD_CUSTOMER, _rows("customer_id", added.customers))
    await tx.write_many(_ADD_PRODUCT, _rows("sku", added.products))
    await tx.write_many(
        _ADD_TALLY,
        [
            {"kind": kind, "label": name, "orders": number, "amount": amount}
            for (kind, name), (number, amount) in added.tallies.items()
        ],
    )


async def customers(database: Database) -> int:
    """Give how many customers ordered."""
    return int((await database.read(_CUSTOMERS))[0][0])


async def top_customers(database: Database, top: int) -> list[Row]:
    """Give customer, orders, amount of those who spent most."""
    return await database.read(_TOP_CUSTOMERS, {"top": top})


async def top_products(database: Database, top: int) -> list[Row]:
    """Give product, orders, quantity of those sold most."""
    return await database.read(_TOP_PRODUCTS, {"top": top})


async def tallies(database: Database) -> list[Row]:
    """Give kind, label, count and amount of every tally."""
    return await database.read(_TALLIES)


def _rows(key: str, sums: Mapping[str, list[int]]) -> list[dict[str, object]]:
    return [{key: name, "orders": number, "amount": amount} for name, (number, amount) in sums.items()]
