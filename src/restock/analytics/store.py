"""The tables of analytics_db and every statement that touches them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import MetaData, Table, bindparam, delete, func, select

from restock.analytics.model import MINUTE, Additions, first_minute_kept
from restock.engine.database import Database, Row, Statement, Transaction
from restock.engine.database.columns import count, label, moment
from restock.engine.database.migrate import Schema
from restock.engine.database.statement import Upsert
from restock.engine.stream import TopicPartition
from restock.engine.stream.inbox import Inbox
from restock.engine.stream.tables import block_table, inbox_table

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
WINDOW = Table(
    "figure_window",
    METADATA,
    label("size", primary_key=True),
    moment("start", primary_key=True),
    count("orders"),
    count("amount"),
    count("late"),
    sqlite_with_rowid=False,
)
REACH = Table(
    "reach",
    METADATA,
    label("topic", primary_key=True),
    count("partition", primary_key=True, autoincrement=False),
    count("next"),
    moment("newest"),
    sqlite_with_rowid=False,
)
"""How far each partition was counted: next offset, and its newest order."""
LAST_ORDER = Table(
    "last_order",
    METADATA,
    count("one", primary_key=True, autoincrement=False),
    label("order_id"),
    moment("at"),
    sqlite_with_rowid=False,
)
INBOX_TABLE = inbox_table(METADATA)
INBOX = Inbox(INBOX_TABLE, "analytics", blocks=block_table(METADATA))

_C, _P, _T, _W, _R = CUSTOMER.c, PRODUCT.c, TALLY.c, WINDOW.c, REACH.c
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


_ADD_WINDOW = Upsert(WINDOW, ("size", "start"), adds=("orders", "amount", "late"))
_FORGET_MINUTES = Statement(delete(WINDOW).where(_W.size == MINUTE, _W.start < bindparam("before")))
_WINDOWS = Statement(
    select(_W.start, _W.orders, _W.amount, _W.late)
    .where(_W.size == bindparam("of_size"), _W.start >= bindparam("since"), _W.start < bindparam("until"))
    .order_by(_W.start.desc())
    .limit(bindparam("most"))
)
_REACHES = Statement(select(_R.topic, _R.partition, _R.next, _R.newest))
_PUT_REACH = Upsert(REACH, ("topic", "partition"))
_LAST_ORDER = Statement(select(LAST_ORDER.c.at, LAST_ORDER.c.order_id))
_PUT_LAST_ORDER = Upsert(LAST_ORDER, ("one",))
_FORGET = [Statement(delete(table)) for table in METADATA.sorted_tables]


class Reach(NamedTuple):
    """How far a partition was counted."""

    next: int = 0
    newest: str = ""


async def add(tx: Transaction, added: Additions, newest: str) -> None:
    """Add to the figures; `newest` is the latest moment of an order in any partition, which ends what it makes too old."""
    await tx.write_many(_ADD_CUSTOMER, _rows("customer_id", added.customers))
    await tx.write_many(_ADD_PRODUCT, _rows("sku", added.products))
    await tx.write_many(
        _ADD_TALLY,
        [
            {"kind": kind, "label": name, "orders": number, "amount": amount}
            for (kind, name), (number, amount) in added.tallies.items()
        ],
    )
    if added.minutes:
        kept = first_minute_kept(newest)
        await tx.write_many(
            _ADD_WINDOW,
            [
                {"size": size, "start": start, "orders": orders, "amount": amount, "late": late}
                for (size, start), (orders, amount, late) in added.windows().items()
                if size != MINUTE or start >= kept
            ],
        )
        await tx.write(_FORGET_MINUTES, {"before": kept})
    if added.last_order > max(await tx.read(_LAST_ORDER), default=("", "")):
        at, order_id = added.last_order
        await tx.write(_PUT_LAST_ORDER, {"one": 1, "order_id": order_id, "at": at})


async def reaches(source: Database | Transaction) -> dict[TopicPartition, Reach]:
    """Give how far every partition was counted; one that never was is absent."""
    return {(topic, partition): Reach(*rest) for topic, partition, *rest in await source.read(_REACHES)}


async def put_reaches(tx: Transaction, reached: Mapping[TopicPartition, Reach]) -> None:
    """Remember how far partitions were counted."""
    await tx.write_many(
        _PUT_REACH,
        [{"topic": topic, "partition": part, **one._asdict()} for (topic, part), one in reached.items()],
    )


async def forget(tx: Transaction) -> None:
    """Forget every figure and every event, so that all are counted again."""
    for statement in _FORGET:
        await tx.write(statement)


async def last_order(database: Database) -> tuple[str, str]:
    """Give the moment and the number of the newest order; empty when there is none."""
    for at, order_id in await database.read(_LAST_ORDER):
        return at, order_id
    return "", ""


async def windows(database: Database, size: str, since: str, until: str, most: int) -> list[Row]:
    """Give start, orders, amount, late orders of the windows from `since` up to, not including, `until`, newest first."""
    return await database.read(_WINDOWS, {"of_size": size, "since": since, "until": until, "most": most})


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
