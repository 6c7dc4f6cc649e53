"""The calls of a port over gRPC: `restock.v1.<Port>` with a method for each of the port's own, derived from its types.

Server and client are made from the same table, so a call that is added to a port is there on both sides.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from restock.edge.grpc.columns import Column, column, decoded, encoded
from restock.services import OPERATIONS

PACKAGE = "restock.v1"

CALL_SECONDS = 10
"""How long a neighbour may take to answer when nobody says otherwise."""


class Call(NamedTuple):
    """One method of a port: its name on the wire, its arguments by name, what it gives, and how long that may take."""

    method: str
    path: str
    arguments: tuple[tuple[str, Column], ...]
    reply: Column
    seconds: int

    def asked(self, given: Sequence[object], named: Mapping[str, object]) -> bytes:
        """Write the arguments of a call."""
        values: dict[str, object] = {name: value for (name, _), value in zip(self.arguments, given, strict=False)}
        values |= named
        return encoded({name: column.pack([values[name]]) for name, column in self.arguments if name in values})

    def arguments_of(self, data: bytes) -> dict[str, Any]:
        """Read the arguments of a call. Raises what reading raises, and KeyError for one that is missing."""
        found = decoded(data)
        return {name: column.unpack(found[name], 1)[0] for name, column in self.arguments}

    def answered(self, reply: object) -> bytes:
        """Write what a call gives."""
        return encoded(self.reply.pack([reply]))

    def reply_of(self, data: bytes) -> Any:
        """Read what a call gave."""
        return self.reply.unpack(decoded(data), 1)[0]


def service_name(port: type) -> str:
    """Give the full name of the gRPC service of a port."""
    return f"{PACKAGE}.{port.__name__}"


@cache
def calls_of(name: str, port: type) -> dict[str, Call]:
    """Give the calls of a port by the names of its methods; `name` is that of the port in the table of operations."""
    return {method: _call(name, port, method) for method in _methods(port)}


def _methods(port: type) -> Iterator[str]:
    for each in dir(port):
        if not each.startswith("_") and inspect.iscoroutinefunction(getattr(port, each)):
            yield each


def _call(name: str, port: type, method: str) -> Call:
    hints = get_type_hints(getattr(port, method))
    reply = hints.pop("return")
    operation = OPERATIONS.get(f"{name}.{method}")
    shown = "".join(part.title() for part in method.split("_"))
    return Call(
        method,
        f"/{service_name(port)}/{shown}",
        tuple((argument, column(hint)) for argument, hint in hints.items()),
        column(reply),
        operation.seconds if operation else CALL_SECONDS,
    )
