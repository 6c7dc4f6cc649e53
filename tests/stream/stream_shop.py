"""A shop for the tests of this folder: one context that writes orders and one effect per order it reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert, select

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SystemClock
from restock.core.event import Event
from restock.engine.database import Statement, Transaction
from restock.engine.database.migrate import Schema
from restock.engine.stream import (
    SCHEMA,
    EmbeddedLog,
    Inbox,
    Outbox,
    Relay,
    Subscriber,
    inbox_table,
    outbox_table,
)

METADATA = MetaData()
OUTBOX = outbox_table(METADATA)
INBOX = inbox_table(METADATA)
EFFECT = Table(
    "effect", METADATA, Column("seq", Integer, primary_key=True), Column("event_id", String), Column("key", String)
)
ADD_EFFECT = Statement(insert(EFFECT).values(event_id=bindparam("event_id"), key=bindparam("key")))
EFFECTS = Statement(select(EFFECT.c.event_id).order_by(EFFECT.c.seq))
PARTITIONS = 3


def order(number: int, key: str = "") -> Event:
    return Event(f"event-{number:06d}", "OrderPlaced", "orders", key or f"CUST-{number % 7}", "2026-01-05T08:00:00Z")


class Shop:
    """Everything opened on one home."""

    def __init__(self, home: Path) -> None:
        self.databases = EmbeddedDatabases(
            home, {"stream": [SCHEMA], "shop": [Schema("shop", Path(__file__).parent / "shop")]}
        )
        self.database = self.databases["shop"]
        self.log = EmbeddedLog(self.databases["stream"], SystemClock(), FilePresence(home))
        self.outbox = Outbox(OUTBOX)
        self.inbox = Inbox(INBOX, "counter")
        self.relay = Relay(self.database, self.outbox, self.log)
        self.after: list[list[str]] = []

    async def open(self) -> Shop:
        await self.log.create_topic("orders", PARTITIONS)
        return self

    async def close(self) -> None:
        await self.databases.close()

    async def place(self, events: Sequence[Event]) -> None:
        async def unit(tx: Transaction) -> None:
            await self.outbox.add(tx, events)

        await self.database.write("place", unit)

    async def count(self, tx: Transaction, events: list[Event]) -> None:
        await tx.write_many(ADD_EFFECT, [{"event_id": event.event_id, "key": event.key} for event in events])

    async def remember(self, events: list[Event]) -> None:
        self.after.append([event.event_id for event in events])

    def subscriber(self, **options: object) -> Subscriber:
        given = {"handler": self.count, "after": self.remember, **options}
        handler = given.pop("handler")
        return Subscriber(self.log, "counter", ["orders"], handler, self.database, self.inbox, **given)

    async def effects(self) -> list[str]:
        return [row[0] for row in await self.database.read(EFFECTS)]
