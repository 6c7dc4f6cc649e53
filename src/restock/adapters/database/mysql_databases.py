"""The databases of one Restock on a server: made by `setup`, brought up to date when opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from asyncmy.connection import Connection
from asyncmy.errors import MySQLError

from restock.adapters.database.mysql import MySqlDatabase, connected, ended, sent
from restock.adapters.database.mysql_errors import translated
from restock.adapters.database.mysql_place import Place
from restock.core.errors import StorageUnusable
from restock.engine.database.migrate import Schema, pending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SETUP_WAIT_SECONDS = 60
"""How long opening waits for another process that makes the tables."""

_MISSING_TABLE, _MISSING_DATABASE = 1146, 1049


class MySqlDatabases:
    """All databases of one Restock. Make it with `open_databases`."""

    def __init__(self, server: Place, names: Sequence[str]) -> None:
        self._databases = {name: MySqlDatabase(server.of(name), name) for name in names}

    def __getitem__(self, name: str) -> MySqlDatabase:
        return self._databases[name]

    def __iter__(self) -> Iterator[MySqlDatabase]:
        return iter(self._databases.values())

    async def close(self) -> None:
        """Finish what waits and close every connection."""
        for database in self._databases.values():
            await database.close()


async def open_databases(server: Place, schemas: Mapping[str, Sequence[Schema]]) -> MySqlDatabases:
    """Open the databases, migrating what must be. Raises StorageUnusable when one is missing or newer, Unavailable."""
    for name, owners in schemas.items():
        await migrate(server.of(name), owners)
    return MySqlDatabases(server, list(schemas))


async def setup(server: Place, names: Sequence[str]) -> list[str]:
    """Make the databases that are missing; give the names of those made. The user must have the right to."""
    made = []
    async with _asking(server) as connection:
        collation = await _collation(connection)
        for name in names:
            database = server.of(name).database
            found = await _rows(
                connection, "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (database,)
            )
            if not found:
                await sent(connection, f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4 COLLATE {collation}")
                made.append(database)
    return made


async def migrate(place: Place, schemas: Sequence[Schema]) -> None:
    """Make or update the tables of one database; one process after the other."""
    async with _asking(place) as connection:
        if not await _is_pending(connection, place, schemas):
            return
        ((taken,),) = await _rows(connection, "SELECT GET_LOCK(%s, %s)", (place.database, SETUP_WAIT_SECONDS))
        if not taken:
            raise StorageUnusable(f"Another process has been making the tables of {place.database} for a minute.")
        if await _is_pending(connection, place, schemas):
            from restock.adapters.database.mysql_migration import upgraded  # noqa: PLC0415 - seldom, and 160 ms

            await upgraded(place, schemas)


async def _is_pending(connection: Connection, place: Place, schemas: Sequence[Schema]) -> bool:
    found = [pending(schema, await _revision(connection, schema), place.database) for schema in schemas]
    return any(found) or not await _rows(connection, "SHOW TABLES LIKE 'turn'")


async def _revision(connection: Connection, schema: Schema) -> str | None:
    try:
        found = await _rows(connection, f"SELECT version_num FROM {schema.version_table}")  # noqa: S608 - our own name
    except MySQLError as error:
        if error.args[0] == _MISSING_TABLE:
            return None
        raise
    return str(found[0][0]) if found else None


async def _collation(connection: Connection) -> str:
    """Give the collation in which texts are equal if and only if their bytes are."""
    ((version,),) = await _rows(connection, "SELECT VERSION()")
    return "utf8mb4_nopad_bin" if "mariadb" in str(version).lower() else "utf8mb4_0900_bin"


async def _rows(connection: Connection, text: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    async with connection.cursor() as cursor:
        await cursor.execute(text, values)
        return list(await cursor.fetchall())


@asynccontextmanager
async def _asking(place: Place) -> AsyncIterator[Connection]:
    """Connect for a few questions. Raises the errors of Restock."""
    what = place.database or f"{place.host}:{place.port}"
    try:
        connection = await connected(place)
    except (MySQLError, OSError) as error:
        raise translated(error, what) from error
    try:
        yield connection
    except (MySQLError, OSError) as error:
        raise translated(error, what) from error
    finally:
        await ended(connection)
