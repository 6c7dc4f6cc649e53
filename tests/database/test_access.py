"""Who may ask a database on a server, by which name, with which password: settings, users, TLS, pools."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from notebook import ADD, COUNT, LISTED, NAMES, SCHEMAS, note

from restock.adapters.database.mysql import MySqlDatabase, connected, sent
from restock.adapters.database.mysql_databases import migrate_all, open_databases, setup, setup_users
from restock.adapters.database.mysql_place import Place, administrator_of, server_of
from restock.adapters.stores import migrated, set_up, stores_of
from restock.core.errors import InvalidInput, StorageUnusable
from restock.engine.database import Transaction
from restock.engine.database.port import Pool
from restock.settings import load, with_origins

on_a_server = pytest.mark.server("mysql")

PUBLISHED = {
    "DB_HOST": "127.0.0.1",
    "DB_PORT": "3307",
    "DB_USER": "flow",
    "DB_PASSWORD": "hush",
    "OMS_DB": "oms",
    "PO_DB": "po",
    "INVENTORY_DB_HOST": "127.0.0.2",
    "INVENTORY_DB_PORT": "3308",
    "INVENTORY_DB_USER": "stock",
    "INVENTORY_DB_PASSWORD": "silence",
    "INVENTORY_DB_NAME": "warehouse",
}


def test_the_published_names_say_where_every_database_is() -> None:
    server = server_of(load(environment=PUBLISHED))
    oms, inventory, units = server.of("oms"), server.of("inventory"), server.of("uom")
    assert (oms.host, oms.port, oms.user, oms.secret(), oms.database) == ("127.0.0.1", 3307, "flow", "hush", "oms")
    assert (inventory.host, inventory.port, inventory.user) == ("127.0.0.2", 3308, "stock")
    assert (inventory.secret(), inventory.database) == ("silence", "warehouse")
    assert (units.database, server.of("po").database) == ("uom_db", "po")


def test_our_own_names_win_over_the_published_ones_and_no_secret_is_shown() -> None:
    environment = PUBLISHED | {"RESTOCK_DB_USER": "mine", "RESTOCK_INVENTORY_DB_USER": "theirs"}
    settings, origins = with_origins(environment=environment)
    assert (settings.db_user, settings.db_own["inventory"]["user"]) == ("mine", "theirs")
    shown = {one.name: (one.value, one.origin) for one in origins}
    assert shown["inventory_db_password"] == ("(set)", "environment INVENTORY_DB_PASSWORD")
    assert shown["po_db"] == ("po", "environment PO_DB")
    assert "hush" not in repr((settings, origins)) and "silence" not in repr((settings, origins))
    assert "hush" not in repr(server_of(settings)) and "silence" not in repr(server_of(settings).of("inventory"))


def test_dotenv_stands_between_the_file_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "elsewhere"
    home.mkdir()
    (home / "restock.toml").write_text('db_user = "of the file"\ndb_port = 1\ncompany = "of the file"\noms_db = "o"\n')
    (tmp_path / ".env").write_text(
        f"# for compose\nexport RESTOCK_HOME={home}\nDB_USER='of # .env'\nDB_PORT=2 # two\n\nDB_PASSWORD=\"a b\"\nTHEIRS=\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESTOCK_HOME")
    monkeypatch.setenv("DB_PORT", "3")
    settings, origins = with_origins()
    assert (settings.home, settings.company, settings.db_user) == (home, "of the file", "of # .env")
    assert (settings.db_port, settings.db_password, settings.db_own) == (3, "a b", {"oms": {"name": "o"}})
    shown = {one.name: one.origin for one in origins}
    assert (shown["db_user"], shown["db_port"]) == (".env DB_USER", "environment DB_PORT")
    (tmp_path / ".env").write_text("DB_HOST: 127.0.0.1\n")
    with pytest.raises(InvalidInput, match="Line 1"):
        load()


@pytest.mark.parametrize("password", ["", "restock", "password", "root", "flow"])
def test_a_password_that_everybody_knows_is_refused_far_from_here(password: str) -> None:
    far = {"DB_HOST": "db.example.com", "RESTOCK_DB_CA": "ca.pem", "DB_USER": "flow", "DB_PASSWORD": password}
    with pytest.raises(InvalidInput, match="development") as refused:
        server_of(load(environment=far))
    assert refused.value.field == "db_password"
    near = PUBLISHED | {"OMS_DB_HOST": "db.example.com", "OMS_DB_PASSWORD": password, "RESTOCK_DB_CA": "ca.pem"}
    if password:
        with pytest.raises(InvalidInput, match="development") as refused:
            server_of(load(environment=near)).of("oms")
        assert refused.value.field == "oms_db_password"


def test_a_password_stands_in_one_place_and_is_read_anew_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    given = {"DB_HOST": "127.0.0.1", "DB_PASSWORD_FILE": str(file)}
    place = server_of(load(environment=given)).of("oms")
    assert place.secret() == "first"
    file.write_text("second")
    assert place.secret() == "second"
    assert server_of(load(environment=given | {"OMS_DB_PASSWORD": "own"})).of("oms").secret() == "own"
    with pytest.raises(InvalidInput, match="too"):
        server_of(load(environment=given | {"DB_PASSWORD": "x"}))
    file.unlink()
    with pytest.raises(InvalidInput, match="cannot be read"):
        place.secret()


@pytest.mark.parametrize("name", ["a`b", "a b", "x" * 65, "a.b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="name of a database"):
        server_of(load(environment=PUBLISHED | {"OMS_DB": name})).of("oms")


async def test_one_name_is_for_one_service_and_a_server_is_for_all_databases(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="opens 2"):
        await stores_of(load(environment=PUBLISHED | {"DB_NAME": "mine"}), SCHEMAS)
    with pytest.raises(InvalidInput, match="all embedded"):
        await stores_of(load({"home": tmp_path}, {"OMS_DB_HOST": "127.0.0.1"}), SCHEMAS)
    with pytest.raises(InvalidInput, match="not set"):
        await set_up(load(environment={}), NAMES)


async def test_embedded_tables_are_brought_up_to_date_once(tmp_path: Path) -> None:
    settings = load({"home": tmp_path}, {})
    assert await migrated(settings, SCHEMAS) == list(NAMES)
    assert await migrated(settings, SCHEMAS) == []


@pytest.fixture
async def admin(server: Place) -> AsyncIterator[Place]:
    """The server with a prefix of this test, as its administrator; what was made is dropped."""
    admin = replace(server, prefix=f"own_{uuid4().hex[:8]}_")
    yield admin
    connection = await connected(replace(admin, database=""))
    for name in NAMES:
        await sent(connection, f"DROP DATABASE IF EXISTS `{admin.of(name).database}`")
        await sent(connection, f"DROP USER IF EXISTS `{admin.prefix}{name}`@`%`")
    await connection.ensure_closed()


def services(admin: Place, password: str = "hush") -> Place:
    """The server as services ask it: each database has a user of its own."""
    own = {name: {"user": f"{admin.prefix}{name}", "password": password} for name in NAMES}
    return replace(admin, user="nobody", own=own)


@on_a_server
async def test_a_service_reads_and_writes_rows_of_its_own_and_nothing_else(admin: Place) -> None:
    server = services(admin)
    assert len(await setup(admin, NAMES)) == len(NAMES)
    assert await setup_users(admin, server, NAMES) == [server.of(name).user for name in NAMES]
    with pytest.raises(StorageUnusable, match="restock migrate"):
        await open_databases(server, SCHEMAS)
    assert await migrate_all(admin, SCHEMAS) == list(NAMES)
    assert await migrate_all(admin, SCHEMAS) == []
    databases = await open_databases(server, SCHEMAS)

    async def unit(tx: Transaction) -> int:
        return await tx.write_many(ADD, [note("a"), note("b")])

    assert await databases["left"].write("add", unit) == 2
    await databases.close()
    mine = await connected(server.of("left"))
    for forbidden in (
        "CREATE TABLE more (a INT)",
        "DROP TABLE note",
        f"SELECT * FROM `{admin.of('right').database}`.note",
        f"GRANT SELECT ON `{admin.of('left').database}`.* TO nobody",
    ):
        with pytest.raises(Exception, match=r"denied|GRANT|permission"):
            await sent(mine, forbidden)
    await mine.ensure_closed()
    # An underscore in a grant is any letter unless it is said otherwise: the right must not reach a similar name.
    twin = admin.of("left").database.replace("_left", "xleft")
    boss = await connected(replace(admin, database=""))
    await sent(boss, f"CREATE DATABASE `{twin}`")
    with pytest.raises(Exception, match="denied"):
        await connected(replace(server.of("left"), database=twin))
    await sent(boss, f"DROP DATABASE `{twin}`")
    await boss.ensure_closed()


@on_a_server
async def test_a_new_password_is_used_without_a_restart(admin: Place, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("before")
    server = services(admin)
    server = replace(server, own={n: {"user": o["user"], "password_file": str(file)} for n, o in server.own.items()})
    await setup(admin, NAMES)
    await setup_users(admin, server, NAMES)
    await migrate_all(admin, SCHEMAS)
    databases = await open_databases(server, SCHEMAS)
    left = databases["left"]
    assert await left.read(COUNT) == [(0,)]
    file.write_text("after")
    assert await setup_users(admin, server, NAMES) == []  # the users are there; they get the new password
    boss = await connected(replace(admin, database=""))
    rows = f"SELECT id FROM information_schema.processlist WHERE user = '{server.of('left').user}'"
    async with boss.cursor() as cursor:
        await cursor.execute(rows)
        for (number,) in await cursor.fetchall():
            await sent(boss, f"KILL {number}")
    await boss.ensure_closed()
    await asyncio.sleep(0.05)
    assert await left.read(COUNT) == [(0,)]  # on a new connection; that the old one ended nobody noticed
    await databases.close()
    with pytest.raises(StorageUnusable, match="denied"):
        await open_databases(services(admin, "before"), SCHEMAS)


@on_a_server
async def test_a_user_without_a_password_is_not_made(admin: Place) -> None:
    await setup(admin, NAMES)
    with pytest.raises(InvalidInput, match="no password") as refused:
        await setup_users(admin, services(admin, ""), NAMES)
    assert refused.value.field == "left_db_password"


@pytest.mark.slow
@on_a_server
async def test_the_command_makes_databases_users_and_tables(admin: Place) -> None:
    environment = {
        **os.environ,
        "DB_HOST": admin.host,
        "DB_PORT": str(admin.port),
        "DB_USER": f"{admin.prefix}left",
        "DB_PASSWORD": "hush",
        "RESTOCK_DB_PREFIX": admin.prefix,
        "RESTOCK_DB_ADMIN_USER": admin.user,
        "RESTOCK_DB_ADMIN_PASSWORD": admin.password,
        "PO_DB": f"{admin.prefix}orders",
    }

    def said(*command: str) -> str:
        done = subprocess.run(
            [".venv/bin/restock", *command], env=environment, capture_output=True, text=True, check=False, timeout=60,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        first = said("setup", "databases")
        assert f"{admin.prefix}orders" in first and f"Made the users {admin.prefix}left." in first
        assert said("setup", "databases") == "All databases are there.\n"
        assert "oms" in said("migrate") and said("migrate") == "All tables are up to date.\n"
        assert "0" in said("metrics")  # which opens them all as the user of the service
    finally:
        connection = await connected(replace(admin, database=""))
        async with connection.cursor() as cursor:
            await cursor.execute("SHOW DATABASES")
            for (name,) in await cursor.fetchall():
                if name.startswith(admin.prefix):
                    await sent(connection, f"DROP DATABASE `{name}`")
        await connection.ensure_closed()


def test_an_administrator_asks_the_same_servers_with_its_own_password() -> None:
    environment = PUBLISHED | {"RESTOCK_DB_ADMIN_USER": "boss", "RESTOCK_DB_ADMIN_PASSWORD": "word"}
    inventory = administrator_of(load(environment=environment)).of("inventory")
    assert (inventory.host, inventory.user, inventory.secret()) == ("127.0.0.2", "boss", "word")
    assert inventory.database == "warehouse"
    assert administrator_of(load(environment=PUBLISHED)).user == "flow"


def authority_of(folder: Path) -> Path:
    """An authority that signed nothing here."""
    made = folder / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-days", "2",
         "-keyout", str(folder / "key"), "-out", str(made)], check=True, capture_output=True,
    )  # fmt: skip
    return made


@on_a_server
async def test_a_server_is_asked_over_tls_and_only_when_its_authority_is_known(server: Place, tmp_path: Path) -> None:
    (authority,) = parse_qs(urlsplit(os.environ["RESTOCK_MYSQL_URL"]).query)["ca"]
    connection = await connected(replace(server, ca=authority))
    async with connection.cursor() as cursor:
        await cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        assert (await cursor.fetchone())[1]
    await connection.ensure_closed()
    other = await asyncio.to_thread(authority_of, tmp_path)
    with pytest.raises(Exception, match="certificate verify failed"):
        await connected(replace(server, ca=str(other)))


@on_a_server
async def test_the_whole_database_speaks_tls(server: Place) -> None:
    (authority,) = parse_qs(urlsplit(os.environ["RESTOCK_MYSQL_URL"]).query)["ca"]
    databases = await open_databases(replace(server, ca=authority), SCHEMAS)

    async def unit(tx: Transaction) -> int:
        return await tx.write_many(ADD, [note(f"tls {number}", number, "x" * 128) for number in range(2_000)])

    before = (await databases["left"].read(COUNT))[0][0]
    assert await databases["left"].write("add", unit) == 2_000
    assert await databases["left"].read(COUNT) == [(before + 2_000,)]
    await databases.close()


@on_a_server
async def test_a_pool_lends_so_many_connections_and_tells_who_waits(server: Place) -> None:
    await (await open_databases(server, SCHEMAS)).close()
    database = MySqlDatabase(replace(server, pool_size=2).of("left"), "left")
    assert database.pool == Pool(2, 0, 0, 0, 0, 0)
    asking = [asyncio.create_task(database.read(COUNT)) for _ in range(5)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert (database.pool.in_use, database.pool.waiting) == (2, 3)
    asking[-1].cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    pool = database.pool
    assert (pool.size, pool.in_use, pool.idle, pool.waiting, pool.waits) == (2, 0, 2, 0, 3)
    assert pool.wait_us > 0
    with pytest.raises(KeyError):
        await database.read(LISTED)  # without its list: what failed is not lent again
    assert (database.pool.in_use, database.pool.idle) == (0, 1)
    assert len(await database.read(COUNT)) == 1
    await database.close()
