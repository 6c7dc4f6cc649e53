"""One need, one order: run twice, run at once, run by two processes, planned beside it; never a second order for a need."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from loop_child import NEEDS, load_needs
from nursery import Nursery
from scenario_world import D, all_orders, check_supply, covered, kept, life, order

from restock.app import App
from restock.core.errors import InvalidInput
from restock.decisions.port import DecisionRequest
from restock.inventory.port import PositionsRequest
from restock.orders.port import PlaceRequest
from restock.purchasing.model import OPEN, PurchaseOrder
from restock.purchasing.port import ChangeRequest
from restock.replenishment.port import FlowBatchRequest, FlowReply, FlowRequest, PlanRequest, PurchaseRequest


async def one_order_each(app: App) -> dict[str, PurchaseOrder]:
    """Check that each need has one order over the right quantity; give the orders by product."""
    orders = await all_orders(app)
    bought = Counter(line.product_id for one in orders for line in one.lines)
    assert bought == Counter(NEEDS)
    found = {line.product_id: one for one in orders for line in one.lines}
    for number, product in enumerate(NEEDS):
        shortage = (10 + number) * 3 - 5
        (line,) = (line for line in found[product].lines if line.product_id == product)
        assert line.quantity == -(-max(shortage, 10) // 5) * 5
    await check_supply(app)
    return found


async def test_the_flow_run_twice_names_the_order_and_creates_nothing(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        first = await app.replenishment.flow(FlowRequest("NEED-07"))
        assert first.outcome == "ordered" and first.po is not None and first.po.status == "sent"
        before = await kept(app)
        for _ in range(3):
            again = await app.replenishment.flow(FlowRequest("NEED-07"))
            assert covered(again, first.po.po_id), again
            assert again.success
        assert await kept(app) == before
        await check_supply(app)


async def test_two_at_once_order_once_and_the_other_is_told_which(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        for product in NEEDS[:5]:
            replies = await asyncio.gather(*(app.replenishment.flow(FlowRequest(product)) for _ in range(2)))
            (made,) = (reply.po for reply in replies if reply.po is not None)
            (told,) = (reply for reply in replies if reply.po is None)
            assert covered(told, made.po_id)


async def test_the_same_key_gives_the_same_order_again_and_no_other_product(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        request = FlowRequest("NEED-01", idempotency_key="click")
        replies = await asyncio.gather(*(app.replenishment.flow(request) for _ in range(20)))
        later = await app.replenishment.flow(request)
        assert {reply.po.po_id for reply in [*replies, later] if reply.po} == {(await all_orders(app))[0].po_id}
        assert later.po is not None
        with pytest.raises(InvalidInput, match="used for another request"):
            await app.replenishment.flow(FlowRequest("NEED-02", idempotency_key="click"))
        assert len(await all_orders(app)) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_five_hundred_calls_for_twenty_needs_make_twenty_orders(fresh: Path, seed: int) -> None:
    from random import Random

    async with life(fresh) as app:
        await load_needs(app)
        wanted = Random(seed).sample(NEEDS * 25, 500)
        replies = await asyncio.gather(*(app.replenishment.flow(FlowRequest(product)) for product in wanted))
        found = await one_order_each(app)
        assert len(found) == len(await all_orders(app)) == 20
        check_replies(list(zip(wanted, replies, strict=True)), found)
        await app.settle()
        assert len(list((fresh / "outbox").glob("*.json"))) == 20


def check_replies(replies: Sequence[tuple[str, FlowReply]], found: dict[str, PurchaseOrder]) -> None:
    for product, reply in replies:
        if reply.po is not None:
            assert (reply.outcome, reply.po.po_id) == ("ordered", found[product].po_id)
        else:
            assert covered(reply, found[product].po_id), reply
    assert Counter(product for product, reply in replies if reply.po) == Counter(NEEDS)


async def test_a_batch_with_every_product_five_times_orders_each_once(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        replies = (await app.replenishment.flow_batch(FlowBatchRequest(NEEDS * 5))).results
        assert all(isinstance(reply, FlowReply) for reply in replies)
        found = await one_order_each(app)
        check_replies(list(zip(NEEDS * 5, replies, strict=True)), found)  # type: ignore[arg-type]


async def test_a_batch_that_is_sent_again_with_its_key_gets_its_orders_again(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        first = (await app.replenishment.flow_batch(FlowBatchRequest(NEEDS[:7], idempotency_key="morning"))).results
        whole = FlowBatchRequest(NEEDS, idempotency_key="morning")  # as after a crash: some were ordered, some not
        again = [(await app.replenishment.flow_batch(whole)).results for _ in range(2)]
        orders = [
            [reply.po.po_id for reply in replies if isinstance(reply, FlowReply) and reply.po] for replies in again
        ]
        assert orders[0] == orders[1] and len(orders[0]) == len(NEEDS) == len(await all_orders(app))
        assert orders[0][:7] == [reply.po.po_id for reply in first if isinstance(reply, FlowReply) and reply.po]


@pytest.mark.parametrize("planning", ["", "yes"])
async def test_two_processes_race_for_the_same_needs(
    fresh: Path, nursery: Nursery, second_nursery: Nursery, planning: str
) -> None:
    async with life(fresh) as app:
        await load_needs(app)
    said = fresh / "said"
    for seed, one in ((2, nursery), (3, second_nursery)):
        one.start(
            work="race",
            home=str(fresh),
            seed=str(seed),
            said=str(said),
            rounds="10",
            plan=planning if seed == 2 else "",
        )
    assert [nursery.wait(), second_nursery.wait()] == [0, 0]
    async with life(fresh, 4) as app:
        found = await one_order_each(app)
        lines = [json.loads(line) for line in said.read_text().splitlines()]
        assert len([line for line in lines if line[1] == "covered"]) > 300
        for product, outcome, po_id, message in lines:
            assert outcome in {"ordered", "covered"}
            if outcome == "ordered":
                assert po_id == found[product].po_id
            else:
                assert message == f"covered by open purchase order {found[product].po_id}"


async def test_plan_and_purchase_beside_flows_and_beside_themselves_order_each_need_once(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)

        async def bought() -> None:
            await app.replenishment.plan(PlanRequest())
            await app.replenishment.purchase(PurchaseRequest())

        flows = [app.replenishment.flow(FlowRequest(product)) for product in NEEDS * 3]
        await asyncio.gather(bought(), *flows[:30], bought(), *flows[30:])
        await one_order_each(app)


async def test_a_purchase_asked_twice_at_once_orders_each_line_once(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        await app.replenishment.plan(PlanRequest())
        bought = await asyncio.gather(*(app.replenishment.purchase(PurchaseRequest()) for _ in range(4)))
        found = await one_order_each(app)
        assert len({one.po_id for one in found.values()}) == 2, "one order per supplier"
        assert {one.po_id for made in bought for one in made.orders} == {one.po_id for one in found.values()}


async def test_a_need_that_a_flow_ordered_after_the_plan_is_left_out_and_named(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        await app.replenishment.plan(PlanRequest())
        await app.replenishment.flow(FlowRequest("NEED-04"))
        bought = await app.replenishment.purchase(PurchaseRequest())
        assert [(one.product_id, one.outcome) for one in bought.refused] == [("NEED-04", "stale")]
        await one_order_each(app)


async def test_every_order_was_decided_knowing_all_orders_before_it(fresh: Path) -> None:
    """Customers buy while many flows run: the facts of each decision hold exactly what was ordered until then."""
    async with life(fresh) as app:
        await load_needs(app)
        app.start()

        async def customer(number: int) -> None:
            product = NEEDS[number % 4]
            await app.orders.place(PlaceRequest([order(f"c{number}", f"c{number % 7}", [(product, "7", "1")])]))
            await app.replenishment.flow(FlowRequest(product))

        for start in range(0, 120, 12):
            await asyncio.gather(*(customer(number) for number in range(start, start + 12)))
        await app.settle()
        for product in NEEDS[:4]:
            await app.replenishment.flow(FlowRequest(product))
        await check_decisions(app, NEEDS[:4])
        for number, product in enumerate(NEEDS[:4]):
            position = await position_of(app, product)
            assert (10 + number) * 3 <= position < (10 + number) * 3 + 10, product


async def check_decisions(app: App, products: Sequence[str]) -> None:
    """Check by the decisions kept: nothing was ordered without knowing of what was on order (products never received)."""
    ordered = dict.fromkeys(products, D(0))
    versions: Counter[str] = Counter()
    for one in await all_orders(app):
        for line in one.lines:
            if line.product_id not in ordered:
                continue
            versions[line.product_id] += 1
            decision = await app.decisions.decision(DecisionRequest(line.decision_id))
            assert line.plan_version == versions[line.product_id]
            assert D(str(decision.facts["on_order_qty"])) == ordered[line.product_id]
            assert D(str(decision.outputs["order_qty"])) == line.quantity
            ordered[line.product_id] += line.quantity
    await check_supply(app)


async def position_of(app: App, product: str) -> object:
    """Give available - backordered + what open orders bring, counted here and not in the product."""
    (stock,) = (await app.inventory.positions(PositionsRequest([product]))).rows()
    to_come = [
        line.to_come
        for one in await all_orders(app, product_id=product)
        if one.state in OPEN
        for line in one.lines
        if line.product_id == product
    ]
    return stock["on_hand"] - stock["reserved"] - stock["backordered"] + sum(to_come)


async def test_a_rejected_order_gives_its_need_back_to_one_of_many(fresh: Path) -> None:
    async with life(fresh) as app:
        await load_needs(app)
        first = await app.replenishment.flow(FlowRequest("NEED-03"))
        assert first.po is not None
        await app.purchasing.cancel(ChangeRequest(first.po.po_id, "buyer", "wrong"))
        replies = await asyncio.gather(*(app.replenishment.flow(FlowRequest("NEED-03")) for _ in range(50)))
        assert len([reply for reply in replies if reply.po]) == 1
        assert [one.state.value for one in await all_orders(app)] == ["cancelled", "sent"]
        await check_supply(app)
