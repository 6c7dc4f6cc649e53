"""Stock, products, backorders, outbox, inbox, revision."""

import sqlalchemy as sa
from alembic import op

from restock.engine.database.revision import create_revision
from restock.engine.stream.tables import create_inbox, create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "inventory_levels",
        sa.Column("product_id", sa.String(128), primary_key=True),
        sa.Column("warehouse_id", sa.String(128), primary_key=True),
        sa.Column("on_hand", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("backordered", sa.BigInteger, nullable=False),
        sa.Column("received_total", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("last_updated", sa.String(27), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "item",
        sa.Column("product_id", sa.String(128), primary_key=True),
        sa.Column("description", sa.String(128), nullable=False),
        sa.Column("stock_unit", sa.String(128), nullable=False),
        sa.Column("safety_stock", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "backorder",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("order_id", sa.String(128), nullable=False),
        sa.Column("product_id", sa.String(128), nullable=False),
        sa.Column("warehouse_id", sa.String(128), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(128), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
    )
    op.create_index("backorder_of_product", "backorder", ["product_id"])
    create_outbox(op)
    create_inbox(op)
    create_revision(op, "inventory")
