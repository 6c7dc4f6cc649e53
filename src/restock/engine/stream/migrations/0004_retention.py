"""What a topic keeps, and the bytes of each partition, which were summed over all batches before."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns. What is there keeps everything, as before."""
    op.add_column("topic", sa.Column("retention_ms", sa.BigInteger, nullable=False, server_default="-1"))
    op.add_column("topic", sa.Column("retention_bytes", sa.BigInteger, nullable=False, server_default="-1"))
    op.add_column("topic", sa.Column("keep_unread", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("partition", sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"))
    batch = sa.table("record_batch", *map(sa.column, ("topic", "partition", "batch")))
    part = sa.table("partition", *map(sa.column, ("topic", "partition", "bytes")))
    stored = sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(batch.c.batch)), 0)).where(
        batch.c.topic == part.c.topic, batch.c.partition == part.c.partition
    )
    op.get_bind().execute(sa.update(part).values(bytes=stored.scalar_subquery()))
