"""Records that are published together stand in one row per partition: a row each cost more than the record."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of batches, and batches of one of what there is.

    A batch is a MessagePack array of [key, value, headers]; its first record has the offset `base`.
    """
    new = op.create_table(
        "record_batch",
        sa.Column("topic", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("base", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("batch", sa.LargeBinary(4 << 20), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sqlite_with_rowid=False,
    )
    names = ("topic", "partition", "offset", "key", "value", "headers", "at")
    old = sa.table("record", *map(sa.column, names))
    connection = op.get_bind()
    for topic, partition, offset, key, value, headers, at in connection.execute(sa.select(old)).fetchall():
        batch = msgspec.msgpack.encode([[key, value, msgspec.json.decode(headers)]])
        row = {"topic": topic, "partition": partition, "base": offset, "records": 1, "batch": batch, "at": at}
        connection.execute(sa.insert(new).values(row))
    op.drop_table("record")
