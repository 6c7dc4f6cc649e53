"""The databases of one Restock on a server: made by `setup`, brought up to date when opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from asyncmy.connection import Connection
from asyncmy.errors import MySQLError

from restock.adapters.database.mysql import MySqlDatabase, connected, ended, sent
from restock.adapters.database.mysql_errors import translated
from restock.adapters.database.mysql_place import Place
from restock.core.errors import InvalidInput, StorageUnusable
from restock.engine.database.migrate import Schema, pending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SETUP_WAIT_SECONDS = 60
"""How long opening waits for another process that makes the tables."""

_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
"""What a service does; tables are changed by who migrates."""

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
    await migrate_all(server, schemas)
    return MySqlDatabases(server, list(schemas))


async def setup(admin: Place, names: Sequence[str]) -> list[str]:
    """Make the databases that are missing; give the names of those made. The user must have the right to."""
    made = []
    for name in names:
        database = admin.of(name).database
        async with _asking(replace(admin.of(name), database="")) as connection:
            found = await _rows(
                connection, "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (database,)
            )
            if not found:
                collation = await _collation(connection)
                await sent(connection, f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4 COLLATE {collation}")
                made.append(database)
    return made


async def setup_users(admin: Place, server: Place, names: Sequence[str]) -> list[str]:
    """Make the users of the databases, each with the right to read and write rows of its own; give those made.

    A user that is there gets the password of the settings. Raises InvalidInput for an empty one.
    """
    made = []
    for name in names:
        place = server.of(name)
        user = (place.user, "%")
        if place.user == admin.user:
            continue
        if not place.secret():
            raise InvalidInput(f"The user {place.user} would have no password.", field=f"{name}_db_password")
        async with _asking(replace(admin.of(name), database="")) as connection:
            if not await _rows(connection, "SELECT 1 FROM mysql.user WHERE user = %s AND host = %s", user):
                await _rows(connection, "CREATE USER %s@%s", user)
                made.append(place.user)
            required = "SSL" if place.ca else "NONE"
            await _rows(connection, f"ALTER USER %s@%s IDENTIFIED BY %s REQUIRE {required}", (*user, place.secret()))
            own = place.database.replace("_", "\\_")  # otherwise any letter
            await _rows(connection, f"GRANT {_RIGHTS} ON `{own}`.* TO %s@%s", user)
    return made


async def migrate_all(admin: Place, schemas: Mapping[str, Sequence[Schema]]) -> list[str]:
    """Make or update the tables of all databases; give the names of those that changed."""
    return [name for name, owners in schemas.items() if await migrate(admin.of(name), owners)]


async def migrate(place: Place, schemas: Sequence[Schema]) -> bool:
    """Make or update the tables of one database, one process after the other; tell whether there was anything to do."""
    async with _asking(place) as connection:
        if not await _is_pending(connection, place, schemas):
            return False
        ((taken,),) = await _rows(connection, "SELECT GET_LOCK(%s, %s)", (place.database, SETUP_WAIT_SECONDS))
        if not taken:
            raise StorageUnusable(f"Another process has been making the tables of {place.database} for a minute.")
        if await _is_pending(connection, place, schemas):
            from restock.adapters.database.mysql_migration import upgraded  # noqa: PLC0415 - seldom, and 160 ms

            await upgraded(place, schemas)
    return True


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
