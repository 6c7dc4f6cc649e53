"""Windows of event time, the newest order of each partition, and the identifiers of counted events in blocks.

The figures are counted again from the start of the stream: what was counted before had no windows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; forget the figures, so that the next run counts every event again."""
    for table in ("customer", "product", "tally", "inbox"):
        op.execute(sa.table(table).delete())
    op.create_table(
        "figure_window",
        sa.Column("size", sa.String(128), primary_key=True),
        sa.Column("start", sa.String(27), primary_key=True),
        sa.Column("orders", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("late", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reach",
        sa.Column("topic", sa.String(128), primary_key=True),
        sa.Column("partition", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("newest", sa.String(27), nullable=False),
        sa.Column("last_id", sa.String(36), nullable=False),
        sa.Column("blocks", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "seen_block",
        sa.Column("topic", sa.String(128), primary_key=True),
        sa.Column("partition", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("first_id", sa.String(36), nullable=False),
        sa.Column("last_id", sa.String(36), nullable=False),
        sa.Column("ids", sa.LargeBinary(1 << 20), nullable=False),
    )
    op.create_index("ix_seen_block_last", "seen_block", ["topic", "partition", "last_id"])
    op.create_table(
        "last_order",
        sa.Column("one", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("order_id", sa.String(128), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sqlite_with_rowid=False,
    )
