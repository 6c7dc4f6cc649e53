"""What the decisions context promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from restock.core.errors import RestockError
from restock.core.operation import Operation, Permission
from restock.core.value import value
from restock.decisions.model import Advanced, Replayed, Replays, Version, VersionInfo

Facts = Mapping[str, object]
"""Named values: int, Decimal or decimal text for numbers, bool, text."""


@dataclass(frozen=True)
class DecideRequest:
    """Facts to decide on, a mapping per decision; `module` runs only the rules of that module.

    `subjects` says for each what it is about, `record` whether it is kept to be explained later. `version` pins the version
    of the rulebook, for work that began with it; empty is the one in force.
    """

    rulebook: str
    facts: Sequence[Facts]
    module: str = ""
    subjects: Sequence[str] = ()
    record: bool = True
    engine: str = "row"
    version: str = ""


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
    """A rulebook: its version is the hash of its canonical form, `engines` says what it runs on, or why not.

    In a list, `problem` says what is wrong with a text that was never right; there is no version then.
    """

    name: str
    version: str
    source: str
    rules: list[str]
    inputs: list[str]
    outputs: list[str]
    engines: dict[str, str] = field(default_factory=dict)
    text: str = ""
    problem: str = ""


@dataclass(frozen=True)
class SubmitRequest:
    """A rulebook to bring into force: its text and its cases (YAML), who wrote it and why.

    `effective` is a day or a moment from which it is in force by itself once it is approved; empty waits for `activate`.
    """

    name: str
    text: str
    author: str
    cases: str = ""
    notes: str = ""
    effective: str = ""


@dataclass(frozen=True)
class VersionsRequest:
    """All versions of a name."""

    name: str


@dataclass(frozen=True)
class VersionRequest:
    """Which version of a rulebook: the first letters of its hash are enough."""

    name: str
    version: str


@dataclass(frozen=True)
class MoveRequest:
    """One move of a version: who, and why."""

    name: str
    version: str
    actor: str
    reason: str = ""


@dataclass(frozen=True)
class RollbackRequest:
    """Take back the version in force: who, and why."""

    name: str
    actor: str
    reason: str = ""


@dataclass(frozen=True)
class ReplaysRequest:
    """Stored decisions in the order in which they were made, after the given one; `since` and `until` are moments."""

    after: str = ""
    limit: int = 1000
    since: str = ""
    until: str = ""


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

    async def submit(self, request: SubmitRequest) -> Version:
        """Store a version as a draft. Raises RuleError when it is no rulebook, Conflict when it is on its way already."""
        ...

    async def versions(self, request: VersionsRequest) -> list[Version]:
        """Give the versions of a rulebook, the last moved first."""
        ...

    async def version(self, request: VersionRequest) -> VersionInfo:
        """Give one version with all that happened to it. Raises NotFound."""
        ...

    async def advance(self, request: MoveRequest) -> Advanced:
        """Take a version through the gates: check, prove, shadow. It stays before the gate that found something wrong."""
        ...

    async def approve(self, request: MoveRequest) -> Version:
        """Approve a version. Who submitted it may not (Refused)."""
        ...

    async def activate(self, request: MoveRequest) -> Version:
        """Put an approved version in force, from the next decision on, in every process."""
        ...

    async def rollback(self, request: RollbackRequest) -> list[Version]:
        """Take back the version in force for the one before it; give all versions. Raises Conflict when there is none."""
        ...

    async def withdraw(self, request: MoveRequest) -> Version:
        """Give up a version that is not yet in force."""
        ...

    async def replay(self, request: DecisionRequest) -> Replayed:
        """Make a stored decision again from its version and its inputs, and say what differs. Raises NotFound."""
        ...

    async def replays(self, request: ReplaysRequest) -> Replays:
        """Make a page of stored decisions again."""
        ...


_VERSIONS = "/api/v1/rulebooks/{name}/versions"


def _move(name: str, summary: str, permission: Permission, reply: object = Version) -> Operation:
    path = f"{_VERSIONS}/{{version}}/{name}"
    return Operation(f"decisions.{name}", MoveRequest, reply, "POST", path, summary, permission, writes=True)


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
    Operation(
        "decisions.submit",
        SubmitRequest,
        Version,
        "POST",
        _VERSIONS,
        "Submit a version of a rulebook",
        Permission.BUY,
        writes=True,
        status=201,
    ),
    Operation(
        "decisions.versions",
        VersionsRequest,
        list[Version],
        "GET",
        _VERSIONS,
        "The versions of a rulebook, the last moved first",
    ),
    Operation(
        "decisions.version",
        VersionRequest,
        VersionInfo,
        "GET",
        _VERSIONS + "/{version}",
        "One version with all that happened to it",
    ),
    _move("advance", "Check, prove and try a version", Permission.BUY, Advanced),
    _move("approve", "Approve a version that somebody else submitted", Permission.APPROVE),
    _move("activate", "Put an approved version in force", Permission.APPROVE),
    _move("withdraw", "Give up a version that is not in force", Permission.BUY),
    Operation(
        "decisions.rollback",
        RollbackRequest,
        list[Version],
        "POST",
        "/api/v1/rulebooks/{name}/rollback",
        "Take back the version in force",
        Permission.APPROVE,
        writes=True,
    ),
    Operation(
        "decisions.replay",
        DecisionRequest,
        Replayed,
        "GET",
        "/api/v1/decisions/{decision_id}/replay",
        "Make a stored decision again",
    ),
    Operation(
        "decisions.replays",
        ReplaysRequest,
        Replays,
        "GET",
        "/api/v1/replays",
        "Make a page of stored decisions again",
    ),
)
