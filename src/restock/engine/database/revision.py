"""A counter that grows with every change of what a context knows.

Whoever computed something from a context remembers its revision; while it stands, the result stands too. This is how a plan
over a catalogue in which nothing changed costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, MetaData, String, Table, select

from restock.engine.database.columns import count, label
from restock.engine.database.port import Database, Transaction
from restock.engine.database.statement import Statement, Upsert

if TYPE_CHECKING:
    from types import ModuleType


def revision_table(metadata: MetaData) -> Table:
    """Declare the counter's table: one row, made by the migration."""
    return Table("revision", metadata, label("name", primary_key=True), count("value"))


def create_revision(op: ModuleType, name: str) -> None:
    """Make the table and its one row in a migration. Frozen: a change of the table is a migration of its own."""
    table = op.create_table(
        "revision",
        Column("name", String(128), primary_key=True),
        Column("value", BigInteger, nullable=False),
    )
    op.bulk_insert(table, [{"name": name, "value": 0}])


class Revision:
    """The counter of one context."""

    def __init__(self, table: Table, name: str) -> None:
        row = table.c.name == name
        self._bump = Upsert(table, ("name",), adds=("value",))
        self._more = [{"name": name, "value": 1}]
        self._read = Statement(select(table.c.value).where(row))

    async def bump(self, tx: Transaction) -> None:
        """Say, inside the transaction of a change, that something changed."""
        await tx.write_many(self._bump, self._more)  # which nobody waits for on a server

    async def read(self, database: Database) -> int:
        """Give the revision of what is committed."""
        return int((await database.read(self._read))[0][0])
