"""A rulebook's way into force and out of it: submitted, taken through the gates, approved, activated, rolled back.

What is in force is looked up for each decision by one number, that of the last move; another process that made a move is
noticed so, and a date that passed by the clock. Nobody runs a timer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import msgspec

from restock.core.clock import Clock, timestamp
from restock.core.errors import Conflict, InvalidInput, NotFound, StorageFull, Unavailable
from restock.core.text import name as read_name
from restock.decisions import life_store, store
from restock.decisions.gates import Book, cases_of, checked, parsed, proved, same_kind
from restock.decisions.impact import cases_shadow, shadow
from restock.decisions.library import Library
from restock.decisions.life_store import Submission, Why, activate, roll_back, step, submit
from restock.decisions.model import (
    GATES,
    Advanced,
    Finding,
    Known,
    Move,
    Shadow,
    State,
    Version,
    VersionInfo,
    due,
    effective_moment,
    may_approve,
    moved,
    shown,
)
from restock.decisions.port import MoveRequest, RollbackRequest, SubmitRequest, VersionRequest
from restock.engine.database import Database, Transaction
from restock.engine.rules import FactRulebook
from restock.engine.rules.case_file import Case

BY_DATE: Final = "effective date"
"""Who activates a version when its date has passed."""

_encode = msgspec.json.Encoder(decimal_format="number").encode
_shadow = msgspec.json.Decoder(Shadow, float_hook=Decimal).decode

MAX_WORDS = 2000
"""Characters of a note or a reason: a page; what is longer belongs beside the rulebook."""

Asked = Callable[[], Awaitable[Known]]
"""Asks others what they know of kept decisions."""


async def nobody() -> Known:
    """Stand for others where there are none."""
    return Known([], {})


class Life:
    """The versions of all rulebooks, and the library that uses those in force."""

    def __init__(self, database: Database, library: Library, clock: Clock) -> None:
        self._database, self._library, self._clock = database, library, clock
        self._seen = -1
        self._next_due = ""
        self.known: Asked = nobody

    async def look(self) -> None:
        """Let the library use what is in force now. One look at one number when nothing has happened."""
        number = await life_store.last_move(self._database)
        if number == self._seen and not (self._next_due and self._next_due <= self._now()):
            return
        rows = await life_store.in_force_or_approved(self._database)
        now = self._now()
        if life_store.coming(rows, now) and await self._activate_due(now):
            number = await life_store.last_move(self._database)
            rows = await life_store.in_force_or_approved(self._database)
        active = life_store.now_in_force(rows, now)
        self._library.use({name: (one.version.version, one.text) for name, one in active.items()})
        waiting = [one.version.effective for one in rows if one.version.state == State.APPROVED]
        self._next_due = min((moment for moment in waiting if moment), default="")
        self._seen = number

    async def submit(self, request: SubmitRequest) -> Version:
        """Store a version as a draft; rules in JSON as the text that they become."""
        name = read_name(request.name, "name")
        if "/" in name or name.startswith("."):
            raise InvalidInput(
                f"{name!r} cannot be a rulebook's name.", field="name", remedy="Leave out / and a first dot."
            )
        author = read_name(request.author, "author")
        rulebook = parsed(name, request.text)
        cases_of(name, request.cases)
        effective = effective_moment(request.effective)
        notes = _words(request.notes, "notes")
        what = Submission(name, rulebook.version, rulebook.text, request.cases, author, notes, effective)

        async def unit(tx: Transaction) -> Version:
            await submit(tx, what, Why(author, self._now(), notes))
            return await life_store.version(tx, name, rulebook.version)

        return await self._database.write("rulebook_move", unit)

    async def versions(self, name: str) -> list[Version]:
        """Give the versions of a rulebook, the last moved first."""
        await self.look()
        return await life_store.versions(self._database, name)

    async def version(self, request: VersionRequest) -> VersionInfo:
        """Give one version with all that happened to it."""
        await self.look()
        one = await life_store.version(self._database, request.name, request.version)
        text, cases = await life_store.text_and_cases(self._database, one)
        found = await life_store.details(self._database, one, Move.SHADOWED)
        impact = _shadow(found) if found else None
        return VersionInfo(one, await life_store.steps(self._database, one), text, cases, impact)

    async def advance(self, request: MoveRequest) -> Advanced:
        """Take a version through the gates until one stays shut, or people have to decide."""
        await self.look()
        one = await life_store.version(self._database, request.name, request.version)
        if State(one.state) not in GATES:
            moved(one, Move.CHECKED)
        text, cases_text = await life_store.text_and_cases(self._database, one)
        rulebook, cases = parsed(one.name, text), cases_of(one.name, cases_text)
        findings: list[Finding] = []
        impact: Shadow | None = None
        while (move := GATES.get(State(one.state))) is not None:
            found, impact = await self._gate(move, one, rulebook, cases)
            findings += found
            if any(each.shut for each in found):
                break
            details = _encode(impact or found).decode()
            one = await self._move(move, one, self._why(request)._replace(details=details))
        return Advanced(one, findings, impact)

    async def _gate(
        self, move: Move, one: Version, rulebook: Book, cases: list[Case]
    ) -> tuple[list[Finding], Shadow | None]:
        if move == Move.CHECKED:
            return [*same_kind(rulebook, self._in_force(one.name)), *checked(rulebook, cases)], None
        if move == Move.PROVED:
            return await proved(rulebook, cases), None
        active = self._in_force(one.name)
        if isinstance(rulebook, FactRulebook):
            return [], cases_shadow(rulebook, active, cases)
        assert not isinstance(active, FactRulebook), "the first gate asked"
        return [], await shadow(self._database, one.name, rulebook, active, await self.known())

    def _in_force(self, name: str) -> Book | None:
        try:
            return self._library.loaded(name)
        except NotFound:
            return None

    async def approve(self, request: MoveRequest) -> Version:
        """Approve a version; nobody who submitted it may."""

        async def unit(tx: Transaction) -> Version:
            one = await life_store.version(tx, request.name, request.version)
            moved(one, Move.APPROVED)
            steps = await life_store.steps(tx, one)
            may_approve(
                one, read_name(request.actor, "actor"), tuple(x.actor for x in steps if x.move == Move.SUBMITTED)
            )
            await step(tx, one, Move.APPROVED, self._why(request))
            return await life_store.version(tx, one.name, one.version)

        await self._database.write("rulebook_move", unit)
        await self.look()  # its date may have passed already
        return await life_store.version(self._database, request.name, request.version)

    async def activate(self, request: MoveRequest) -> Version:
        """Put an approved version in force."""
        await self.look()

        async def unit(tx: Transaction) -> Version:
            one = await life_store.version(tx, request.name, request.version)
            moved(one, Move.ACTIVATED)
            if one.effective:
                raise Conflict(
                    f"{shown(one)} comes into force by itself at {one.effective}.",
                    remedy="Wait, or withdraw it and submit it with another date.",
                    field="version",
                )
            await activate(tx, one, self._why(request))
            return await life_store.version(tx, one.name, one.version)

        return await self._database.write("rulebook_move", unit)

    async def withdraw(self, request: MoveRequest) -> Version:
        """Give up a version that is not in force."""
        await self.look()
        one = await life_store.version(self._database, request.name, request.version)
        return await self._move(Move.WITHDRAWN, one, self._why(request))

    async def rollback(self, request: RollbackRequest) -> list[Version]:
        """Take back the version in force for the one before it."""
        await self.look()
        why = Why(read_name(request.actor, "actor"), self._now(), _words(request.reason, "reason"))

        def nothing() -> Conflict:
            return Conflict(
                f"No version of {request.name} was activated: what decides is from a file.",
                remedy="Change the file, or submit a version of it.",
                field="name",
            )

        async def unit(tx: Transaction) -> list[Version]:
            await roll_back(tx, request.name, why, nothing)
            return await life_store.versions(tx, request.name)

        return await self._database.write("rulebook_move", unit)

    async def text(self, version: str) -> tuple[str, str]:
        """Give the name and the text of any version that decided or was submitted. Raises NotFound."""
        found = await store.version_text(self._database, version) or await life_store.text_of(self._database, version)
        if found is None:
            raise NotFound(f"There is no rulebook version {version}.", field="version")
        return found

    async def _move(self, move: Move, one: Version, why: Why) -> Version:
        """Make a move; the table is asked again inside the transaction, because somebody may have been faster."""

        async def unit(tx: Transaction) -> Version:
            await step(tx, await life_store.version(tx, one.name, one.version), move, why)
            return await life_store.version(tx, one.name, one.version)

        return await self._database.write("rulebook_move", unit)

    async def _activate_due(self, now: str) -> bool:
        """Put in force what has come due, in the order of the dates, unless another process just did; say whether.

        A store that cannot be written for now, as on a full disk, does not stop decisions: the date decides all the same,
        and the moves are made later.
        """
        rows = await life_store.in_force_or_approved(self._database)

        async def unit(tx: Transaction) -> None:
            for row in life_store.coming(rows, now):
                one = await life_store.version(tx, row.version.name, row.version.version)
                if due(one, now):
                    await activate(tx, one, Why(BY_DATE, now, f"in force from {one.effective}"))

        try:
            await self._database.write("rulebook_move", unit)
        except (StorageFull, Unavailable):
            return False
        return True

    def _why(self, request: MoveRequest) -> Why:
        return Why(read_name(request.actor, "actor"), self._now(), _words(request.reason, "reason"))

    def _now(self) -> str:
        return timestamp(self._clock.now())


def _words(text: str, field: str) -> str:
    """Read a note or a reason. Raises InvalidInput when it is too long."""
    if len(text) > MAX_WORDS:
        raise InvalidInput(f"{text[:20]!r}… has more than {MAX_WORDS} characters.", field=field, remedy="Shorten it.")
    return text
