"""The schema registry: schemas by number, the versions of each subject, the mode in which they may change."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables. A schema stands once, however many subjects use it; a subject counts its versions up for ever."""
    op.create_table(
        "subject",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("last_version", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "schema",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.String(128), nullable=False, unique=True),
        sa.Column("kind", sa.String(128), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("refers", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
    )
    op.create_table(
        "version",
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("schema_id", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("version_of_schema", "version", ["schema_id"])
    op.create_table(
        "config",
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("compatibility", sa.String(128), nullable=False),
        sqlite_with_rowid=False,
    )
