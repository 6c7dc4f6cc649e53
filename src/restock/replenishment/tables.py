"""The tables that replenishment keeps in decisions_db: runs with their traces, plans, proposals."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Index, MetaData, Table

from restock.engine.database.columns import count, document, identifier, label, moment, scaled, sequence
from restock.engine.database.migrate import Schema
from restock.engine.stream.inbox import Inbox
from restock.engine.stream.tables import inbox_table

SCHEMA = Schema("replenishment", Path(__file__).parent / "migrations")

METADATA = MetaData()
COHORT = Table(
    "cohort",
    METADATA,
    identifier("cohort_id", primary_key=True),
    label("flow"),
    moment("at"),
    count("runs"),
    count("queries"),
    count("query_us"),
    document("timings"),
)
RUN = Table(
    "run",
    METADATA,
    identifier("run_id", primary_key=True),
    identifier("cohort_id"),
    label("flow"),
    label("product_id"),
    moment("at"),
    label("outcome"),
    document("message"),
    label("po_id"),
    label("decision_id"),
    document("context"),
    document("notes"),
    Index("run_of_product", "product_id", "run_id"),
)
PLAN_RUN = Table(
    "plan_run",
    METADATA,
    sequence("plan_no"),
    label("warehouse_id"),
    moment("at"),
    count("products"),
    document("outcomes"),
    document("amounts"),
    label("digest"),
    document("basis"),
    label("state"),
)
PROPOSAL = Table(
    "proposal",
    METADATA,
    count("plan_no", primary_key=True),
    label("product_id", primary_key=True),
    label("warehouse_id"),
    label("supplier_id"),
    label("supplier_name"),
    label("currency"),
    scaled("quantity"),
    label("stock_unit"),
    scaled("purchase_quantity"),
    label("purchase_unit"),
    scaled("unit_price"),
    scaled("total_amount"),
    scaled("shortage"),
    label("approval_status"),
    document("reason"),
    label("decision_id"),
    count("plan_version"),
    count("lead_time_days"),
    label("state"),
    label("po_id"),
    sqlite_with_rowid=False,
)
SKIP = Table(
    "skip",
    METADATA,
    count("plan_no", primary_key=True),
    label("product_id", primary_key=True),
    label("outcome"),
    document("reason"),
    sqlite_with_rowid=False,
)
INBOX = Inbox(inbox_table(METADATA, prefix="replenishment_"), "replenishment")
