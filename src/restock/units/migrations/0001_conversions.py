"""Conversions and the revision counter."""

import sqlalchemy as sa
from alembic import op

from restock.engine.database.revision import create_revision

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "uom_conversion",
        sa.Column("product_id", sa.String(128), primary_key=True),
        sa.Column("from_uom", sa.String(128), primary_key=True),
        sa.Column("to_uom", sa.String(128), primary_key=True),
        sa.Column("conversion_factor", sa.BigInteger, nullable=False),
        sa.Column("last_updated", sa.String(27), nullable=False),
        sqlite_with_rowid=False,
    )
    create_revision(op, "units")
