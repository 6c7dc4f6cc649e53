"""Figures by customer, product and kind; inbox."""

import sqlalchemy as sa
from alembic import op

from restock.engine.stream.tables import create_inbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    def figures() -> list[sa.Column[int]]:
        return [sa.Column(name, sa.BigInteger, nullable=False) for name in ("orders", "amount")]

    op.create_table(
        "customer", sa.Column("customer_id", sa.String(128), primary_key=True), *figures(), sqlite_with_rowid=False
    )
    op.create_table("product", sa.Column("sku", sa.String(128), primary_key=True), *figures(), sqlite_with_rowid=False)
    op.create_table(
        "tally",
        sa.Column("kind", sa.String(128), primary_key=True),
        sa.Column("label", sa.String(128), primary_key=True),
        *figures(),
        sqlite_with_rowid=False,
    )
    create_inbox(op)
