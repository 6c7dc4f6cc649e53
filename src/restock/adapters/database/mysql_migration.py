"""Migrations on a server. There every change of a table is final at once, so the last table to be made is the sign that all
are: a database without it was begun and never opened, and is begun anew.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import URL, Connection, LargeBinary, Text, exc, inspect, pool
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.ext.compiler import compiles

from restock.adapters.database.mysql_errors import translated
from restock.adapters.database.mysql_place import Place
from restock.core.errors import StorageUnusable
from restock.engine.database.migrate import Schema, upgrade

logging.getLogger("asyncmy").setLevel(logging.ERROR)  # it warns that a primary key has no name of its own on MySQL


async def upgraded(place: Place, schemas: Sequence[Schema]) -> None:
    """Bring the tables of one database up to date; the caller sees to it that nobody else does."""
    address = URL.create("mysql+asyncmy", place.user, place.secret(), place.host, place.port, place.database)
    tls = place.tls()
    engine = create_async_engine(address, poolclass=pool.NullPool, connect_args={"ssl": tls} if tls else {})
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_to_newest, schemas)
    except exc.DBAPIError as error:
        assert error.orig is not None
        raise translated(error.orig, place.database) from error
    finally:
        await engine.dispose()


def _to_newest(connection: Connection, schemas: Sequence[Schema]) -> None:
    tables = set(inspect(connection).get_table_names())
    if "turn" not in tables:
        _clear(connection, tables, {schema.version_table for schema in schemas})
    upgrade(connection, schemas)
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS turn (number INTEGER PRIMARY KEY, writes BIGINT NOT NULL)")
    connection.exec_driver_sql("INSERT IGNORE INTO turn VALUES (1, 0)")


def _clear(connection: Connection, tables: set[str], ours: set[str]) -> None:
    """Drop what an interrupted making left behind: without the last table nobody has ever opened the database."""
    if tables and not tables & ours:
        raise StorageUnusable(
            f"The database {connection.engine.url.database} has tables of somebody else: {', '.join(sorted(tables)[:5])}.",
            remedy="Set db_prefix, so that Restock has databases of its own.",
        )
    for table in sorted(tables):
        connection.exec_driver_sql(f"DROP TABLE `{table}`")


@compiles(Text, "mysql")
def _text(_type: Text, _compiler: object, **_options: object) -> str:
    """A document may be larger than the 64 KiB of MySQL's TEXT."""
    return "LONGTEXT"


@compiles(LargeBinary, "mysql")
def _bytes(_type: LargeBinary, _compiler: object, **_options: object) -> str:
    """A batch of records may be larger than the 64 KiB of MySQL's BLOB."""
    return "LONGBLOB"
