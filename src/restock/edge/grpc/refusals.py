"""Errors on the wire: the caller gets the same error as if the port were in its own process.

An error is told by the names of its kind and of the kinds above it, the special before the general, with all that it knows.
Where the caller does not know the special kind it gets the next one, with the code and status of the special.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from restock.core.errors import RestockError

_OWN = ("status", "exit_code", "code")
_SIMPLE = (str, int, bool, type(None))


def told(error: RestockError) -> dict[str, object]:
    """Give an error in plain values."""
    kinds = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, RestockError)]
    known = {name: value for name, value in vars(error).items() if isinstance(value, _SIMPLE)}
    return {"kinds": kinds, "own": [getattr(error, name) for name in _OWN], "known": known}


def understood(wire: Mapping[str, Any]) -> RestockError:
    """Make the error again."""
    kind = next((found for name in wire["kinds"] for found in _kinds() if found.__name__ == name), RestockError)
    made = kind.__new__(kind)
    made.args = (wire["known"].get("what", ""),)
    vars(made).update(wire["known"])
    for name, value in zip(_OWN, wire["own"], strict=True):
        if getattr(made, name) != value:
            vars(made)[name] = value
    return made


def _kinds(top: type[RestockError] = RestockError) -> Iterator[type[RestockError]]:
    """Give every kind of error that this process has loaded."""
    yield top
    for each in top.__subclasses__():
        yield from _kinds(each)
