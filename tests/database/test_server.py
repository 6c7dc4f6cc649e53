"""Databases on a server: how they are made, and what is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from notebook import ADD, COUNT, NAMES, RAISE, SCHEMAS, ServerPages, note

from restock.adapters.database.mysql import connected, sent
from restock.adapters.database.mysql_databases import open_databases, setup
from restock.adapters.database.mysql_place import Place, server_of
from restock.core.errors import InvalidInput, StorageUnusable, Unavailable
from restock.engine.database import Transaction
from restock.settings import Settings, load, with_origins

on_a_server = pytest.mark.server("mysql")


async def ran(place: Place, *statements: str) -> None:
    connection = await connected(place)
    for each in statements:
        await sent(connection, each)
    await connection.ensure_closed()


@pytest.fixture
def fresh(server: Place) -> Place:
    return replace(server, prefix=f"{server.prefix}{uuid4().hex[:6]}_")


async def dropped(place: Place) -> None:
    await ran(replace(place, database=""), *(f"DROP DATABASE IF EXISTS `{place.of(name).database}`" for name in NAMES))


@on_a_server
async def test_databases_are_made_once_and_a_missing_one_is_refused(fresh: Place) -> None:
    with pytest.raises(StorageUnusable, match="setup databases"):
        await open_databases(fresh, SCHEMAS)
    assert await setup(fresh, NAMES) == [fresh.of(name).database for name in NAMES]
    assert await setup(fresh, NAMES) == []
    await dropped(fresh)


@on_a_server
async def test_a_making_that_was_interrupted_is_begun_anew(fresh: Place) -> None:
    await setup(fresh, NAMES)
    await ran(
        fresh.of("left"), "CREATE TABLE notes_schema_version (version_num VARCHAR(32))", "CREATE TABLE note (a INT)"
    )
    pages = await ServerPages.opened(fresh)
    assert await pages.add("first") == 1
    await pages.close()
    await dropped(fresh)


@on_a_server
async def test_tables_of_somebody_else_are_left_alone(fresh: Place) -> None:
    await setup(fresh, NAMES)
    await ran(fresh.of("left"), "CREATE TABLE customers (a INT)", "INSERT INTO customers VALUES (1)")
    with pytest.raises(StorageUnusable, match="customers"):
        await open_databases(fresh, SCHEMAS)
    await ran(fresh.of("left"), "UPDATE customers SET a = 2")
    await dropped(fresh)


@on_a_server
async def test_tables_of_a_newer_program_are_refused(fresh: Place) -> None:
    await setup(fresh, NAMES)
    await (await ServerPages.opened(fresh)).close()
    await ran(fresh.of("left"), "UPDATE notes_schema_version SET version_num = '9999'")
    with pytest.raises(StorageUnusable, match="9999"):
        await open_databases(fresh, SCHEMAS)
    await dropped(fresh)


@on_a_server
async def test_a_wrong_password_and_a_server_that_is_away_are_told(fresh: Place) -> None:
    with pytest.raises(StorageUnusable, match="denied"):
        await open_databases(replace(fresh, password="wrong"), SCHEMAS)
    with pytest.raises(Unavailable, match="does not answer"):
        await open_databases(replace(fresh, port=1), SCHEMAS)


@on_a_server
async def test_two_processes_write_one_database_in_turns(server: Place) -> None:
    one = await (await ServerPages.opened(server)).emptied()
    two = await ServerPages.opened(server)

    async def next_number(tx: Transaction) -> None:
        ((count,),) = await tx.read(COUNT)
        await asyncio.sleep(0)
        await tx.write(ADD, note(f"{count:04}"))

    before = await one.left.changes()
    await asyncio.gather(*(pages.left.write("next", next_number) for _ in range(100) for pages in (one, two)))
    assert await one.keys() == [f"{number:04}" for number in range(200)]
    assert await one.left.changes() > before
    await one.close()
    await two.close()


@on_a_server
async def test_what_comes_behind_a_transaction_that_the_server_gave_up_is_not_stored(server: Place) -> None:
    """A program of others locks rows the other way round; the server gives up ours while more of it is under way."""
    pages = await (await ServerPages.opened(server)).emptied()
    await pages.add("ours", "theirs", *(f"heavy {number}" for number in range(50)))
    other = await connected(server.of("left"), autocommit=False)
    await sent(other, "UPDATE note SET number = 7 WHERE `key` = 'theirs' OR `key` LIKE 'heavy%'")
    waiting: list[asyncio.Task[None]] = []

    async def unit(tx: Transaction) -> None:
        await tx.write_many(ADD, [note("before")])  # the statement is prepared from here on
        await tx.write(RAISE, {"of_key": "ours"})
        waiting.append(asyncio.create_task(sent(other, "UPDATE note SET number = 8 WHERE `key` = 'ours'")))
        await asyncio.sleep(0.2)
        for number in range(3):
            await tx.write_many(ADD, [note("theirs" if not number else f"behind {number}")])

    with pytest.raises(Unavailable, match="busy"):
        await pages.left.write("add", unit)
    await waiting[0]
    await sent(other, "COMMIT")
    await other.ensure_closed()
    keys = await pages.keys()
    assert "before" not in keys and not [key for key in keys if key.startswith("behind")]
    assert await pages.add("after") == 1
    await pages.close()


@on_a_server
async def test_texts_are_equal_only_when_their_letters_are(server: Place) -> None:
    pages = await (await ServerPages.opened(server)).emptied()
    await pages.add("a", "A", "a ", "ä", "日本", "😀")
    assert len(await pages.keys()) == 6
    await pages.close()


def test_plain_text_and_development_passwords_are_for_this_machine_only(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="loopback only"):
        server_of(Settings(home=tmp_path, db_host="db.example.com", db_password="x"))
    with pytest.raises(InvalidInput, match="development"):
        server_of(Settings(home=tmp_path, db_host="db.example.com", db_password="restock", db_ca="ca.pem"))
    with pytest.raises(InvalidInput, match="cannot be used"):
        server_of(Settings(home=tmp_path, db_host="db.example.com", db_password="x", db_ca="no-such.pem")).tls()
    assert server_of(Settings(home=tmp_path, db_host="localhost")).host == "127.0.0.1"


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    environment = {"RESTOCK_HOME": str(tmp_path), "RESTOCK_DB_HOST": "127.0.0.1", "RESTOCK_DB_PASSWORD": "hush"}
    settings, origins = with_origins(environment=environment)
    assert "hush" not in repr(origins) + repr(server_of(settings)) + repr(settings)
    assert load(environment=environment).db_password == "hush"
