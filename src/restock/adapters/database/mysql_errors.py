"""What the errors of MySQL and MariaDB mean for the caller."""

from __future__ import annotations

from asyncmy.errors import IntegrityError, MySQLError

from restock.core.errors import InvalidInput, RestockError, StorageFull, StorageUnusable, Unavailable
from restock.engine.database.port import KeyTaken

LOST = frozenset({2003, 2006, 2013, 2055, 1053, 1927, 1158, 1159, 1160, 1161})
"""The connection or the server is gone: nothing of the transaction is stored, or whether it is is not known."""

UNDONE = frozenset({1205, 1213})
"""The server gave a transaction up: it waited too long, or two waited for one another."""

_FULL = frozenset({1021, 1114, 3, 28})
_REFUSED = frozenset({1044, 1045, 1049, 1142, 1698})
_TOO_LONG = frozenset({1264, 1406, 1153})


def number_of(error: BaseException) -> int:
    """Give the server's number of an error; a connection that broke has that of a lost one."""
    if isinstance(error, OSError | EOFError):
        return 2013
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def translated(error: BaseException, place: str) -> RestockError:
    """Give the Restock error for a driver's error: what happened, in which database, what to do."""
    number = number_of(error)
    text = str(error.args[1]) if isinstance(error, MySQLError) and len(error.args) > 1 else str(error)
    if number == 1062 or (isinstance(error, IntegrityError) and number not in _TOO_LONG):
        return KeyTaken(f"The row is already there or breaks a rule of {place} ({text}).")
    if number in LOST:
        return Unavailable(f"The database {place} does not answer: {text}.", remedy="Try again in a moment.")
    if number in UNDONE:
        return Unavailable(f"The database {place} is busy: {text}.", remedy="Try again in a moment.")
    if number in _FULL:
        return StorageFull(
            f"{place} cannot be written: {text}.",
            remedy="Free disk space on its server and try again; nothing that was acknowledged is lost.",
        )
    if number in _REFUSED:
        return StorageUnusable(
            f"The database {place} cannot be used: {text}.",
            remedy="Run `restock setup databases` and `restock migrate` as its administrator.",
        )
    if number in _TOO_LONG:
        return InvalidInput(f"A value is too large for {place}: {text}.")
    return StorageUnusable(f"{place} refused a statement: {text}.", remedy="This is a defect: please report it.")
