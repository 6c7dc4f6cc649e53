"""Which orders came by the first published interface."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "first_version_order",
        sa.Column("order_id", sa.String(128), primary_key=True),
        sqlite_with_rowid=False,
    )
