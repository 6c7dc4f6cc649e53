"""The tables of po_db."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Index, MetaData, String, Table, UniqueConstraint

from restock.engine.database.columns import count, document, label, moment, scaled
from restock.engine.database.migrate import Schema
from restock.engine.database.once import Once, effect_table
from restock.engine.database.revision import Revision, revision_table
from restock.engine.stream.outbox import Outbox
from restock.engine.stream.tables import outbox_table

SCHEMA = Schema("purchasing", Path(__file__).parent / "migrations")

METADATA = MetaData()
PLAN = Table(
    "plan",
    METADATA,
    label("product_id", primary_key=True),
    label("warehouse_id", primary_key=True),
    scaled("ordered_total"),
    count("version"),
    sqlite_with_rowid=False,
)
PURCHASE_ORDER = Table(
    "purchase_order",
    METADATA,
    label("po_id", primary_key=True),
    label("supplier_id"),
    label("supplier_name"),
    label("currency"),
    label("state"),
    scaled("total_amount"),
    scaled("discount_amount"),
    scaled("tax_amount"),
    scaled("grand_total"),
    moment("created_at"),
    label("created_by"),
    label("expected_on"),
    label("decision_id"),
    label("run_id"),
    label("approved_by"),
    moment("sent_at"),
    label("send_method"),
    count("version"),
    Index("purchase_order_of_state", "state", "po_id"),
    Index("purchase_order_of_supplier", "supplier_id", "po_id"),
    sqlite_with_rowid=False,
)
LINE = Table(
    "purchase_order_line",
    METADATA,
    label("po_id", primary_key=True),
    count("line_no", primary_key=True),
    label("product_id"),
    label("warehouse_id"),
    count("plan_version"),
    scaled("quantity"),
    scaled("purchase_quantity"),
    label("purchase_unit"),
    scaled("unit_price"),
    scaled("total_amount"),
    label("decision_id"),
    scaled("received"),
    # The need: a plan row's version is satisfied by one line, whatever crashes or repeats.
    UniqueConstraint("product_id", "warehouse_id", "plan_version", name="one_line_per_need"),
    sqlite_with_rowid=False,
)
EVENT = Table(
    "po_event",
    METADATA,
    label("po_id", primary_key=True),
    count("version", primary_key=True),
    label("type"),
    moment("at"),
    label("actor"),
    Column("reason", String(1000), nullable=False),
    document("data"),
    sqlite_with_rowid=False,
)
NUMBER = Table("po_number", METADATA, count("year", primary_key=True), count("last"))
DISPATCH = Table(
    "dispatch",
    METADATA,
    label("po_id", primary_key=True),
    label("channel", primary_key=True),
    label("state"),
    count("attempts"),
    moment("at"),
    Column("problem", String(1000), nullable=False),
    Index("dispatch_of_state", "state", "po_id"),
    sqlite_with_rowid=False,
)
OUTBOX = Outbox(outbox_table(METADATA))
ONCE = Once(effect_table(METADATA))
REVISION = Revision(revision_table(METADATA), "purchasing")
