"""A glance into a store before anything is opened: whether a table has rows. It loads nothing but the driver."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def has_rows(path: Path, table: str) -> bool:
    """Tell whether a table has a row; it has none when there is no such file, or not yet such a table."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone())  # noqa: S608 - our own name
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            return False
        from restock.adapters.database.sqlite_errors import translated  # noqa: PLC0415 - it loads SQLAlchemy

        raise translated(error, path) from error
