"""The tables of a small context: notes, and a number that must stay the sum of them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "note",
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("word", sa.String(128), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "blob", sa.Column("key", sa.String(128), primary_key=True), sa.Column("text", sa.Text, nullable=False)
    )
