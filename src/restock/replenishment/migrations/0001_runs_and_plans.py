"""Runs with their traces, plans, proposals, skips, inbox."""

import sqlalchemy as sa
from alembic import op

from restock.engine.stream.tables import create_inbox

revision = "0001"
down_revision = None


def label(name: str, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(128), primary_key=primary_key, nullable=False)


def identifier(name: str, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(36), primary_key=primary_key, nullable=False)


def number(name: str, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=primary_key, nullable=False)


def moment(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(27), nullable=False)


def document(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.create_table(
        "cohort",
        identifier("cohort_id", primary_key=True),
        label("flow"),
        moment("at"),
        number("runs"),
        number("queries"),
        number("query_us"),
        document("timings"),
    )
    op.create_table(
        "run",
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
    )
    op.create_index("run_of_product", "run", ["product_id", "run_id"])
    _plans()


def _plans() -> None:
    op.create_table(
        "plan_run",
        sa.Column("plan_no", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        label("warehouse_id"),
        moment("at"),
        number("products"),
        document("outcomes"),
        document("amounts"),
        label("digest"),
        document("basis"),
        label("state"),
    )
    op.create_table(
        "proposal",
        number("plan_no", primary_key=True),
        label("product_id", primary_key=True),
        label("warehouse_id"),
        label("supplier_id"),
        label("supplier_name"),
        label("currency"),
        number("quantity"),
        label("stock_unit"),
        number("purchase_quantity"),
        label("purchase_unit"),
        number("unit_price"),
        number("total_amount"),
        number("shortage"),
        label("approval_status"),
        document("reason"),
        label("decision_id"),
        number("plan_version"),
        number("lead_time_days"),
        label("state"),
        label("po_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "skip",
        number("plan_no", primary_key=True),
        label("product_id", primary_key=True),
        label("outcome"),
        document("reason"),
        sqlite_with_rowid=False,
    )
    create_inbox(op, prefix="replenishment_")
