"""What people may ask about dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from restock.core.operation import Operation, Permission


@dataclass(frozen=True)
class LettersRequest:
    """The letters of one group, or of all; with `decided` also those that were replayed or discarded."""

    group: str = ""
    decided: bool = False


@dataclass(frozen=True)
class VerdictRequest:
    """What to do with a letter: who says so, and why."""

    letter: str
    actor: str = "restock"
    note: str = ""


@dataclass(frozen=True)
class LetterState:
    """A record that a group could not handle: where from, why, in how many attempts, and what was decided.

    `value` is given as far as it is text.
    """

    letter: str
    group: str
    topic: str
    partition: int
    offset: int
    key: str
    value: str
    reason: str
    at: str
    attempts: int
    verdict: str
    actor: str
    note: str


class DeadLetterDesk(Protocol):
    """Where people decide on dead letters."""

    async def list(self, request: LettersRequest) -> list[LetterState]:
        """Give the letters, oldest first."""
        ...

    async def replay(self, request: VerdictRequest) -> LetterState:
        """Publish the original once more where it came from. Raises NotFound, Conflict when it was decided."""
        ...

    async def discard(self, request: VerdictRequest) -> LetterState:
        """Put a letter aside for good. Raises NotFound, Conflict when it was decided, InvalidInput without a note."""
        ...


OPERATIONS = (
    Operation(
        "dlq.list", LettersRequest, list[LetterState], "GET", "/api/v1/dead-letters", "What could not be handled"
    ),
    Operation(
        "dlq.replay",
        VerdictRequest,
        LetterState,
        "POST",
        "/api/v1/dead-letters/{letter}/replay",
        "Give a dead letter to its group again",
        Permission.ADMINISTER,
        writes=True,
    ),
    Operation(
        "dlq.discard",
        VerdictRequest,
        LetterState,
        "POST",
        "/api/v1/dead-letters/{letter}/discard",
        "Put a dead letter aside for good",
        Permission.ADMINISTER,
        writes=True,
    ),
)
