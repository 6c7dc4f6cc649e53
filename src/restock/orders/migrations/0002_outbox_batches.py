"""Events that are committed together wait in one row."""

from alembic import op

from restock.engine.stream.tables import batch_outbox

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    batch_outbox(op)
