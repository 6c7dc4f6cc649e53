"""Producers of other programs: their epochs, how far their sequences are, and transactions that are not yet committed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables. A batch is a MessagePack array of [key, value, headers], as in the log."""
    op.create_table(
        "producer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("transactional_id", sa.String(128), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.String(27), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("producer_by_name", "producer", ["transactional_id"])
    op.create_table(
        "producer_sequence",
        sa.Column("producer", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("topic", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("last_offset", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "producer_transaction",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("producer", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(128), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("transaction_by_producer", "producer_transaction", ["producer"])
    op.create_table(
        "transaction_batch",
        sa.Column("transaction_id", sa.String(36), primary_key=True),
        sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("topic", sa.BigInteger, nullable=False),
        sa.Column("partition", sa.BigInteger, nullable=False),
        sa.Column("batch", sa.LargeBinary(4 << 20), nullable=False),
        sqlite_with_rowid=False,
    )
