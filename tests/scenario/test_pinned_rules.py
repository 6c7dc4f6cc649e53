"""Work that runs when a rulebook is swapped ends with the version that it began with."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from scenario_world import life, load

from restock.app import App
from restock.decisions.library import SHIPPED
from restock.decisions.model import Version
from restock.decisions.port import DecisionRequest, MoveRequest, ReplaysRequest, SubmitRequest
from restock.replenishment import planning, purchase
from restock.replenishment.port import PlanRequest, ProposalsRequest, PurchaseRequest

CHEAP = (SHIPPED / "purchasing.grl").read_text("utf-8").replace("total_amount > 10000)", "total_amount > 30)")
CHEAP = CHEAP.replace("total_amount <= 10000)", "total_amount <= 30)")


async def approved(app: App) -> Version:
    version = await app.decisions.submit(SubmitRequest("purchasing", CHEAP, "alice"))
    request = MoveRequest("purchasing", version.version, "bob")
    assert not (await app.decisions.advance(request)).stopped
    return await app.decisions.approve(request)


async def test_a_plan_that_runs_ends_with_the_rules_that_it_began_with(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "BATCH", 1)
    async with life(fresh) as app:
        await load(app)
        version = await approved(app)
        swaps: list[asyncio.Task[Version]] = []
        done_when_swapped: list[int] = []

        def swap(done: int) -> None:
            if not swaps:
                request = MoveRequest("purchasing", version.version, "bob")
                swaps.append(asyncio.create_task(app.decisions.activate(request)))
            elif swaps[0].done() and not done_when_swapped:
                done_when_swapped.append(done)

        app.replenishment.planner.progress = swap
        plan = await app.replenishment.plan(PlanRequest())
        assert (await swaps[0]).state == "active"
        assert done_when_swapped[0] < plan.products, "it was swapped while the plan ran"
        proposals = await app.replenishment.proposals(ProposalsRequest())
        kept = [await app.decisions.decision(DecisionRequest(one.decision_id)) for one in proposals]
        assert len(kept) > 3
        assert {one.version for one in kept} != {version.version}
        assert len({one.version for one in kept}) == 1
        again = await app.replenishment.plan(PlanRequest())
        assert not again.reused, "another version is another plan"
        fresh_ones = await app.replenishment.proposals(ProposalsRequest())
        assert {(await app.decisions.decision(DecisionRequest(one.decision_id))).version for one in fresh_ones} == {
            version.version
        }
        assert not (await app.decisions.replays(ReplaysRequest())).different


async def test_a_purchase_that_runs_ends_with_the_rules_that_it_began_with(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purchase, "MAX_LINES", 1)
    async with life(fresh) as app:
        await load(app)
        await app.replenishment.plan(PlanRequest())
        version = await approved(app)
        request = MoveRequest("purchasing", version.version, "bob")
        bought, _ = await asyncio.gather(app.replenishment.purchase(PurchaseRequest()), app.decisions.activate(request))
        assert len(bought.orders) > 3
        kept = [await app.decisions.decision(DecisionRequest(one.decision_id)) for one in bought.orders]
        assert len(Counter(one.version for one in kept)) == 1
        assert not (await app.decisions.replays(ReplaysRequest())).different


async def test_what_a_new_version_would_change_is_told_in_the_currency_of_plan_and_orders(fresh: Path) -> None:
    async with life(fresh) as app:
        await load(app)
        await app.replenishment.plan(PlanRequest())
        await app.replenishment.purchase(PurchaseRequest())
        version = await app.decisions.submit(SubmitRequest("purchasing", CHEAP, "alice"))
        shadow = (await app.decisions.advance(MoveRequest("purchasing", version.version, "bob"))).shadow
        assert shadow is not None
        assert [(one.module, one.currency) for one in shadow.past.money] == [("", "USD"), ("ORDER", "USD")]
        proposals = await app.replenishment.proposals(ProposalsRequest())
        assert shadow.catalogue.decisions == len(proposals)
        assert shadow.catalogue.changed == sum(one.total_amount > 30 for one in proposals)
