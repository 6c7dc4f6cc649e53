"""Orders with outbox and effects, demand, imported history and the revision counter."""

import sqlalchemy as sa
from alembic import op

from restock.engine.stream.tables import create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "customer_order",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("order_id", sa.String(128), nullable=False, unique=True),
        sa.Column("customer_id", sa.String(128), nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("total_amount", sa.BigInteger, nullable=False),
        sa.Column("shipping_address", sa.Text, nullable=True),
        sa.Column("status", sa.String(128), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
    )
    create_outbox(op)
    op.create_table(
        "effect",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(128), nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
    )
    op.create_table(
        "demand",
        sa.Column("product_id", sa.String(128), primary_key=True),
        sa.Column("demand_per_day", sa.BigInteger, nullable=False),
        sa.Column("trend", sa.String(128), nullable=False),
        sa.Column("window_days", sa.BigInteger, nullable=False),
        sa.Column("as_of", sa.String(27), nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("last_updated", sa.String(27), nullable=False),
    )
    _history()
    revision_table = op.create_table(
        "revision",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revision_table, [{"name": "orders", "value": 0}])


def _history() -> None:
    op.create_table(
        "history_line",
        sa.Column("key", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(128), nullable=False),
        sa.Column("day", sa.String(27), nullable=False),
        sa.Column("product_id", sa.String(128), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("reference", sa.String(128), nullable=False),
        sa.Column("customer_id", sa.String(128), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "history_import",
        sa.Column("digest", sa.String(128), primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("lines", sa.BigInteger, nullable=False),
        sa.Column("sales", sa.BigInteger, nullable=False),
        sa.Column("returns", sa.BigInteger, nullable=False),
        sa.Column("rejected", sa.BigInteger, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
    )
