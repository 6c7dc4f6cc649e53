"""The life of a rulebook version: its states, the one table of moves between them, and when it comes into force. Pure.

A version is what its moves say; each is kept with who, when and why. The stored state is the last move's, written with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from restock.core.clock import timestamp
from restock.core.errors import Conflict, InvalidInput, Refused


class State(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"
    CHECKED = "checked"
    PROVED = "proved"
    SHADOW = "shadow"
    APPROVED = "approved"
    ACTIVE = "active"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"
    WITHDRAWN = "withdrawn"


class Move(StrEnum):
    """What can happen to a version, in the past tense as events are."""

    SUBMITTED = "submitted"
    CHECKED = "checked"
    PROVED = "proved"
    SHADOWED = "shadowed"
    APPROVED = "approved"
    ACTIVATED = "activated"
    RETIRED = "retired"
    ROLLED_BACK = "rolled_back"
    REINSTATED = "reinstated"
    WITHDRAWN = "withdrawn"


BEFORE_USE = (State.DRAFT, State.CHECKED, State.PROVED, State.SHADOW, State.APPROVED)
"""States of a version that has yet to come into force."""

AFTER_USE = (State.RETIRED, State.ROLLED_BACK, State.WITHDRAWN)
"""States of a version that is out of force: it may be submitted again, and passes every gate again."""

MOVES: Mapping[Move, tuple[tuple[State, ...], State]] = {
    Move.SUBMITTED: (AFTER_USE, State.DRAFT),
    Move.CHECKED: ((State.DRAFT,), State.CHECKED),
    Move.PROVED: ((State.CHECKED,), State.PROVED),
    Move.SHADOWED: ((State.PROVED,), State.SHADOW),
    Move.APPROVED: ((State.SHADOW,), State.APPROVED),
    Move.ACTIVATED: ((State.APPROVED,), State.ACTIVE),
    Move.RETIRED: ((State.ACTIVE,), State.RETIRED),
    Move.ROLLED_BACK: ((State.ACTIVE,), State.ROLLED_BACK),
    Move.REINSTATED: ((State.RETIRED,), State.ACTIVE),
    Move.WITHDRAWN: (BEFORE_USE, State.WITHDRAWN),
}
"""From which states a move is allowed, and where it leads: the one table of moves. A version nobody knows is submitted."""

GATES: Mapping[State, Move] = {
    State.DRAFT: Move.CHECKED,
    State.CHECKED: Move.PROVED,
    State.PROVED: Move.SHADOWED,
}
"""The moves that the program makes when its own examination passes; the others are decisions of people."""

NEXT: Mapping[State, str] = {
    State.DRAFT: "`restock rules advance` checks it.",
    State.CHECKED: "`restock rules advance` proves its invariants.",
    State.PROVED: "`restock rules advance` shows what it would change.",
    State.SHADOW: "Somebody else than the author approves it: `restock rules approve`.",
    State.APPROVED: "`restock rules activate` puts it in force.",
    State.ACTIVE: "It is in force; `restock rules rollback` takes it back.",
    State.RETIRED: "Submit it again to use it again.",
    State.ROLLED_BACK: "Submit it again to use it again.",
    State.WITHDRAWN: "Submit it again to use it again.",
}
"""What can be done with a version, by its state."""


@dataclass(frozen=True)
class Step:
    """A move that happened: the how-manieth of all, what, to which version, who, when, why."""

    move_no: int
    name: str
    version: str
    move: str
    state: str
    actor: str
    at: str
    reason: str


@dataclass(frozen=True)
class Version:
    """A version of a rulebook: who wrote it, where it stands, since when, by whom; `effective` is empty or a moment."""

    name: str
    version: str
    state: str
    author: str
    notes: str
    effective: str
    submitted_at: str
    changed_at: str
    changed_by: str
    move_no: int


@dataclass(frozen=True)
class Known:
    """What others know of kept decisions: those of the newest plan, and in which currency which was made."""

    planned: list[str]
    currencies: Mapping[str, str]


@dataclass(frozen=True)
class Money:
    """What decisions came to in one currency, by the version in force and by the new one.

    By module, because the lines of an order and the order are both decided on: their sums are the same money.
    """

    module: str
    currency: str
    before: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        """How much more."""
        return self.after - self.before


@dataclass(frozen=True)
class ChangedDecision:
    """A decision that would be another: the outputs that differ, as they are and as they would be; an error is one."""

    decision_id: str
    subject: str
    before: dict[str, object]
    after: dict[str, object]


@dataclass(frozen=True)
class Impact:
    """How some decisions would change: how many of how many, how many could not be decided any more, and the money.

    `money_field` is the output that was added up; empty when the rulebook has none.
    """

    decisions: int
    changed: int
    refused: int
    money_field: str
    money: list[Money]
    examples: list[ChangedDecision]


@dataclass(frozen=True)
class Shadow:
    """What a version would change against the one in force: in the newest plan, and in decisions that are kept.

    Of rules over facts no decisions are kept; they are compared on the documents of the version's `cases`.
    """

    against: str
    catalogue: Impact
    past: Impact
    cases: Impact | None = None


@dataclass(frozen=True)
class Finding:
    """What a gate found: an error, a warning, a case, an invariant, and whether it keeps the gate shut."""

    gate: str
    what: str
    shut: bool


@dataclass(frozen=True)
class Advanced:
    """How far a version came, what each gate found, and what it would change when it came that far."""

    version: Version
    findings: list[Finding]
    shadow: Shadow | None = None

    @property
    def stopped(self) -> bool:
        """Whether a gate stayed shut."""
        return any(one.shut for one in self.findings)


@dataclass(frozen=True)
class VersionInfo:
    """A version with its text, its cases, every move it made, and what it would have changed."""

    version: Version
    steps: list[Step]
    text: str
    cases: str
    shadow: Shadow | None = None


@dataclass(frozen=True)
class Replayed:
    """A stored decision made again from its version and its inputs: nothing in `differences` when it is the same."""

    decision_id: str
    rulebook: str
    version: str
    differences: list[str]


@dataclass(frozen=True)
class Replays:
    """How many decisions were made again, those that came out otherwise, and the last; empty when there are no more."""

    decisions: int
    different: list[Replayed]
    last: str


def moved(version: Version, move: Move) -> State:
    """Give the state after a move. Raises Conflict that says what stands in the way and what to do."""
    allowed, after = MOVES[move]
    if State(version.state) not in allowed:
        wanted = " or ".join(_STANDING.get(one, one.value.replace("_", " ")) for one in allowed)
        raise Conflict(
            f"{shown(version)} is {standing(version)}; only what is {wanted} can be {move.value.replace('_', ' ')}.",
            remedy=NEXT[State(version.state)],
            field="version",
        )
    return after


def may_approve(version: Version, actor: str, authors: tuple[str, ...]) -> None:
    """Raise Refused when who approves has written or submitted the version."""
    if actor.casefold() in {one.casefold() for one in (version.author, *authors)}:
        raise Refused(
            f"{actor} submitted {shown(version)} and may not approve it.",
            remedy="Ask somebody else to look at it.",
            field="actor",
        )


def due(version: Version, now: str) -> bool:
    """Tell whether an approved version comes into force by itself at this moment."""
    return version.state == State.APPROVED and bool(version.effective) and version.effective <= now


def effective_moment(text: str, field: str = "effective") -> str:
    """Read a date: empty, a day (its first moment in UTC), or a moment with its zone. Raises InvalidInput."""
    if not text.strip():
        return ""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no date.", field=field, remedy="Write 2026-12-01 or 2026-12-01T06:00:00Z."
        ) from None
    if found.tzinfo is None:
        if len(text.strip()) > len("2026-12-01"):
            raise InvalidInput(
                f"{text!r} has no time zone.", field=field, remedy="Write Z for UTC, or +01:00, at its end."
            )
        found = found.replace(tzinfo=UTC)
    try:
        return timestamp(found.astimezone(UTC))
    except OverflowError:
        raise InvalidInput(f"{text!r} is beyond the calendar.", field=field) from None


def shown(version: Version) -> str:
    """Name a version as people read it."""
    return f"{version.name} {short(version.version)}"


def short(version: str) -> str:
    """Give the first letters of a version, which are enough to name it."""
    return version[:12]


def standing(version: Version) -> str:
    """Say where a version stands, after "is"."""
    return _STANDING.get(State(version.state), version.state.replace("_", " "))


_STANDING = {State.DRAFT: "a draft", State.SHADOW: "in shadow"}
