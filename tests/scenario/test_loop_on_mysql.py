"""The whole loop on databases of a server ends where it ends on the embedded ones, also when the server is killed in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from scenario_world import START, business_state, check_supply, load, run_loop, unlooped

from restock.__main__ import Program
from restock.adapters.database.mysql import connected, sent
from restock.adapters.database.mysql_place import server_of
from restock.adapters.stores import set_up
from restock.app import App, opened
from restock.core.clock import SimulatedClock
from restock.core.errors import RestockError
from restock.core.ids import Ids
from restock.edge.rest.measured import metrics_text
from restock.edge.rest.meters import Meters
from restock.replenishment.port import FlowReply, FlowRequest
from restock.services import SCHEMAS
from restock.settings import Settings

pytestmark = pytest.mark.server("mysql")

CALLS = 500
PRODUCTS = ["PROD-001", "PROD-002", "PROD-003", "BOLT", "NUT"]


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings with databases of their own, which are dropped in the end."""
    address = urlsplit(os.environ["RESTOCK_MYSQL_URL"])
    assert address.hostname and address.port and address.username and address.password
    settings = Settings(
        home=tmp_path / "home",
        dispatch_process=False,
        db_host=address.hostname,
        db_port=address.port,
        db_user=address.username,
        db_password=address.password,
        db_prefix=f"loop_{uuid4().hex[:8]}_",
    )
    unlooped(set_up(settings, list(SCHEMAS)))
    yield settings

    async def dropped() -> None:
        server = server_of(settings)
        connection = await connected(server)
        for name in SCHEMAS:
            await sent(connection, f"DROP DATABASE `{server.of(name).database}`")
        await connection.ensure_closed()

    unlooped(dropped())


@asynccontextmanager
async def life_on_a_server(settings: Settings, seed: int = 1) -> AsyncIterator[App]:
    clock = SimulatedClock(START + timedelta(minutes=seed))
    async with opened(settings, clock, Ids.seeded(clock, seed)) as app:
        yield app


def test_the_loop_on_a_server_ends_as_on_the_embedded_databases(
    settings: Settings, undisturbed: dict[str, object]
) -> None:
    async def lived() -> None:
        async with life_on_a_server(settings) as app:
            await run_loop(app)
            await check_supply(app)
            assert await business_state(app) == undisturbed

    unlooped(lived())


@pytest.mark.slow
def test_a_loop_that_loses_its_connections_again_and_again_loses_and_doubles_nothing(
    settings: Settings, undisturbed: dict[str, object]
) -> None:
    async def cut(end: asyncio.Event) -> int:
        """Kill the connections of the program every few milliseconds, wherever it is."""
        connection = await connected(server_of(settings))
        cuts = 0
        while not end.is_set():
            async with connection.cursor() as cursor:
                await cursor.execute(
                    "SELECT id FROM information_schema.processlist WHERE db LIKE %s", (f"{settings.db_prefix}%",)
                )
                for (number,) in await cursor.fetchall():
                    try:
                        await cursor.execute(f"KILL {number}")
                        cuts += 1
                    except Exception:
                        pass
            await asyncio.sleep(0.15)
        await connection.ensure_closed()
        return cuts

    async def lived() -> None:
        end = asyncio.Event()
        cutting = asyncio.create_task(cut(end))
        failures = 0
        for seed in range(1, 200):
            try:
                async with life_on_a_server(settings, seed) as app:
                    await run_loop(app)
                break
            except RestockError:
                failures += 1
                if failures > 8:
                    end.set()
        end.set()
        assert await cutting > 0 and failures > 0, "something was disturbed"
        async with life_on_a_server(settings, 201) as app:
            await run_loop(app)
            await check_supply(app)
            assert await business_state(app) == undisturbed

    unlooped(lived())


def test_many_callers_of_two_processes_order_one_need_once(settings: Settings) -> None:
    async def lived() -> None:
        other = replace(settings, home=settings.home.with_name("other"))
        async with life_on_a_server(settings) as one, life_on_a_server(other, 2) as two:
            await load(one)
            calls = [
                app.replenishment.flow(FlowRequest(PRODUCTS[number % len(PRODUCTS)]))
                for number in range(CALLS)
                for app in (one, two)
            ]
            replies = await asyncio.gather(*calls)
            assert all(isinstance(reply, FlowReply) for reply in replies)
            made = {reply.po.po_id for reply in replies if reply.po}
            assert len(made) == len([reply for reply in replies if reply.po]) == len(PRODUCTS)

    unlooped(lived())


def test_a_command_in_the_middle_of_its_work_finds_the_rulebook_in_force(settings: Settings) -> None:
    flags = {each.name: getattr(settings, each.name) for each in fields(settings)}

    async def asked() -> str:
        async with life_on_a_server(settings):
            return Program(flags).rulebook("purchasing").name  # asks the server while a loop is running

    assert unlooped(asked()) == "purchasing.grl"


@pytest.mark.slow
async def test_the_connections_of_each_database_are_measured(settings: Settings) -> None:
    async with opened(settings) as app:
        text = (await metrics_text(app, Meters(), draining=False)).decode()
    for name in SCHEMAS:
        assert f'restock_pool_size{{database="{name}"}} {settings.db_pool_size}\n' in text
        assert f'restock_pool_waiting{{database="{name}"}} 0\n' in text
        assert f'restock_pool_connections{{database="{name}",state="idle"}} ' in text
