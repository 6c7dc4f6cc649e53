"""A full disk: writes are refused whole and say so, reads work, and with room again everything goes on where it stood."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from loop_child import NEEDS, load_needs
from scenario_world import D, all_orders, check_supply, copy_home, kept, life, order, order_files
from test_one_need import check_decisions, one_order_each

from restock.app import App
from restock.core.clock import SimulatedClock
from restock.core.errors import StorageFull
from restock.inventory.port import PositionsRequest
from restock.orders.port import OrdersRequest, PlaceRequest
from restock.purchasing.port import OrdersRequest as PurchaseOrdersRequest
from restock.replenishment.port import FlowBatchRequest, FlowReply, FlowRequest, PlanRequest, PurchaseRequest

ROOM = 1_000_000
MANY_ROUNDS = 40


@contextmanager
def full(app: App, database: str) -> Iterator[None]:
    """Let a store grow by no page; what fits into the pages it has is still taken."""
    writer = app.databases[database]._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count={pages}")
    try:
        yield
    finally:
        writer.execute(f"PRAGMA max_page_count={ROOM}")


async def nothing_waits(app: App, seconds: float) -> None:
    """Let time pass until every event had its effect."""
    assert isinstance(app.clock, SimulatedClock)
    async with asyncio.timeout(seconds):
        while any(number for name, number in (await app.backlog()).items() if name != "dispatch"):
            app.clock.advance(timedelta(minutes=5))  # an order file that was refused is tried again later
            await asyncio.sleep(0.02)


def refused(error: StorageFull, database: str) -> bool:
    return error.what.startswith(f"{database}.db cannot be written") and "Free disk space" in error.remedy


@pytest.mark.parametrize("database", ["po", "decisions"])
async def test_flows_beside_a_full_store_are_refused_or_whole(fresh: Path, database: str) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        with full(app, database):
            replies = (await app.replenishment.flow_batch(FlowBatchRequest(NEEDS))).results
            assert all(isinstance(one, StorageFull) and refused(one, database) for one in replies), replies
            assert await all_orders(app) == []
            with pytest.raises(StorageFull):
                for _ in range(3):
                    await asyncio.gather(*(app.replenishment.flow(FlowRequest(product)) for product in NEEDS))
            before = await kept(app)
            assert (await app.inventory.positions(PositionsRequest(NEEDS))).product_id
            assert await app.purchasing.orders(PurchaseOrdersRequest()) == await all_orders(app)
            assert await kept(app) == before
        replies = (await app.replenishment.flow_batch(FlowBatchRequest(NEEDS))).results
        assert all(isinstance(one, FlowReply) for one in replies)
        await app.settle()
        await one_order_each(app)
        await check_decisions(app, NEEDS)
    async with life(fresh, 2) as app:
        await app.settle()
        await one_order_each(app)
        assert set((await app.backlog()).values()) == {0}


async def test_a_full_disk_while_planning_leaves_the_plan_before_it(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        with full(app, "decisions"), pytest.raises(StorageFull):
            await app.replenishment.plan(PlanRequest())
        bought = await app.replenishment.purchase(PurchaseRequest())
        assert (bought.orders, bought.refused) == ([], []), "an unfinished plan proposes nothing"
        await app.replenishment.plan(PlanRequest())
        with full(app, "po"), pytest.raises(StorageFull):
            await app.replenishment.purchase(PurchaseRequest())
        assert await all_orders(app) == []
        await app.replenishment.purchase(PurchaseRequest())
        await one_order_each(app)


@pytest.mark.parametrize("database", ["stream", "inventory", "decisions", "po", "analytics"])
async def test_the_background_waits_for_room_and_goes_on(
    fresh: Path, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Orders are accepted while a store behind them is full; none of what follows from them is forgotten."""
    async with life(fresh) as app:
        await load_needs(app)
        app.start()
        with full(app, database), caplog.at_level(logging.WARNING):
            rounds, standing = 0, False
            while rounds < 3 or not (
                standing or database in {"decisions", "analytics"}
            ):  # some fit into the pages it has
                assert rounds < MANY_ROUNDS, "nothing was ever refused"
                orders = [order(f"k{rounds}-{n}", f"c{rounds}-{n}", [(one, "3", "2")]) for n, one in enumerate(NEEDS)]
                placed = (await app.orders.place(PlaceRequest(orders))).orders
                assert all(one.error is None for one in placed)
                await asyncio.sleep(0.2)
                rounds, standing = rounds + 1, any((await app.backlog()).values())
        await nothing_waits(app, 20)
        await app.settle()
        assert app.problems() == []
        assert caplog.records == [], "nobody is shown a stack trace"
        stock = {row["product_id"]: row for row in (await app.inventory.positions(PositionsRequest(NEEDS))).rows()}
        assert all((row["reserved"], row["backordered"]) == (5, 3 * rounds - 5) for row in stock.values())
        await check_decisions(app, NEEDS)
        ordered = {line.product_id for one in await all_orders(app) for line in one.lines}
        assert ordered == set(NEEDS), "every need that was woken has its order"
        assert len((await app.orders.orders(OrdersRequest(1000))).orders) == 20 * rounds


async def test_traces_wait_for_room_like_everything_else(fresh: Path) -> None:
    from restock.replenishment.port import RunsRequest

    async with life(fresh) as app:
        await load_needs(app)
        for product in NEEDS[:3]:
            await app.replenishment.flow(FlowRequest(product))
        await app.replenishment.drain()
        known = len(await app.replenishment.runs(RunsRequest(limit=1000)))
        with full(app, "decisions"):
            await app.replenishment.flow_batch(FlowBatchRequest(NEEDS * 20))
            await app.replenishment.drain()
        await app.replenishment.drain()
        assert len(await app.replenishment.runs(RunsRequest(limit=1000))) == known + 400


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "restock-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Leave so many bytes."""
    ballast = folder / "ballast"
    ballast.write_bytes(b"0" * max(0, shutil.disk_usage(folder).free - leave))
    return ballast


async def test_a_disk_that_is_really_full(small_disk: Path, template: Path) -> None:
    home = copy_home(template, small_disk / "home")
    async with life(home) as app:
        await load_needs(app)
        app.start()
        ballast = fill(small_disk, 300_000)
        told: dict[str, str] = {}
        refusals = 0
        for number in range(2000):
            product = NEEDS[number % 20]
            try:
                request = PlaceRequest([order(f"k{number}", f"c{number}", [(product, "1", "2")])])
                (placed,) = (await app.orders.place(request)).orders
                told[placed.order_id] = product
                await app.replenishment.flow(FlowRequest(product))
            except StorageFull as error:
                assert "Free disk space" in error.remedy
                refusals += 1
            if refusals > 20:
                break
        assert refusals > 20, "the disk got full"
        assert told
        stored = {one.order_id for one in (await app.orders.orders(OrdersRequest(1000))).orders}
        assert set(told) <= stored
        await check_numbers(app)
        ballast.unlink()
        await nothing_waits(app, 30)
        await app.settle()
        assert app.problems() == []
        for product in NEEDS:
            await app.replenishment.flow(FlowRequest(product))
        await app.settle()
        await check_decisions(app, NEEDS)
        found = (await app.orders.orders(OrdersRequest(1000))).orders
        assert set(told) <= {one.order_id for one in found}
        stock = {row["product_id"]: row for row in (await app.inventory.positions(PositionsRequest(NEEDS))).rows()}
        for product in NEEDS:
            asked = len([one for one in found if one.items[0].sku == product])
            assert stock[product]["reserved"] + stock[product]["backordered"] == asked
        assert len(order_files(home / "outbox")) == len(await all_orders(app))


async def check_numbers(app: App) -> None:
    """Check that reads work and every order that is there is whole."""
    assert len((await app.inventory.positions(PositionsRequest(NEEDS))).product_id) == len(NEEDS)
    for one in await all_orders(app):
        assert await app.purchasing.rebuild(one.po_id) == one
        assert all(line.quantity > D(0) for line in one.lines)
    versions = [(line.product_id, line.plan_version) for one in await all_orders(app) for line in one.lines]
    assert len(set(versions)) == len(versions)


async def test_a_full_disk_and_a_crash_together(small_disk: Path, template: Path) -> None:
    home = copy_home(template, small_disk / "home")
    async with life(home) as app:
        await load_needs(app)
        ballast = fill(small_disk, 200_000)
        replies = (await app.replenishment.flow_batch(FlowBatchRequest(NEEDS * 30))).results
        assert any(isinstance(one, StorageFull) for one in replies)
    ballast.unlink()
    async with life(home, 2) as app:
        await app.settle()
        for product in NEEDS:
            await app.replenishment.flow(FlowRequest(product))
        await app.settle()
        await one_order_each(app)
        await check_supply(app)
