"""A notebook for the tests of this folder: two databases of one small context, and what is done with them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, bindparam, func, select

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.mysql_databases import MySqlDatabases, open_databases
from restock.adapters.database.mysql_place import Place
from restock.adapters.database.sqlite import SqliteDatabase
from restock.engine.database import Database, Databases, Row, Statement, Transaction
from restock.engine.database.migrate import Schema
from restock.engine.database.statement import Upsert

METADATA = MetaData()
NOTE = Table(
    "note",
    METADATA,
    Column("key", String(128), primary_key=True),
    Column("word", String(128), nullable=False),
    Column("number", BigInteger, nullable=False),
)
BLOB = Table("blob", METADATA, Column("key", String(128), primary_key=True), Column("text", Text, nullable=False))
SCHEMA = Schema("notes", Path(__file__).parent / "notes")
NAMES = ("left", "right")
SCHEMAS = {name: [SCHEMA] for name in NAMES}

ADD = Statement(NOTE.insert())
PUT = Upsert(NOTE, ("key",))
PUT_NUMBER = Upsert(NOTE, ("key",), only=("number",))
ADD_BLOB = Statement(BLOB.insert())
ALL = Statement(select(NOTE.c.key, NOTE.c.word, NOTE.c.number).order_by(NOTE.c.key))
COUNT = Statement(select(func.count()).select_from(NOTE))
LISTED = Statement(select(NOTE.c.key, NOTE.c.number).where(NOTE.c.key.in_(bindparam("keys", expanding=True))))
LISTED_OF_WORD = Statement(
    select(NOTE.c.key).where(NOTE.c.word == bindparam("of_word"), NOTE.c.key.in_(bindparam("keys", expanding=True)))
)
RAISE = Statement(NOTE.update().where(NOTE.c.key == bindparam("of_key")).values(number=NOTE.c.number + 1))


def note(key: str, number: int = 0, word: str = "") -> dict[str, object]:
    return {"key": key, "word": word, "number": number}


class Pages:
    """What is done with the two databases, wherever they are."""

    databases: Databases
    left: Database
    right: Database

    async def add(self, *keys: str) -> int:
        async def unit(tx: Transaction) -> int:
            return await tx.write_many(ADD, [note(key) for key in keys])

        return await self.left.write("add", unit)

    async def keys(self) -> list[str]:
        return [row[0] for row in await self.left.read(ALL)]

    async def rows(self) -> list[Row]:
        return await self.left.read(ALL)

    async def again(self) -> Pages:
        """The same databases for another process, as far as they can tell."""
        raise NotImplementedError

    async def close(self) -> None:
        await self.databases.close()


class ServerPages(Pages):
    """Two databases on a server of MySQL or MariaDB."""

    def __init__(self, databases: MySqlDatabases, server: Place) -> None:
        self.databases, self.server = databases, server
        self.left, self.right = (databases[name] for name in NAMES)

    @classmethod
    async def opened(cls, server: Place) -> ServerPages:
        return cls(await open_databases(server, SCHEMAS), server)

    async def again(self) -> Pages:
        return await self.opened(self.server)

    async def emptied(self) -> ServerPages:
        async def unit(tx: Transaction) -> None:
            await tx.write(Statement(NOTE.delete()))
            await tx.write(Statement(BLOB.delete()))

        for each in (self.left, self.right):
            await each.write("empty", unit)
        return self


class Notebook(Pages):
    """Two databases on one home."""

    left: SqliteDatabase
    right: SqliteDatabase

    def __init__(self, home: Path) -> None:
        self.home = home
        self.databases = EmbeddedDatabases(home, SCHEMAS)
        self.left, self.right = (self.databases[name] for name in NAMES)

    async def again(self) -> Pages:
        """The same databases for another process, as far as they can tell."""
        return Notebook(self.home)


@lru_cache
def migrated_home() -> Path:
    """A home with empty, current stores; migrating one takes longer than most tests."""
    import asyncio

    folder = Path(tempfile.mkdtemp(prefix="restock-notebook-"))
    atexit.register(shutil.rmtree, folder, True)
    notebook = Notebook(folder)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(notebook.close())
    loop.close()
    return folder


def copied_home(target: Path) -> Path:
    return Path(shutil.copytree(migrated_home(), target, dirs_exist_ok=True))
