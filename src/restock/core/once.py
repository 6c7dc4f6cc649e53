"""Refuses what is given twice: which of the two is meant is not for a program to guess.

Files are asked the same question line by line, where only the second line is rejected; see `edge/files/tables.py`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TypeVar

from restock.core.errors import InvalidInput

T = TypeVar("T")


def unique_members(pairs: list[tuple[str, T]]) -> dict[str, T]:
    """Make an object of its members, as `object_pairs_hook` of json. Raises InvalidInput naming the member given twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidInput("stands twice in one object.", field=name, remedy="Give it once.")
            seen.add(name)
    return members


def once_each(rows: list[T], field: str, *key: str) -> list[T]:
    """Give the rows of which no two are of one thing, which `key` names; what is said again word for word is left out.

    Raises InvalidInput naming the second row as a member of `field`.
    """
    thing = attrgetter(*key)
    first: dict[object, int] = {}
    once = []
    for place, row in enumerate(rows):
        at = first.setdefault(thing(row), place)
        if at == place:
            once.append(row)
        elif rows[at] != row:
            raise InvalidInput(
                f"contradicts {field}[{at}], which has the same {' and '.join(key)}.",
                field=f"{field}[{place}]",
                remedy="Send one of the two.",
            )
    return once
