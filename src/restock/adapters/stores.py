"""Which databases there are: the embedded ones of the home, or those of the server that the settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.mysql_place import Place, ServerSettings, administrator_of, server_of
from restock.core.errors import InvalidInput, Unavailable
from restock.engine.database import Databases, Row, Statement
from restock.engine.database.migrate import Schema
from restock.engine.database.port import Parameters

SHARED = "stream"
"""The database that services open beside their own, where the stream is embedded."""


class StoreSettings(ServerSettings, Protocol):
    """The settings that say where the databases are."""

    @property
    def home(self) -> Path:
        """The folder of all embedded state."""
        ...


async def stores_of(settings: StoreSettings, schemas: Mapping[str, Sequence[Schema]]) -> Databases:
    """Open the databases, migrating what must be. Raises StorageUnusable, Unavailable, InvalidInput for a setting."""
    if not settings.db_host:
        _refuse_some(settings)
        return EmbeddedDatabases(settings.home, schemas)
    server = _named(server_of(settings), settings.db_name, list(schemas))
    try:
        from restock.adapters.database.mysql_databases import open_databases
    except ImportError:
        raise _no_driver(settings) from None
    return await open_databases(server, schemas)


async def set_up(settings: StoreSettings, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Make the databases and users that are missing on the server; give the names of both that were made."""
    if not settings.db_host:
        raise InvalidInput("is not set.", field="db_host", remedy="Name the server, such as 127.0.0.1.")
    server, admin = server_of(settings), administrator_of(settings)
    try:
        from restock.adapters.database.mysql_databases import setup, setup_users
    except ImportError:
        raise _no_driver(settings) from None
    return await setup(admin, names), await setup_users(admin, server, names)


async def migrated(settings: StoreSettings, schemas: Mapping[str, Sequence[Schema]]) -> list[str]:
    """Make or update the tables, as the administrator if there is one; give the databases that changed."""
    if not settings.db_host:
        _refuse_some(settings)
        embedded = EmbeddedDatabases(settings.home, schemas)
        await embedded.close()
        return embedded.migrated
    admin = administrator_of(settings)
    try:
        from restock.adapters.database.mysql_databases import migrate_all
    except ImportError:
        raise _no_driver(settings) from None
    return await migrate_all(admin, schemas)


async def asked(settings: StoreSettings, name: str, statement: Statement, parameters: Parameters) -> list[Row]:
    """Ask one database of the server without opening the program."""
    from restock.adapters.database.mysql import MySqlDatabase

    database = MySqlDatabase(server_of(settings).of(name), name)
    try:
        return await database.read(statement, parameters)
    finally:
        await database.close()


def _named(server: Place, name: str, databases: Sequence[str]) -> Place:
    """Give the service's own database the name that is set for it. Raises InvalidInput when there are several."""
    if not name:
        return server
    owned = [one for one in databases if one != SHARED]
    if len(owned) != 1:
        raise InvalidInput(
            f"names one database, and this process opens {len(owned)}.",
            field="db_name",
            remedy="Name each, as in OMS_DB, or serve one service.",
        )
    own = {"name": name, **server.own.get(owned[0], {})}
    return replace(server, own={**server.own, owned[0]: own})


def _refuse_some(settings: StoreSettings) -> None:
    """Refuse a server for some databases only: they are all embedded, or all on servers."""
    for name, own in settings.db_own.items():
        if "host" in own:
            raise InvalidInput(
                f"is set, and db_host is not: the databases are all embedded or all on servers ({name} is one of them).",
                field=f"{name}_db_host",
                remedy="Set db_host to the server of the others.",
            )


def _no_driver(settings: StoreSettings) -> Unavailable:
    return Unavailable(
        f"The databases on {settings.db_host} cannot be used: their driver is not installed.",
        remedy="Install Restock with the extra mysql.",
    )
