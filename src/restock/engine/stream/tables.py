"""The outbox and inbox tables that a context keeps beside its own, in its own database.

The factories describe the tables for statements; `create_outbox` and `create_inbox` make them inside a context's Alembic
revision and are frozen as version 1: a change of the tables gets helpers of its own, never an edit here.
A prefix keeps two contexts apart that share one database.
"""

from __future__ import annotations

from types import ModuleType

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    column,
    insert,
    select,
    table,
)

from restock.engine.database.columns import count, identifier, label, moment, sequence

BATCH_ROOM = 4 << 20
"""Bytes that a batch can take: those at which one is closed, and the largest event after them."""


def outbox_table(metadata: MetaData, prefix: str = "") -> Table:
    """Describe the batches of events that wait for the relay, in the order in which they were written."""
    return Table(
        f"{prefix}outbox_batch",
        metadata,
        sequence("seq"),
        count("events"),
        Column("batch", LargeBinary(BATCH_ROOM), nullable=False),
        moment("created_at"),
    )


def inbox_table(metadata: MetaData, prefix: str = "") -> Table:
    """Describe the events that already had their effect, by consumer."""
    return Table(
        f"{prefix}inbox",
        metadata,
        label("consumer", primary_key=True),
        identifier("event_id", primary_key=True),
        moment("at"),
    )


def block_table(metadata: MetaData, prefix: str = "") -> Table:
    """Describe the blocks of identifiers of events that had their effect, by consumer and partition."""
    return Table(
        f"{prefix}inbox_block",
        metadata,
        label("consumer", primary_key=True),
        label("topic", primary_key=True),
        count("partition", primary_key=True, autoincrement=False),
        count("number", primary_key=True, autoincrement=False),
        identifier("first_id"),
        identifier("last_id"),
        Column("ids", LargeBinary(1 << 20), nullable=False),
        Index(f"ix_{prefix}inbox_block_last", "consumer", "topic", "partition", "last_id"),
    )


def create_outbox(op: ModuleType, prefix: str = "") -> None:
    """Make the outbox, version 1, inside an Alembic revision.

    SQLite must not give a number twice: a relay that was slow to delete would delete a newer event of the same number.
    """
    op.create_table(
        f"{prefix}outbox",
        Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("event_id", String(36), nullable=False),
        Column("topic", String(128), nullable=False),
        Column("key", Text, nullable=False),
        Column("value", LargeBinary(1 << 20), nullable=False),
        Column("headers", Text, nullable=False),
        Column("created_at", String(27), nullable=False),
        sqlite_autoincrement=True,
    )


def batch_outbox(op: ModuleType, prefix: str = "") -> None:
    """Make the outbox, version 2, inside an Alembic revision: events that were committed together stand in one row.

    What waits in version 1 becomes batches of one; a batch is a MessagePack array of [event_id, topic, key, value].
    """
    op.create_table(
        f"{prefix}outbox_batch",
        Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("events", BigInteger, nullable=False),
        Column("batch", LargeBinary(4 << 20), nullable=False),
        Column("created_at", String(27), nullable=False),
        sqlite_autoincrement=True,
    )
    names = ("event_id", "topic", "key", "value", "created_at", "seq")
    old = table(f"{prefix}outbox", *map(column, names))
    new = table(f"{prefix}outbox_batch", *map(column, ("events", "batch", "created_at")))
    connection = op.get_bind()
    for *event, at, _ in connection.execute(select(old).order_by(old.c.seq)).fetchall():
        row = {"events": 1, "batch": msgspec.msgpack.encode([event]), "created_at": at}
        connection.execute(insert(new).values(row))
    op.drop_table(old.name)


def create_inbox(op: ModuleType, prefix: str = "") -> None:
    """Make the inbox, version 1, inside an Alembic revision."""
    op.create_table(
        f"{prefix}inbox",
        Column("consumer", String(128), primary_key=True),
        Column("event_id", String(36), primary_key=True),
        Column("at", String(27), nullable=False),
        sqlite_with_rowid=False,
    )


def create_blocks(op: ModuleType, prefix: str = "") -> None:
    """Make the blocks of an inbox, version 1, inside an Alembic revision."""
    op.create_table(
        f"{prefix}inbox_block",
        Column("consumer", String(128), primary_key=True),
        Column("topic", String(128), primary_key=True),
        Column("partition", BigInteger, primary_key=True, autoincrement=False),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("first_id", String(36), nullable=False),
        Column("last_id", String(36), nullable=False),
        Column("ids", LargeBinary(1 << 20), nullable=False),
    )
    op.create_index(
        f"ix_{prefix}inbox_block_last", f"{prefix}inbox_block", ["consumer", "topic", "partition", "last_id"]
    )
