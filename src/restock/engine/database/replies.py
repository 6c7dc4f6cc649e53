"""Replies by idempotency key: an edge gives the first reply again when the same request comes again.

This serves the caller; it does not protect the effect. Where an operation must happen once, its context stores the key with
the effect (`once`), so that a process may die between the effect and the reply.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Column, Index, MetaData, String, Table, and_, bindparam, delete, select

from restock.core.clock import Clock, timestamp
from restock.engine.database.columns import count, document, label, moment
from restock.engine.database.migrate import Schema
from restock.engine.database.once import MAX_KEY
from restock.engine.database.port import Database, KeyTaken, Transaction
from restock.engine.database.statement import Statement

SCHEMA = Schema("replies", Path(__file__).parent / "migrations")

KEPT = timedelta(days=7)
"""How long a reply is kept: a retry comes within minutes, a repeated import within days."""

PURGE_EVERY = timedelta(hours=1)
"""How often a process looks for replies to forget."""

REPLY = Table(
    "reply",
    MetaData(),
    label("principal", primary_key=True),
    Column("key", String(MAX_KEY), primary_key=True),
    Column("operation", String(MAX_KEY), nullable=False),
    label("fingerprint"),
    count("status"),
    document("body"),
    moment("at"),
)
Index("reply_at", REPLY.c.at)

_C = REPLY.c
_ADD = Statement(REPLY.insert())
_FIND = Statement(
    select(_C.fingerprint, _C.status, _C.body).where(
        and_(_C.principal == bindparam("principal"), _C.key == bindparam("key"), _C.at > bindparam("since"))
    )
)
_REPLACE = Statement(
    delete(REPLY).where(
        and_(_C.principal == bindparam("principal"), _C.key == bindparam("key"), _C.at <= bindparam("since"))
    )
)
_PURGE = Statement(delete(REPLY).where(_C.at <= bindparam("since")))


class Reply(NamedTuple):
    """A reply that was given: the fingerprint of its request, its status and its text."""

    fingerprint: str
    status: int
    body: str


class Replies:
    """The replies of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._purged = ""

    async def find(self, principal: str, key: str) -> Reply | None:
        """Give the reply that a caller got for a key."""
        since = timestamp(self._clock.now() - KEPT)
        rows = await self._database.read(_FIND, {"principal": principal, "key": key, "since": since})
        return Reply(*rows[0]) if rows else None

    async def keep(self, principal: str, key: str, operation: str, reply: Reply) -> None:
        """Keep a reply; the first one stays when two come for one key."""
        now = self._clock.now()
        since, at = timestamp(now - KEPT), timestamp(now)
        purge = self._purged <= timestamp(now - PURGE_EVERY)

        async def unit(tx: Transaction) -> None:
            if purge:
                await tx.write(_PURGE, {"since": since})
            await tx.write(_REPLACE, {"principal": principal, "key": key, "since": since})
            await tx.write(
                _ADD, {"principal": principal, "key": key, "operation": operation, "at": at, **reply._asdict()}
            )

        try:
            await self._database.write("keep_reply", unit)
        except KeyTaken:
            return
        if purge:
            self._purged = at
