"""What SQLite's errors mean for the caller."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from restock.core.errors import InvalidInput, RestockError, StorageFull, StorageUnusable, Unavailable
from restock.engine.database.port import KeyTaken


def translated(error: sqlite3.Error, path: Path) -> RestockError:
    """Give the Restock error for a driver's error: what happened, to which store, what to do."""
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        return KeyTaken(f"The row is already there or breaks a rule of {path.stem} ({text}).")
    if "disk is full" in text or "disk I/O error" in text:
        return StorageFull(
            f"{path.name} cannot be written: {text}.",
            remedy="Free disk space and try again; nothing that was acknowledged is lost.",
        )
    if "locked" in text or "busy" in text:
        return Unavailable(f"{path.name} is busy: {text}.", remedy="Try again in a moment.")
    if "readonly" in text:
        return StorageUnusable(f"{path} is read-only.", remedy="Give this user the right to write it.")
    if "not a database" in text or "malformed" in text or "encrypted" in text:
        return StorageUnusable(f"{path} is damaged or no database: {text}.", remedy="Restore a backup.")
    if "unable to open" in text:
        return StorageUnusable(f"{path} cannot be opened.", remedy="Check RESTOCK_HOME and its permissions.")
    if isinstance(error, sqlite3.DataError) or "too big" in text or "too large" in text:
        return InvalidInput(f"A value is too large for {path.name}: {text}.")
    return StorageUnusable(f"{path.name} refused a statement: {text}.", remedy="This is a defect: please report it.")
