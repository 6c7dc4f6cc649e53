"""One table of operations: what a port can be asked, declared once.

REST routes, command-line commands, the OpenAPI document and the time limits of gRPC calls are derived from these
declarations (later the permission matrix too). A port lists its own in a tuple; `restock.services` gathers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Permission(StrEnum):
    """Who may call an operation, from the least to the most."""

    VIEW = "view"
    BUY = "buy"
    APPROVE = "approve"
    ADMINISTER = "administer"


@dataclass(frozen=True)
class Operation:
    """One call of a port.

    `name` is `port.method`; `request` is a frozen dataclass, its fields become body, query or path parameters; `verb`
    and `path` place it under REST (path parameters in braces name request fields). `writes` says that it changes state
    and so takes an idempotency key. `seconds` is how long another process waits for the answer.
    """

    name: str
    request: type
    reply: object
    verb: str
    path: str
    summary: str
    permission: Permission = Permission.VIEW
    writes: bool = False
    status: int = 200
    seconds: int = 10
    examples: Mapping[str, object] = field(default_factory=dict)

    @property
    def port(self) -> str:
        """The port's name: the part before the dot."""
        return self.name.partition(".")[0]

    @property
    def method(self) -> str:
        """The method's name: the part after the dot."""
        return self.name.partition(".")[2]
