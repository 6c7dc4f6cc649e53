"""The first line of a file: which column is which field."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from restock.core.errors import InvalidInput


def fields_of(columns: Sequence[str], mapping: Mapping[str, str], required: Collection[str], file: str) -> list[str]:
    """Give the field of each column: the mapped one, else the column's own name.

    Raises InvalidInput for a mapped column that is not there, a field that is missing or stands twice.
    """
    names = [column.strip() for column in columns]
    for column in mapping:
        if column not in names:
            raise _missing(f"There is no column {column!r} to map.", column, names, file)
    fields = [mapping.get(name, name) for name in names]
    for field in required:
        if field not in fields:
            free = [name for name in names if name not in mapping]
            raise _missing(f"The column {field!r} is missing.", field, free or names, file)
    twice = sorted({field for field in fields if field and fields.count(field) > 1})
    if twice:
        raise InvalidInput(f"The column {twice[0]!r} stands twice.", field=f"{file}:1")
    return fields


def _missing(what: str, wanted: str, names: Sequence[str], file: str) -> InvalidInput:
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(wanted.lower(), by_lower, 1, 0.4)
    remedy = f"Did you mean {by_lower[near[0]]!r}? Map it: --map '{by_lower[near[0]]}={wanted}'." if near else ""
    return InvalidInput(what, field=f"{file}:1", remedy=remedy or f"The file has {', '.join(names)}.")
