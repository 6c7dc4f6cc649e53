"""What the decisions context promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from restock.core.errors import RestockError
from restock.core.operation import Operation, Permission
from restock.core.value import value

Facts = Mapping[str, object]
"""Named values: int, Decimal or decimal text for numbers, bool, text."""


@dataclass(frozen=True)
class DecideRequest:
    """Facts to decide on, a mapping per decision; `module` runs only the rules of that module.

    `subjects` says for each what it is about, `record` whether it is kept to be explained later.
    """

    rulebook: str
    facts: Sequence[Facts]
    module: str = ""
    subjects: Sequence[str] = ()
    record: bool = True
    engine: str = "row"


@value
class Decision:
    """The values that the rules gave, the rules that fired in order, and the completed facts they saw."""

    decision_id: str
    rulebook: str
    version: str
    outputs: Mapping[str, object]
    fired: tuple[str, ...]
    facts: Facts


@dataclass(frozen=True)
class Decided:
    """For each set of facts a decision, or why there is none."""

    results: list[Decision | RestockError]


@dataclass(frozen=True)
class DecisionRequest:
    """Which stored decision."""

    decision_id: str


@dataclass(frozen=True)
class StoredDecision:
    """A decision as it was kept."""

    decision_id: str
    rulebook: str
    version: str
    module: str
    subject: str
    at: str
    outputs: dict[str, object]
    fired: list[str]
    facts: dict[str, object]


@dataclass(frozen=True)
class FiredRule:
    """A rule that fired, with what it read and wrote."""

    name: str
    salience: int
    reads: dict[str, object]
    writes: dict[str, object]


@dataclass(frozen=True)
class SilentRule:
    """A rule that did not fire: its first false condition and the values in it."""

    name: str
    condition: str
    actual: dict[str, object]
    hint: str = ""


@dataclass(frozen=True)
class Explanation:
    """Why a decision is as it is."""

    decision: StoredDecision
    fired: list[FiredRule]
    not_fired: list[SilentRule]


@dataclass(frozen=True)
class RulebooksRequest:
    """Ask for all rulebooks."""


@dataclass(frozen=True)
class RulebookRequest:
    """Which rulebook."""

    name: str


@dataclass(frozen=True)
class RulebookInfo:
    """A rulebook: its version is the hash of its canonical form, `engines` says what it runs on, or why not."""

    name: str
    version: str
    source: str
    rules: list[str]
    inputs: list[str]
    outputs: list[str]
    engines: dict[str, str] = field(default_factory=dict)
    text: str = ""


class Decisions(Protocol):
    """Decides."""

    async def decide(self, request: DecideRequest) -> Decided:
        """Decide on each set of facts; recorded decisions are durable before the reply."""
        ...

    async def keep(self, decisions: Sequence[Decision], subjects: Sequence[str]) -> list[str]:
        """Keep decisions that were made without being recorded; durable on return. Give the identifiers they get."""
        ...

    async def decision(self, request: DecisionRequest) -> StoredDecision:
        """Give a stored decision. Raises NotFound."""
        ...

    async def explain(self, request: DecisionRequest) -> Explanation:
        """Run a stored decision again and say which rules fired, and why the others did not."""
        ...

    async def rulebooks(self, request: RulebooksRequest) -> list[RulebookInfo]:
        """Give the rulebooks, without their text."""
        ...

    async def rulebook(self, request: RulebookRequest) -> RulebookInfo:
        """Give one rulebook with its text. Raises NotFound with the nearest name."""
        ...


OPERATIONS = (
    Operation(
        "decisions.decision",
        DecisionRequest,
        StoredDecision,
        "GET",
        "/api/v1/decisions/{decision_id}",
        "A stored decision",
    ),
    Operation(
        "decisions.explain",
        DecisionRequest,
        Explanation,
        "GET",
        "/api/v1/decisions/{decision_id}/explanation",
        "Why a decision is as it is",
    ),
    Operation(
        "decisions.rulebooks",
        RulebooksRequest,
        list[RulebookInfo],
        "GET",
        "/api/v1/rulebooks",
        "The rulebooks in use",
    ),
    Operation(
        "decisions.rulebook",
        RulebookRequest,
        RulebookInfo,
        "GET",
        "/api/v1/rulebooks/{name}",
        "One rulebook with its text",
        Permission.VIEW,
    ),
)
