"""The blocks of identifiers stand where every consumer has them; what they hold goes with them."""

import sqlalchemy as sa
from alembic import op

from restock.engine.stream.tables import create_blocks

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Carry the blocks over; the greatest identifier of a partition is that of its last block."""
    create_blocks(op)
    names = ("topic", "partition", "number", "first_id", "last_id", "ids")
    old = sa.table("seen_block", *map(sa.column, names))
    new = sa.table("inbox_block", sa.column("consumer"), *map(sa.column, names))
    after = old.alias("before")
    greatest = (
        sa.select(sa.func.max(after.c.last_id))
        .where(after.c.topic == old.c.topic, after.c.partition == old.c.partition, after.c.number <= old.c.number)
        .scalar_subquery()
    )
    columns = [greatest if name == "last_id" else old.c[name] for name in names]
    op.execute(sa.insert(new).from_select(["consumer", *names], sa.select(sa.literal("analytics"), *columns)))
    op.drop_table("seen_block")
    op.drop_column("reach", "last_id")
    op.drop_column("reach", "blocks")
