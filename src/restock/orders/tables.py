"""The tables of the orders context."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, MetaData, Table, Text

from restock.engine.database.columns import count, document, identifier, label, moment, scaled, sequence
from restock.engine.database.migrate import Schema
from restock.engine.database.once import effect_table
from restock.engine.database.revision import Revision, revision_table
from restock.engine.stream.tables import outbox_table

SCHEMA = Schema("orders", Path(__file__).parent / "migrations")

METADATA = MetaData()

CUSTOMER_ORDER = Table(
    "customer_order",
    METADATA,
    sequence("seq"),
    label("order_id", unique=True),
    label("customer_id"),
    document("items"),
    scaled("total_amount"),
    Column("shipping_address", Text),
    label("status"),
    moment("created_at"),
)
FIRST_VERSION_ORDER = Table(
    "first_version_order", METADATA, label("order_id", primary_key=True), sqlite_with_rowid=False
)
OUTBOX = outbox_table(METADATA)
EFFECT = effect_table(METADATA)
DEMAND = Table(
    "demand",
    METADATA,
    label("product_id", primary_key=True),
    scaled("demand_per_day"),
    label("trend"),
    count("window_days"),
    moment("as_of"),
    label("source"),
    moment("last_updated"),
)
HISTORY_LINE = Table(
    "history_line",
    METADATA,
    identifier("key", primary_key=True),
    label("kind"),
    moment("day"),
    label("product_id"),
    scaled("quantity"),
    scaled("price"),
    label("reference"),
    label("customer_id"),
)
HISTORY_IMPORT = Table(
    "history_import",
    METADATA,
    label("digest", primary_key=True),
    document("file"),
    count("lines"),
    count("sales"),
    count("returns"),
    count("rejected"),
    moment("at"),
)
REVISION = Revision(revision_table(METADATA), "orders")
