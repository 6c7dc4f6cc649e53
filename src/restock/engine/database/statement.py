"""Statements: written once with SQLAlchemy Core, compiled once per dialect, then run as text on the raw driver.

SQLAlchemy's execution layer costs several times the query itself; its compiler is what we want. A statement may hold one
expanding `IN` list (`column.in_(bindparam("ids", expanding=True))`); its text is then made for the list's length, rounded
up to a power of two so that few texts exist, and the list is padded with its last value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.dialects import mysql, postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, ColumnElement, Table
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

MAX_LIST = 512
"""Values in one IN list: far below SQLite's 32,766 variables, and long lists gain nothing beyond a few hundred."""

_EXPANDING = re.compile(r"\(?__\[POSTCOMPILE_(\w+?)\]\)?")


class Statement:
    """One statement, ready for any dialect. Build it at import; it compiles on first use."""

    def __init__(self, clause: ClauseElement) -> None:
        self.clause = clause
        self._texts: dict[str, tuple[str, str]] = {}
        self._expanded: dict[tuple[str, int], str] = {}

    def text(self, dialect: Dialect) -> str:
        """Give the SQL text with named parameters. Not for statements with a list."""
        return self._compiled(dialect)[0]

    def list_name(self, dialect: Dialect) -> str:
        """Give the name of the expanding list, or the empty text."""
        return self._compiled(dialect)[1]

    def expanded(self, dialect: Dialect, parameters: Mapping[str, object]) -> tuple[str, dict[str, object]]:
        """Give text and parameters for a statement with a list of at most `MAX_LIST` values."""
        text, name = self._compiled(dialect)
        values = list(cast("Sequence[object]", parameters[name]))
        size = 1 << (len(values) - 1).bit_length() if values else 1
        key = (dialect.name, size)
        if key not in self._expanded:
            places = ", ".join(f":{name}_{index}" for index in range(size))
            self._expanded[key] = _EXPANDING.sub(f"({places})", text)
        padded = values + [values[-1] if values else None] * (size - len(values))
        flat = {f"{name}_{index}": value for index, value in enumerate(padded)}
        flat.update((other, value) for other, value in parameters.items() if other != name)
        return self._expanded[key], flat

    def _compiled(self, dialect: Dialect) -> tuple[str, str]:
        found = self._texts.get(dialect.name)
        if found is None:
            compiled = self._for(dialect).compile(dialect=dialect)
            text = str(compiled)
            for constant, value in compiled.params.items():
                if isinstance(value, int | str):  # written in the statement, not given with the call
                    text = re.sub(rf":{constant}\b", _literal(value), text)
            match = _EXPANDING.search(text)
            found = self._texts[dialect.name] = (text, match.group(1) if match else "")
        return found

    def _for(self, dialect: Dialect) -> ClauseElement:
        return self.clause


def _literal(value: int | str) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(int(value))


class Upsert(Statement):
    """Insert a row, or replace the one with the same key; each dialect has its own words for it.

    Columns that are not given keep their stored value when `only` names those to replace. Columns in `adds` grow by the
    given value instead of being replaced.
    """

    def __init__(self, table: Table, key: Sequence[str], only: Sequence[str] = (), adds: Sequence[str] = ()) -> None:
        super().__init__(table.insert())
        self._table = table
        self._key = tuple(key)
        self._adds = frozenset(adds)
        self._replaced = tuple(only) or tuple(c.name for c in table.columns if c.name not in self._key)

    def _for(self, dialect: Dialect) -> ClauseElement:
        if dialect.name == "mysql":
            change = mysql.insert(self._table)
            return change.on_duplicate_key_update({name: self._new(name, change.inserted) for name in self._replaced})
        insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        upsert = insert(self._table)
        return upsert.on_conflict_do_update(
            index_elements=self._key, set_={name: self._new(name, upsert.excluded) for name in self._replaced}
        )

    def _new(self, name: str, given: ReadOnlyColumnCollection[str, Any]) -> ColumnElement[Any]:
        new: ColumnElement[Any] = given[name]
        return self._table.c[name] + new if name in self._adds else new
