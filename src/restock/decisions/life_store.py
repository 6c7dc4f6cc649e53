"""The tables of a rulebook's life in decisions_db, and every statement over them: versions, and the moves they made.

Moves are only ever added. A version's row repeats what its last move says, and is written with it in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Table, bindparam, func, select, update

from restock.core.errors import InvalidInput, NotFound
from restock.decisions.model import Move, State, Step, Version, due, moved
from restock.decisions.store import METADATA
from restock.engine.database import Database, Statement, Transaction
from restock.engine.database.columns import count, document, label, moment
from restock.engine.database.port import Row

RULEBOOK_LIFE = Table(
    "rulebook_life",
    METADATA,
    label("name", primary_key=True),
    label("version", primary_key=True),
    label("state"),
    label("author"),
    document("notes"),
    label("effective"),
    moment("submitted_at"),
    moment("changed_at"),
    label("changed_by"),
    count("move_no"),
    document("text"),
    document("cases"),
)

RULEBOOK_MOVE = Table(
    "rulebook_move",
    METADATA,
    count("move_no", primary_key=True),
    label("name"),
    label("version"),
    label("move"),
    label("state"),
    label("actor"),
    moment("at"),
    document("reason"),
    document("details"),
)

ENOUGH = 4
"""Letters that may name a version, when only one begins with them: fewer are a slip more often than a name."""

_L, _M = RULEBOOK_LIFE.c, RULEBOOK_MOVE.c
_FIELDS = (
    _L.name,
    _L.version,
    _L.state,
    _L.author,
    _L.notes,
    _L.effective,
    _L.submitted_at,
    _L.changed_at,
    _L.changed_by,
    _L.move_no,
)
_STEP = (_M.move_no, _M.name, _M.version, _M.move, _M.state, _M.actor, _M.at, _M.reason)

_LAST = Statement(select(func.max(_M.move_no)))
IN_FORCE = Statement(
    select(*_FIELDS, _L.text, _L.cases)
    .where(_L.state.in_((bindparam("active"), bindparam("approved"))))
    .order_by(_L.move_no)
)
IN_FORCE_PARAMETERS = {"active": State.ACTIVE.value, "approved": State.APPROVED.value}
_OF_NAME = Statement(select(*_FIELDS).where(_L.name == bindparam("name")).order_by(_L.move_no.desc()))
_TEXT = Statement(select(_L.text, _L.cases).where(_L.name == bindparam("name"), _L.version == bindparam("version")))
_TEXT_OF_VERSION = Statement(select(_L.name, _L.text).where(_L.version == bindparam("version")))
_STEPS = Statement(
    select(*_STEP).where(_M.name == bindparam("name"), _M.version == bindparam("version")).order_by(_M.move_no)
)
_DETAILS = Statement(
    select(_M.details)
    .where(_M.name == bindparam("name"), _M.version == bindparam("version"), _M.move == bindparam("move"))
    .order_by(_M.move_no.desc())
    .limit(1)
)
_ADD = Statement(RULEBOOK_LIFE.insert())
_ADD_MOVE = Statement(RULEBOOK_MOVE.insert())
_KEY = (_L.name == bindparam("of_name"), _L.version == bindparam("of_version"))
_CHANGE = Statement(
    update(RULEBOOK_LIFE)
    .where(*_KEY)
    .values({name: bindparam(f"new_{name}") for name in ("state", "changed_at", "changed_by", "move_no")})
)
_RESUBMIT = Statement(
    update(RULEBOOK_LIFE)
    .where(*_KEY)
    .values(
        {name: bindparam(f"new_{name}") for name in ("author", "notes", "effective", "submitted_at", "text", "cases")}
    )
)


class Submission(NamedTuple):
    """What is submitted: the text of a version, with its cases and what its author says of it."""

    name: str
    version: str
    text: str
    cases: str
    author: str
    notes: str
    effective: str


class InForce(NamedTuple):
    """A version in force, with its text and its cases."""

    version: Version
    text: str
    cases: str


class Why(NamedTuple):
    """Who makes a move, when and why; `details` is what the program found, as JSON."""

    actor: str
    at: str
    reason: str = ""
    details: str = ""


async def last_move(database: Database) -> int:
    """Give the number of the last move of all; a process that knows it knows what is in force."""
    return int((await database.read(_LAST))[0][0] or 0)


async def in_force_or_approved(database: Database) -> list[InForce]:
    """Give every version that is active or approved, in the order in which they became so."""
    return [in_force(row) for row in await database.read(IN_FORCE, IN_FORCE_PARAMETERS)]


def in_force(row: Row) -> InForce:
    """Read a row of `IN_FORCE`."""
    return InForce(Version(*row[: len(_FIELDS)]), row[-2], row[-1])


def now_in_force(rows: Sequence[InForce], now: str) -> dict[str, InForce]:
    """Give by name what is in force at a moment: what was activated, and what came into force by its date since then."""
    found = {one.version.name: one for one in rows if one.version.state == State.ACTIVE}
    for one in coming(rows, now):
        found[one.version.name] = one
    return found


def coming(rows: Sequence[InForce], now: str) -> list[InForce]:
    """Give what comes into force by its date, in order."""
    return sorted((one for one in rows if due(one.version, now)), key=lambda one: one.version.effective)


async def versions(database: Database | Transaction, name: str) -> list[Version]:
    """Give the versions of a name, the last moved first."""
    return [Version(*row) for row in await database.read(_OF_NAME, {"name": name})]


async def version(database: Database | Transaction, name: str, prefix: str) -> Version:
    """Give the one version of a name that begins so. Raises NotFound, or InvalidInput when there are several."""
    known = await versions(database, name)
    if known and len(prefix) < ENOUGH:
        remedy = f"Write its first {ENOUGH} letters or more; `restock rules versions {name}` lists them."
        raise InvalidInput(f"{prefix!r} is too short for a version.", field="version", remedy=remedy)
    found = [one for one in known if one.version.startswith(prefix.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(
            f"{len(found)} versions of {name} begin with {prefix!r}.", field="version", remedy="Write more of it."
        )
    what = f"There is no version {prefix!r} of {name}." if known else f"No version of {name} was submitted."
    remedy = (
        f"`restock rules versions {name}` lists them." if known else f"Submit one: restock rules submit {name}.grl."
    )
    raise NotFound(what, field="version", remedy=remedy)


async def text_and_cases(database: Database | Transaction, one: Version) -> tuple[str, str]:
    """Give the text and the cases of a version."""
    (row,) = await database.read(_TEXT, {"name": one.name, "version": one.version})
    return row[0], row[1]


async def text_of(database: Database, version: str) -> tuple[str, str] | None:
    """Give the name and the text of a version of any name, if it was submitted."""
    rows = await database.read(_TEXT_OF_VERSION, {"version": version})
    return (rows[0][0], rows[0][1]) if rows else None


async def steps(database: Database | Transaction, one: Version) -> list[Step]:
    """Give the moves of a version, the first first."""
    return [Step(*row) for row in await database.read(_STEPS, {"name": one.name, "version": one.version})]


async def details(database: Database, one: Version, move: Move) -> str:
    """Give what the program found at the last such move, as JSON; empty when there was none."""
    rows = await database.read(_DETAILS, {"name": one.name, "version": one.version, "move": move.value})
    return str(rows[0][0]) if rows else ""


async def submit(tx: Transaction, what: Submission, why: Why) -> None:
    """Add a version as a draft, or make one that is out of force a draft again. Raises Conflict in any other state."""
    known = [one for one in await versions(tx, what.name) if one.version == what.version]
    if known:
        moved(known[0], Move.SUBMITTED)
        values = {f"new_{name}": value for name, value in what._asdict().items() if name not in ("name", "version")}
        await tx.write(
            _RESUBMIT,
            {**values, "new_submitted_at": why.at, "of_name": what.name, "of_version": what.version},
        )
        await step(tx, known[0], Move.SUBMITTED, why)
        return
    number = await _record(tx, what.name, what.version, Move.SUBMITTED, State.DRAFT, why)
    marks = {"submitted_at": why.at, "changed_at": why.at, "changed_by": why.actor, "move_no": number}
    await tx.write(_ADD, {**what._asdict(), **marks, "state": State.DRAFT.value})


async def step(tx: Transaction, one: Version, move: Move, why: Why) -> None:
    """Make a move, as a row of its own and in the version's row. Raises Conflict when the table does not allow it."""
    after = moved(one, move)
    number = await _record(tx, one.name, one.version, move, after, why)
    await tx.write(
        _CHANGE,
        {
            "new_state": after.value,
            "new_changed_at": why.at,
            "new_changed_by": why.actor,
            "new_move_no": number,
            "of_name": one.name,
            "of_version": one.version,
        },
    )


async def activate(tx: Transaction, one: Version, why: Why) -> None:
    """Put a version in force in the place of the one that is."""
    for other in await versions(tx, one.name):
        if other.state == State.ACTIVE:
            await step(tx, other, Move.RETIRED, why._replace(reason=f"replaced by {one.version}"))
    await step(tx, one, Move.ACTIVATED, why)


async def roll_back(tx: Transaction, name: str, why: Why, nothing: Callable[[], Exception]) -> None:
    """Take back the version in force; the one that it replaced is in force again, or the files where there is none."""
    known = await versions(tx, name)
    active = next((one for one in known if one.state == State.ACTIVE), None)
    if active is None:
        raise nothing()
    await step(tx, active, Move.ROLLED_BACK, why)
    before = next((one for one in known if one.state == State.RETIRED), None)  # the last that was replaced
    if before is not None:
        await step(tx, before, Move.REINSTATED, why._replace(reason=f"in the place of {active.version}"))


async def _record(tx: Transaction, name: str, version: str, move: Move, after: State, why: Why) -> int:
    number = int((await tx.read(_LAST))[0][0] or 0) + 1
    row = {"move_no": number, "name": name, "version": version, "move": move.value, "state": after.value}
    await tx.write(_ADD_MOVE, {**row, **why._asdict()})
    return number
