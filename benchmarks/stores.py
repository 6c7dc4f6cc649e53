"""Where a benchmark keeps its databases: in its home, or with `--stores mysql` on the server of RESTOCK_MYSQL_URL."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

from restock.adapters.database.mysql_place import server_of
from restock.adapters.stores import set_up
from restock.services import SCHEMAS
from restock.settings import Settings, load


def on_server() -> bool:
    """Tell whether `--stores mysql` was said."""
    if "--stores" not in sys.argv:
        return False
    named = sys.argv[sys.argv.index("--stores") + 1 :][:1]
    if named == ["mysql"]:
        return True
    if named == ["embedded"]:
        return False
    sys.exit("--stores takes embedded or mysql.")


@contextmanager
def chosen() -> Iterator[str]:
    """Set the environment for the stores asked for, programs that are started included; give their name.

    Databases on a server are made anew and dropped in the end.
    """
    if not on_server():
        yield "embedded"
        return
    address = urlsplit(os.environ.get("RESTOCK_MYSQL_URL", ""))
    if not address.hostname:
        sys.exit('RESTOCK_MYSQL_URL is not set: eval "$(scripts/services up mysql)"')
    os.environ |= {
        "RESTOCK_DB_HOST": address.hostname,
        "RESTOCK_DB_PORT": str(address.port or 3306),
        "RESTOCK_DB_USER": address.username or "",
        "RESTOCK_DB_PASSWORD": address.password or "",
        "RESTOCK_DB_PREFIX": f"bench_{uuid4().hex[:8]}_",
    }
    settings = load()
    asyncio.run(set_up(settings, list(SCHEMAS)))
    try:
        yield "mysql"
    finally:
        asyncio.run(_dropped(settings))


async def _dropped(settings: Settings) -> None:
    from restock.adapters.database.mysql import connected, sent

    server = server_of(settings)
    connection = await connected(server)
    for name in SCHEMAS:
        await sent(connection, f"DROP DATABASE `{server.of(name).database}`")
    await connection.ensure_closed()
