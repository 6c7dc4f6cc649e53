"""The embedded log: topics, their partitions, the records, and how far each group has come."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables. Records are clustered by their place, so a read is one walk along the file."""
    op.create_table(
        "topic",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("id", sa.BigInteger, nullable=False, unique=True),
        sa.Column("partitions", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
    )
    op.create_table(
        "partition",
        sa.Column("topic", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("low", sa.BigInteger, nullable=False),
        sa.Column("high", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "record",
        sa.Column("topic", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary(1 << 20), nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "committed",
        sa.Column("consumer_group", sa.String(128), primary_key=True),
        sa.Column("topic", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
