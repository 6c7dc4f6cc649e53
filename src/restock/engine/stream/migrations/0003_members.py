"""Members of groups, and who owns a partition."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "member",
        sa.Column("consumer_group", sa.String(128), primary_key=True),
        sa.Column("member_id", sa.String(36), primary_key=True),
        sa.Column("topics", sa.Text, nullable=False),
    )
    op.add_column("committed", sa.Column("owner", sa.String(36), nullable=False, server_default=""))
    op.add_column("committed", sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"))
