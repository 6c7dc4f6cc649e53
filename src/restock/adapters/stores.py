"""Which databases there are: the embedded ones of the home, or those of the server that the settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.mysql_place import ServerSettings, server_of
from restock.core.errors import InvalidInput, Unavailable
from restock.engine.database import Databases, Row, Statement
from restock.engine.database.migrate import Schema
from restock.engine.database.port import Parameters


class StoreSettings(ServerSettings, Protocol):
    """The settings that say where the databases are."""

    @property
    def home(self) -> Path:
        """The folder of all embedded state."""
        ...


async def stores_of(settings: StoreSettings, schemas: Mapping[str, Sequence[Schema]]) -> Databases:
    """Open the databases, migrating what must be. Raises StorageUnusable, Unavailable, InvalidInput for a setting."""
    if not settings.db_host:
        return EmbeddedDatabases(settings.home, schemas)
    server = server_of(settings)
    try:
        from restock.adapters.database.mysql_databases import open_databases  # noqa: PLC0415 - an extra
    except ImportError:
        raise _no_driver(settings) from None
    return await open_databases(server, schemas)


async def set_up(settings: StoreSettings, names: Sequence[str]) -> list[str]:
    """Make the databases that are missing on the server; give the names of those made."""
    if not settings.db_host:
        raise InvalidInput("is not set.", field="db_host", remedy="Name the server, such as 127.0.0.1.")
    server = server_of(settings)
    try:
        from restock.adapters.database.mysql_databases import setup  # noqa: PLC0415 - an extra
    except ImportError:
        raise _no_driver(settings) from None
    return await setup(server, names)


async def asked(settings: StoreSettings, name: str, statement: Statement, parameters: Parameters) -> list[Row]:
    """Ask one database of the server without opening the program."""
    from restock.adapters.database.mysql import MySqlDatabase  # noqa: PLC0415 - an extra

    database = MySqlDatabase(server_of(settings).of(name), name)
    try:
        return await database.read(statement, parameters)
    finally:
        await database.close()


def _no_driver(settings: StoreSettings) -> Unavailable:
    return Unavailable(
        f"The databases on {settings.db_host} cannot be used: their driver is not installed.",
        remedy="Install Restock with the extra mysql.",
    )
