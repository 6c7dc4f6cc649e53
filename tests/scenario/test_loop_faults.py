"""Services apart, and the network between them at its worst: no wrong order, none twice, no pile-up, and back by itself."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
import scenario_world
from apart import Apart, apart
from scenario_world import CONVERSIONS, DEMAND, STOCK, TERMS, life, load

from fault_proxy import NONE, Fault, FaultProxy
from restock.core import deadline
from restock.core.errors import DeadlinePassed, NotFound, RestockError, Unavailable
from restock.inventory.model import Item
from restock.purchasing.port import OrdersRequest
from restock.replenishment.port import FlowReply, FlowRequest, RunRequest
from restock.services import ASKED

pytestmark = pytest.mark.timeout(180)

NEIGHBOURS = ("orders", "inventory", "suppliers", "units", "decisions", "purchasing")
"""Whom the flow asks."""

NEEDY = "PROD-001"
"""A product of the scenarios that needs an order; the others are made like it."""

SOON = 0.4  # float: seconds
"""How long callers wait in these tests."""

RECOVERED_S = 30


class World(Apart):
    proxies: dict[str, FaultProxy]


@asynccontextmanager
async def world(home: Path, monkeypatch: pytest.MonkeyPatch, products: int) -> AsyncIterator[World]:
    """Open the services with a proxy before each, and products that need an order."""
    proxies: dict[str, FaultProxy] = {}

    async def between(ports: dict[str, int]) -> dict[str, int]:
        proxies.update({context: FaultProxy(port) for context, port in ports.items()})
        return {context: await proxy.start() for context, proxy in proxies.items()}

    monkeypatch.setattr(scenario_world, "SHAPE", partial(apart, between=between))
    async with life(home, rough=False) as app:
        app.proxies = proxies  # type: ignore[attr-defined]
        names = [f"P-{number:03}" for number in range(products)]
        await load(
            app,
            [Item(name) for name in names],
            [replace(one, product_id=name) for one in STOCK if one.product_id == NEEDY for name in names],
            [replace(one, product_id=name) for one in TERMS if one.product_id == NEEDY for name in names],
            [replace(one, product_id=name) for one in DEMAND if one.product_id == NEEDY for name in names],
            [replace(one, product_id=name) for one in CONVERSIONS if one.product_id == NEEDY for name in names],
        )
        try:
            yield app  # type: ignore[misc]
        finally:
            for proxy in proxies.values():
                await proxy.stop()


async def flow(app: World, number: int, key: str = "", seconds: float = SOON) -> FlowReply | RestockError:
    try:
        with deadline.within(seconds):
            return await app.replenishment.flow(  # type: ignore[attr-defined,no-any-return]
                FlowRequest(f"P-{number:03}", idempotency_key=key or f"k-{number}")
            )
    except RestockError as error:
        return error


async def flows(app: World, numbers: range, seconds: float = SOON) -> list[FlowReply | RestockError]:
    return await asyncio.gather(*(flow(app, number, seconds=seconds) for number in numbers))


async def ordered(app: World) -> Counter[str]:
    """Count the purchase orders of each product."""
    orders = await app.by_context["purchasing"].purchasing.orders(OrdersRequest("", 1000))
    return Counter(line.product_id for one in orders for line in one.lines)


async def until_well(app: World, number: int) -> float:
    """Ask until there is an answer; give the seconds it took."""
    begun = time.monotonic()
    while not isinstance(await flow(app, number), FlowReply):
        assert time.monotonic() - begun < RECOVERED_S
        await asyncio.sleep(0.05)
    return time.monotonic() - begun


def right(replies: list[FlowReply | RestockError]) -> set[Decimal]:
    """Give the quantities of the orders; every answer is an order or says that a neighbour is away."""
    assert all(isinstance(one, FlowReply | Unavailable) for one in replies), replies
    assert all(one.po is not None or one.outcome == "covered" for one in replies if isinstance(one, FlowReply))
    return {Decimal(one.po.qty) for one in replies if isinstance(one, FlowReply) and one.po is not None}


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault(black_hole=True), Fault(refuse=True)], ids=["black hole", "refused"])
async def test_each_neighbour_lost_in_turn_costs_no_fact_and_no_second_order(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    per_fault = 8
    async with world(fresh, monkeypatch, per_fault * len(NEIGHBOURS) + 1) as app:
        assert isinstance(await flow(app, per_fault * len(NEIGHBOURS), seconds=5), FlowReply)
        quantities: set[Decimal] = set()
        for place, name in enumerate(NEIGHBOURS):
            numbers = range(place * per_fault, (place + 1) * per_fault)
            app.proxies[name].become(fault)
            lost = await flows(app, numbers)
            assert not any(isinstance(one, NotFound) for one in lost), "what nobody said is not nothing"
            assert right(lost) == set(), f"{name} was lost, and these were decided all the same"
            app.proxies[name].become(NONE)
            assert await until_well(app, numbers[0]) < RECOVERED_S
            again = await flows(app, numbers, seconds=5)
            assert all(isinstance(one, FlowReply) for one in again), again
            quantities |= right(again)
        assert len(quantities) == 1, "every product has the same need"
        assert set((await ordered(app)).values()) == {1} and len(await ordered(app)) == per_fault * len(NEIGHBOURS) + 1


async def test_terms_of_before_stand_in_and_the_run_tells_their_age(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(fresh, monkeypatch, 2) as app:
        first = await flow(app, 0, seconds=5)
        assert isinstance(first, FlowReply)
        for name in ("suppliers", "units"):
            app.proxies[name].become(Fault(refuse=True))
        known, unknown = await asyncio.gather(flow(app, 0, "again", 5), flow(app, 1, seconds=5))
        assert isinstance(known, FlowReply) and known.outcome == "covered"
        assert isinstance(unknown, Unavailable)
        await app.settle()
        detail = await app.by_context["replenishment"].replenishment.run(RunRequest(known.run_id))  # type: ignore[attr-defined]
        spans = {span["node"]: span for span in detail.trace["spans"]}
        assert (spans["terms"]["status"], spans["conversions"]["status"]) == ("stale", "stale")
        assert "s ago stands in" in spans["terms"]["error"]
        assert {spans[name]["status"] for name in ("stock", "supply", "demand")} == {"ok"}


async def muted(app: World, rounds: int, at_once: int) -> int:
    """Lose the answers of purchasing for each round of callers, then let them ask again; give the answers lost."""
    lost = 0
    for place in range(rounds):
        numbers = range(place * at_once, (place + 1) * at_once)
        app.proxies["purchasing"].become(Fault(mute=True))
        replies = await flows(app, numbers, seconds=SOON)
        lost += sum(isinstance(one, Unavailable) for one in replies)
        app.proxies["purchasing"].become(NONE)
        await until_well(app, numbers[0])
        right(await flows(app, numbers, seconds=5))
    return lost


async def test_a_lost_answer_is_asked_for_again_and_has_one_effect(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(fresh, monkeypatch, 40) as app:
        assert await muted(app, 2, 20) == 40
        assert await ordered(app) == {f"P-{number:03}": 1 for number in range(40)}


@pytest.mark.slow
async def test_five_hundred_lost_answers_have_one_effect_each(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(fresh, monkeypatch, 500) as app:
        assert await muted(app, 10, 50) == 500
        assert await ordered(app) == {f"P-{number:03}": 1 for number in range(500)}


async def test_an_answer_is_lost_only_after_the_order_was_made(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is a real one: the caller hears nothing, and the order is there."""
    async with world(fresh, monkeypatch, 1) as app:
        await flow(app, 0, "warm", 5)
        made = await ordered(app)
        assert made == {"P-000": 1}
        app.proxies["purchasing"].become(Fault(mute=True))
        lost = await flow(app, 0, "second")
        assert isinstance(lost, DeadlinePassed | Unavailable)
        assert app.proxies["purchasing"].swallowed > 0


@pytest.mark.slow
async def test_a_slow_network_delays_answers_and_piles_nothing_up(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """50 ms ± 20, one chunk in twenty resets its connection, 100 kB/s: answers in time or a clear error, and no more."""
    wait_s = 2.0
    async with world(fresh, monkeypatch, 200) as app:
        await flow(app, 0, seconds=5)
        before = len(asyncio.all_tasks())
        for name in NEIGHBOURS:
            app.proxies[name].become(Fault(delay_s=0.05, jitter_s=0.02, reset_one_in=20, bytes_a_second=100_000))
        took: list[float] = []

        async def timed(number: int) -> FlowReply | RestockError:
            begun = time.monotonic()
            reply = await flow(app, number, seconds=wait_s)
            took.append(time.monotonic() - begun)
            return reply

        replies: list[FlowReply | RestockError] = []
        for start in range(0, 200, 20):
            replies += await asyncio.gather(*(timed(number) for number in range(start, start + 20)))
        right(replies)
        assert sorted(took)[int(len(took) * 0.99)] < wait_s * 1.1
        for name in NEIGHBOURS:
            app.proxies[name].become(NONE)
        await until_well(app, 0)
        right(await flows(app, range(200), seconds=20))
        assert set((await ordered(app)).values()) == {1} and len(await ordered(app)) == 200
        await asyncio.sleep(0.5)
        assert len(asyncio.all_tasks()) <= before + 2 * 2 * len(ASKED), "no call is left behind"
