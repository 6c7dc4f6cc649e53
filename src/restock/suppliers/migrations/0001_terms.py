"""Supplier terms and the revision counter."""

import sqlalchemy as sa
from alembic import op

from restock.engine.database.revision import create_revision

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "supplier_info",
        sa.Column("product_id", sa.String(128), primary_key=True),
        sa.Column("supplier_id", sa.String(128), primary_key=True),
        sa.Column("supplier_name", sa.String(128), nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
        sa.Column("moq", sa.BigInteger, nullable=False),
        sa.Column("order_multiple", sa.BigInteger, nullable=False),
        sa.Column("purchase_unit", sa.String(128), nullable=False),
        sa.Column("lead_time_days", sa.BigInteger, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("currency", sa.String(128), nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("last_updated", sa.String(27), nullable=False),
        sqlite_with_rowid=False,
    )
    create_revision(op, "suppliers")
