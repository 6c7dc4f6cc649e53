"""Mistakes planted in the arithmetic of needs: for each, the check that guards against it must fail.

Those planted in the stream are in `tests/stream/test_planted.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from loop_child import NEEDS, load_needs
from scenario_world import D, all_orders, life

from restock.app import App
from restock.core.ids import Ids
from restock.engine.database import Transaction
from restock.inventory.port import PositionFrame, PositionsRequest
from restock.purchasing import creation, store
from restock.purchasing.model import OPEN
from restock.purchasing.port import CreateRequest, PlanFrame, PlansRequest, ReceiveRequest
from restock.replenishment.port import FlowRequest


def count_open_orders(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant the live balance: on order is what open orders still bring, at this moment, and not two totals' difference."""
    plans, positions = app.purchasing.plans, app.inventory.positions

    async def balance(request: PlansRequest) -> PlanFrame:
        frame = await plans(request)
        lines = [line for one in await all_orders(app) if one.state in OPEN for line in one.lines]
        to_come = {p: sum((each.to_come for each in lines if each.product_id == p), D(0)) for p in frame.product_id}
        return replace(frame, ordered_total=[to_come[product] for product in frame.product_id])

    async def without_totals(request: PositionsRequest) -> PositionFrame:
        frame = await positions(request)
        return replace(frame, received_total=[D(0) for _ in frame.product_id])

    monkeypatch.setattr(app.purchasing, "plans", balance)
    monkeypatch.setattr(app.inventory, "positions", without_totals)


@pytest.mark.parametrize("live", [False, True], ids=["totals", "live balance"])
async def test_with_a_live_balance_goods_on_their_way_into_stock_are_ordered_again(
    fresh: Path, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receipt leaves the order before it reaches the stock; in between a balance knows of it nowhere."""
    async with life(fresh) as app:
        await load_needs(app)
        if live:
            count_open_orders(app, monkeypatch)
        first = await app.replenishment.flow(FlowRequest("NEED-03"))
        assert first.po is not None
        await app.settle()
        await app.purchasing.receive(ReceiveRequest(first.po.po_id))
        again = await app.replenishment.flow(FlowRequest("NEED-03"))
        await app.settle()
        assert (again.outcome, len(await all_orders(app))) == (("ordered", 2) if live else ("covered", 1))
        await app.replenishment.flow(FlowRequest("NEED-03"))
        assert len(await all_orders(app)) == (2 if live else 1)


@pytest.mark.parametrize("checked", [True, False], ids=["version", "no version"])
async def test_without_the_version_of_the_plan_row_deciders_at_once_order_twice(
    fresh: Path, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = creation.create

    async def as_it_is_now(tx: Transaction, request: CreateRequest, now: datetime, ids: Ids) -> creation.Results:
        made: creation.Results = []
        for one in request.orders:
            versions = await store.plan_versions(tx, [line.product_id for line in one.lines])
            lines = [
                replace(line, plan_version=versions.get((line.product_id, line.warehouse_id), 0)) for line in one.lines
            ]
            made += await create(tx, replace(request, orders=[replace(one, lines=lines)]), now, ids)
        return made

    if not checked:
        monkeypatch.setattr(creation, "create", as_it_is_now)
    async with life(fresh) as app:
        await load_needs(app)
        await asyncio.gather(*(app.replenishment.flow(FlowRequest(product)) for product in NEEDS * 2))
        orders = len(await all_orders(app))
        assert (orders == len(NEEDS), orders > len(NEEDS)) == (checked, not checked), orders
