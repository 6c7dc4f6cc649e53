"""The tables of a small consumer and producer: outbox, inbox, and an effect that shows when it happens twice."""

import sqlalchemy as sa
from alembic import op

from restock.engine.stream.tables import batch_outbox, create_inbox, create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_outbox(op)
    batch_outbox(op)
    create_inbox(op)
    op.create_table(
        "effect",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
    )
