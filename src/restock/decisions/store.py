"""The table of decisions in decisions_db and every statement that touches it."""

from __future__ import annotations

from collections.abc import Sequence
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
_ONE = Statement(
    select(_D.decision_id, _D.rulebook, _D.version, _D.module, _D.subject, _D.at, _D.outputs, _D.fired, _D.facts).where(
        _D.decision_id == bindparam("decision_id")
    )
)
_COUNT = Statement(select(func.count()).select_from(DECISION))

_KEEP_VERSION = Upsert(RULEBOOK_VERSION, ("version",), only=("name",))
_VERSION = Statement(select(_V.name, _V.text).where(_V.version == bindparam("version")))

_encode = msgspec.json.Encoder(decimal_format="number").encode
"""Decision values are plain decimals already (`restock.core.quantity.plain`)."""


@lru_cache(maxsize=1024)  # a million decisions show a dozen different sets of fired rules
def _fired_text(fired: tuple[str, ...]) -> str:
    return _encode(fired).decode()


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
                "facts": _encode(one.facts).decode(),
                "outputs": _encode(one.outputs).decode(),
                "fired": _fired_text(tuple(one.fired)),
            }
            for identifier, one, subject in decisions
        ],
    )


async def keep_version(tx: Transaction, version: str, name: str, text: str, at: str) -> None:
    """Keep the text of a version before the first decision made with it, so that the decision can be made again."""
    await tx.write(_KEEP_VERSION, {"version": version, "name": name, "text": text, "first_used": at})


async def version_text(database: Database, version: str) -> tuple[str, str]:
    """Give the name and the text of a version that decided. Raises NotFound."""
    rows = await database.read(_VERSION, {"version": version})
    if not rows:
        raise NotFound(f"There is no rulebook version {version}.", field="version")
    return rows[0][0], rows[0][1]


async def one(database: Database, decision_id: str) -> StoredDecision:
    """Give a decision. Raises NotFound."""
    rows = await database.read(_ONE, {"decision_id": decision_id})
    if not rows:
        raise NotFound(f"There is no decision {decision_id}.", field="decision_id")
    identifier, rulebook, version, module, subject, at, outputs, fired, facts = rows[0]
    return StoredDecision(
        identifier, rulebook, version, module, subject, at, _values(outputs), _fired(fired), _values(facts)
    )


async def count(database: Database) -> int:
    """Give how many decisions are kept."""
    return int((await database.read(_COUNT))[0][0])
