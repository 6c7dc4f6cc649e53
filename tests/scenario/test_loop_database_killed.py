"""The server of the databases is killed under load and comes back: who asked meanwhile was told to come again, and nothing
that was acknowledged is lost or there twice (fault F5).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from loop_child import CLIENTS, acknowledged, load_needs, say, wanted
from own_server import OwnServer
from scenario_world import START, order
from test_loop_broker_killed import until_nothing_waits
from test_loop_random_kills import check_app

from restock.adapters.stores import set_up
from restock.app import App, opened
from restock.core.clock import SimulatedClock
from restock.core.errors import Unavailable
from restock.core.ids import Ids
from restock.orders.port import PlaceRequest
from restock.replenishment.port import FlowRequest
from restock.services import SCHEMAS
from restock.settings import Settings

KILLS = int(os.environ.get("RESTOCK_DATABASE_KILLS", "3"))
LOAD_SECONDS = 1.0
AWAY_SECONDS = 0.3
BACK_SECONDS = 10.0
"""After the server answers, until an order is acknowledged again."""

PAUSE_SECONDS = 0.02


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnServer]:
    server = OwnServer("mariadb", tmp_path / "server")
    yield server
    server.kill()


async def client(app: App, said: str, first: int, refused: list[float]) -> None:
    """Order for ever; ask again what was not acknowledged, with its key."""
    number = first
    while True:
        product, quantity = wanted(number)
        request = PlaceRequest([order(f"order-{number}", f"client-{number}", [(product, str(quantity), "2")])])
        try:
            (placed,) = (await app.orders.place(request)).orders
            if isinstance(placed.error, Unavailable):
                raise placed.error
            assert placed.error is None, placed
            if number % 3 == 0:
                await app.replenishment.flow(FlowRequest(product))
        except Unavailable:
            refused.append(time.monotonic())
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        say(said, f"{number} {placed.order_id}")
        number += CLIENTS
        await asyncio.sleep(PAUSE_SECONDS)


async def until_acknowledged(said: str, before: int) -> float:
    began = time.monotonic()
    while len(acknowledged(said)) <= before:
        assert time.monotonic() - began < BACK_SECONDS, "it goes on by itself"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.server("mysql")
@pytest.mark.timeout(600)
async def test_a_database_server_that_dies_under_load_costs_no_order_and_doubles_none(
    home: Path, server: OwnServer
) -> None:
    address = urlsplit(await asyncio.to_thread(server.up))
    assert address.hostname and address.port and address.username and address.password
    settings = Settings(
        home=home, dispatch_process=False, session_seconds=2, db_host=address.hostname, db_port=address.port,
        db_user=address.username, db_password=address.password,
    )  # fmt: skip
    await set_up(settings, list(SCHEMAS))
    said, refused = str(home / "said"), list[float]()
    clock = SimulatedClock(START)
    async with opened(settings, clock, Ids.seeded(clock, 1)) as app:
        await load_needs(app)
        app.start()
        clients = [asyncio.create_task(client(app, said, first, refused)) for first in range(CLIENTS)]
        for _ in range(KILLS):
            await asyncio.sleep(LOAD_SECONDS)
            told, seen = len(acknowledged(said)), len(refused)
            assert told > 20, "there was load"
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(AWAY_SECONDS)
            assert len(refused) > seen, "who asks meanwhile is told to come again"
            before = len(acknowledged(said))
            await asyncio.to_thread(server.up)
            back = await until_acknowledged(said, before)
            failed = [one.exception() for one in clients if one.done()]
            assert not failed, failed
            print(f"{before} acknowledged, {len(refused) - seen} to come again, back {back:.2f} s later")  # noqa: T201 - a figure
        await asyncio.sleep(LOAD_SECONDS)
        failed = [one.exception() for one in clients if one.done()]
        assert not failed, failed
        for one in clients:
            one.cancel()
        await asyncio.wait(clients)
        print(f"{len(acknowledged(said))} orders; drained in {await until_nothing_waits(app):.1f} s")  # noqa: T201
        await check_app(app)
