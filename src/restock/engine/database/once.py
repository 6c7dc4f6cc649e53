"""An effect that happens once per idempotency key.

The key, the fingerprint of the request and the result are stored in the transaction of the effect itself: a crash leaves
all of them or none. The design is Stripe's (same key and request: the first result again; same key and another request: an
error), except that no failure is ever stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Column, MetaData, String, Table, Text, bindparam, select

from restock.core.errors import InvalidInput
from restock.engine.database.columns import document, label, moment
from restock.engine.database.port import Database, Transaction
from restock.engine.database.statement import Statement

if TYPE_CHECKING:
    from types import ModuleType

MAX_KEY = 255
"""Characters of an idempotency key, as Stripe allows."""


class Effect(NamedTuple):
    """What was stored for a key: the request's fingerprint and the result as JSON text."""

    fingerprint: str
    result: str


def effect_table(metadata: MetaData) -> Table:
    """Declare the table of effects."""
    return Table(
        "effect",
        metadata,
        Column("key", String(MAX_KEY), primary_key=True),
        label("fingerprint"),
        document("result"),
        moment("at"),
    )


def create_effect(op: ModuleType) -> None:
    """Make the table in a migration. Frozen: a change of the table is a migration of its own."""
    op.create_table(
        "effect",
        Column("key", String(255), primary_key=True),
        Column("fingerprint", String(128), nullable=False),
        Column("result", Text, nullable=False),
        Column("at", String(27), nullable=False),
    )


class Once:
    """The effects of one context."""

    def __init__(self, table: Table) -> None:
        self._insert = Statement(table.insert())
        self._select = Statement(
            select(table.c.key, table.c.fingerprint, table.c.result).where(
                table.c.key.in_(bindparam("keys", expanding=True))
            )
        )

    async def found(self, reader: Transaction | Database, keys: Sequence[str]) -> dict[str, Effect]:
        """Give the stored effects among the keys."""
        rows = await reader.read(self._select, {"keys": keys}) if keys else []
        return {key: Effect(fingerprint, result) for key, fingerprint, result in rows}

    async def store(self, tx: Transaction, effects: Sequence[tuple[str, Effect]], at: str) -> None:
        """Store new effects. Raises KeyTaken when another process was faster; its result can then be found."""
        await tx.write_many(
            self._insert,
            [{"key": key, "fingerprint": one.fingerprint, "result": one.result, "at": at} for key, one in effects],
        )


def same_request(key: str, effect: Effect, fingerprint: str) -> None:
    """Refuse a key that was used for another request. Raises InvalidInput."""
    if effect.fingerprint != fingerprint:
        raise InvalidInput(
            f"The idempotency key {key!r} was used for another request.",
            field="Idempotency-Key",
            remedy="Send the same request again, or choose a new key.",
        )
