"""The table of decisions in decisions_db and every statement that touches it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import msgspec
from sqlalchemy import MetaData, Table, bindparam, func, select

from restock.core.errors import NotFound
from restock.decisions.port import Decision, StoredDecision
from restock.engine.database import Database, Statement, Transaction
from restock.engine.database.columns import document, identifier, label, moment
from restock.engine.database.migrate import Schema
from restock.engine.database.port import Row
from restock.engine.database.statement import Upsert

SCHEMA = Schema("decisions", Path(__file__).parent / "migrations")

METADATA = MetaData()
DECISION = Table(
    "decision",
    METADATA,
    identifier("decision_id", primary_key=True),
    label("rulebook"),
    label("version"),
    label("module"),
    label("subject"),
    moment("at"),
    document("facts"),
    document("outputs"),
    document("fired"),
)

RULEBOOK_VERSION = Table(
    "rulebook_version",
    METADATA,
    label("version", primary_key=True),
    label("name"),
    document("text"),
    moment("first_used"),
)

_D, _V = DECISION.c, RULEBOOK_VERSION.c
_ADD = Statement(DECISION.insert())
_ALL = select(_D.decision_id, _D.rulebook, _D.version, _D.module, _D.subject, _D.at, _D.outputs, _D.fired, _D.facts)
_ONE = Statement(_ALL.where(_D.decision_id == bindparam("decision_id")))
_SEVERAL = Statement(_ALL.where(_D.decision_id.in_(bindparam("identifiers", expanding=True))))
_NEWEST = Statement(
    _ALL.where(_D.rulebook == bindparam("rulebook"), _D.decision_id < bindparam("before"))
    .order_by(_D.decision_id.desc())
    .limit(bindparam("limit"))
)
_MADE = Statement(
    _ALL.where(_D.decision_id > bindparam("after"), _D.at >= bindparam("since"), _D.at < bindparam("until"))
    .order_by(_D.decision_id)
    .limit(bindparam("limit"))
)
_COUNT = Statement(select(func.count()).select_from(DECISION))

_KEEP_VERSION = Upsert(RULEBOOK_VERSION, ("version",), only=("name",))
_VERSION = Statement(select(_V.name, _V.text).where(_V.version == bindparam("version")))

PAGE = 500
"""Decisions read at once: a megabyte of text, and one list of identifiers."""

_LAST = "~"
"""Sorts behind every identifier and every moment."""

_encode = msgspec.json.Encoder(decimal_format="number").encode
"""Decision values are plain decimals already (`restock.core.quantity.plain`)."""


@lru_cache(maxsize=1024)  # a million decisions show a dozen different sets of fired rules
def fired_text(fired: tuple[str, ...]) -> str:
    """Write the names of rules as they are kept."""
    return _encode(fired).decode()


def values_text(values: Mapping[str, object]) -> str:
    """Write facts or outputs as they are kept."""
    return _encode(values).decode()


_fired = msgspec.json.Decoder(list[str]).decode
_values = msgspec.json.Decoder(dict[str, object], float_hook=Decimal).decode


async def add(tx: Transaction, decisions: Sequence[tuple[str, Decision, str]], module: str, at: str) -> None:
    """Keep decisions: identifier, decision, and what it is about."""
    await tx.write_many(
        _ADD,
        [
            {
                "decision_id": identifier,
                "rulebook": one.rulebook,
                "version": one.version,
                "module": module,
                "subject": subject,
                "at": at,
                "facts": values_text(one.facts),
                "outputs": values_text(one.outputs),
                "fired": fired_text(tuple(one.fired)),
            }
            for identifier, one, subject in decisions
        ],
    )


async def keep_version(tx: Transaction, version: str, name: str, text: str, at: str) -> None:
    """Keep the text of a version before the first decision made with it, so that the decision can be made again."""
    await tx.write(_KEEP_VERSION, {"version": version, "name": name, "text": text, "first_used": at})


async def version_text(database: Database, version: str) -> tuple[str, str] | None:
    """Give the name and the text of a version that decided; nothing when none with it is kept."""
    rows = await database.read(_VERSION, {"version": version})
    return (rows[0][0], rows[0][1]) if rows else None


async def one(database: Database, decision_id: str) -> StoredDecision:
    """Give a decision. Raises NotFound."""
    rows = await database.read(_ONE, {"decision_id": decision_id})
    if not rows:
        raise NotFound(f"There is no decision {decision_id}.", field="decision_id")
    return _read(rows[0])


async def several(database: Database, identifiers: Sequence[str]) -> list[StoredDecision]:
    """Give decisions, those that are kept."""
    return [_read(row) for row in await database.read(_SEVERAL, {"identifiers": identifiers})] if identifiers else []


async def newest(database: Database, rulebook: str, most: int) -> AsyncIterator[list[StoredDecision]]:
    """Give the decisions of a rulebook in pages, the newest first, at most so many."""
    before = _LAST
    while most > 0:
        values = {"rulebook": rulebook, "before": before, "limit": min(PAGE, most)}
        page = [_read(row) for row in await database.read(_NEWEST, values)]
        if not page:
            return
        yield page
        before, most = page[-1].decision_id, most - len(page)


async def made(database: Database, after: str, limit: int, since: str, until: str) -> list[StoredDecision]:
    """Give a page of decisions in the order in which they were made; empty `until` is no limit."""
    values = {"after": after, "limit": limit, "since": since, "until": until or _LAST}
    return [_read(row) for row in await database.read(_MADE, values)]


def _read(row: Row) -> StoredDecision:
    identifier, rulebook, version, module, subject, at, outputs, fired, facts = row
    return StoredDecision(
        identifier, rulebook, version, module, subject, at, _values(outputs), _fired(fired), _values(facts)
    )


async def count(database: Database) -> int:
    """Give how many decisions are kept."""
    return int((await database.read(_COUNT))[0][0])
