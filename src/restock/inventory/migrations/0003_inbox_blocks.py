"""What had its effect is remembered in blocks of identifiers."""

from alembic import op

from restock.engine.stream.tables import create_blocks

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the blocks; the inbox keeps what it holds, and is asked as long as such old events may come again."""
    create_blocks(op)
