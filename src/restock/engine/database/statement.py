"""Statements: written once with SQLAlchemy Core, compiled once per dialect, then run as text on the raw driver.

SQLAlchemy's execution layer costs several times the query itself; its compiler is what we want. A statement may hold one
expanding `IN` list (`column.in_(bindparam("ids", expanding=True))`); its text is then made for the list's length, rounded
up to a power of two so that few texts exist, and the list is padded with its last value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy.dialects import mysql, postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, ColumnElement, Table
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

MAX_LIST = 512
"""Values in one IN list: far below SQLite's 32,766 variables, and long lists gain nothing beyond a few hundred."""

_PARAMETER = re.compile(r"\(?__\[POSTCOMPILE_(?P<list>\w+?)\]\)?|:(?P<name>\w+)")
_ONE_ROW = re.compile(r" VALUES (\([?, ]+\))")
_LIST = "[list]"

_PLACEHOLDERS = {"sqlite": "?", "mysql": "%s"}
"""What stands for a value in the text that a driver takes."""


class Compiled(NamedTuple):
    """A statement in one dialect: SQL with a placeholder per value, and the names of the values in their order."""

    text: str
    placeholder: str
    names: tuple[str, ...]
    list_name: str
    values: Callable[[Mapping[str, object]], Sequence[object]]
    """Takes the values out of named parameters."""

    def repeated(self, rows: int) -> str:
        """Give the text of an INSERT for so many rows at once; empty for any other statement."""
        found = _ONE_ROW.search(self.text) if self.text.startswith("INSERT") else None
        if found is None or found[1].count("?") != len(self.names):
            return ""
        return self.text[: found.start(1)] + ", ".join([found[1]] * rows) + self.text[found.end(1) :]


class Statement:
    """One statement, ready for any dialect. Build it at import; it compiles on first use."""

    def __init__(self, clause: ClauseElement) -> None:
        self.clause = clause
        self._compiled: dict[str, Compiled] = {}
        self._expanded: dict[tuple[str, int], str] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        """Give the statement in a dialect, with the placeholders of its driver."""
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = self._compile(dialect)
        return found

    def expanded(self, dialect: Dialect, parameters: Mapping[str, object]) -> tuple[str, list[object]]:
        """Give text and values for a statement with a list of at most `MAX_LIST` values."""
        one = self.compiled(dialect)
        listed = list(cast("Sequence[object]", parameters[one.list_name]))
        size = 1 << (len(listed) - 1).bit_length() if listed else 1
        text = self._expanded.get((dialect.name, size))
        if text is None:
            text = one.text.replace(_LIST, ", ".join([one.placeholder] * size))
            self._expanded[dialect.name, size] = text
        padded = listed + [listed[-1] if listed else None] * (size - len(listed))
        values: list[object] = []
        for name in one.names:
            if name == one.list_name:
                values += padded
            else:
                values.append(parameters[name])
        return text, values

    def _compile(self, dialect: Dialect) -> Compiled:
        compiled = self._for(dialect).compile(dialect=dialect)
        placeholder = _PLACEHOLDERS[dialect.name]
        constants = {name: value for name, value in compiled.params.items() if isinstance(value, int | str)}
        names: list[str] = []
        list_name = ""

        def place(match: re.Match[str]) -> str:
            nonlocal list_name
            name = match["list"] or match["name"]
            if name in constants:  # written in the statement, not given with the call
                return _literal(constants[name])
            names.append(name)
            if match["list"]:
                list_name = name
                return f"({_LIST})"
            return placeholder

        plain = str(compiled).replace("%", "%%") if "%" in placeholder else str(compiled)
        return Compiled(_PARAMETER.sub(place, plain), placeholder, tuple(names), list_name, _taking(names))

    def _for(self, dialect: Dialect) -> ClauseElement:
        return self.clause


def _taking(names: Sequence[str]) -> Callable[[Mapping[str, object]], Sequence[object]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda parameters: [parameters[name] for name in names]


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
