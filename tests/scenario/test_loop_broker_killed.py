"""The broker dies under load and comes back: orders are accepted all the time, and afterwards nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from loop_child import acknowledged, load_needs, serve
from own_server import OwnServer
from scenario_world import life
from test_loop_random_kills import check_app

from restock.app import App
from restock.core.errors import Unavailable

KILLS = 2
AWAY_SECONDS = 2.0
LOAD_SECONDS = 2.0
DRAIN_SECONDS = 60
"""After the broker is back, until nothing waits."""

PAUSE_SECONDS = 0.02
"""Of each client after each order: some hundred orders a second."""


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnServer]:
    broker = OwnServer("kafka", tmp_path / "broker")
    monkeypatch.setenv("RESTOCK_KAFKA", broker.up())
    yield broker
    broker.kill()


async def until_nothing_waits(app: App) -> float:
    """Give the seconds it took."""
    began = time.monotonic()
    waiting: dict[str, int] = {}
    while (took := time.monotonic() - began) < DRAIN_SECONDS:
        with suppress(Unavailable):  # the broker answers, but knows its groups only when it has read them again
            waiting = await app.backlog()
            if not any(waiting.values()):
                return took
        await asyncio.sleep(0.1)
    raise AssertionError(f"{waiting} after {took:.0f} s; {app.problems()}")


@pytest.mark.slow
@pytest.mark.server("kafka")
@pytest.mark.timeout(400)
async def test_a_broker_that_dies_under_load_costs_no_order_and_doubles_none(fresh: Path, broker: OwnServer) -> None:
    said = str(fresh / "said")
    async with life(fresh, session=2, kafka_prefix="shop.") as app:
        await load_needs(app)
        orders = {"said": said, "orders": "100000", "pause": str(PAUSE_SECONDS)}
        serving = asyncio.create_task(serve(app, orders))
        for _ in range(KILLS):
            await asyncio.sleep(LOAD_SECONDS)
            await asyncio.to_thread(broker.kill)
            before = len(acknowledged(said))
            await asyncio.sleep(AWAY_SECONDS)
            told = len(acknowledged(said)) - before
            waiting = (await app.relays[0].backlog()).events
            assert not serving.done(), "every order was accepted, and every flow answered"
            assert told > 20, "as many as clients ask for"
            assert waiting > 0, "what nobody can publish waits in the outbox"
            await asyncio.to_thread(broker.up)
            print(f"{told} orders accepted in {AWAY_SECONDS:.0f} s without a broker")  # noqa: T201
        await asyncio.sleep(LOAD_SECONDS)
        assert not serving.done()
        serving.cancel()
        await asyncio.wait([serving])
        print(f"{len(acknowledged(said))} orders; drained in {await until_nothing_waits(app):.1f} s")  # noqa: T201
        await check_app(app)
