"""The life of the loop: an order lowers stock, stock wakes the flow, goods arrive, customers are served; people decide."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from loop_child import NEEDS, load_needs
from scenario_world import (
    D,
    all_orders,
    business_state,
    check_supply,
    covered,
    kept,
    life,
    load,
    oldest,
    order,
    place,
    run_loop,
)

from restock.app import App
from restock.core.clock import SimulatedClock
from restock.core.errors import Conflict, Refused
from restock.inventory.model import Item, StockCount
from restock.inventory.port import BackordersRequest, PositionsRequest, PutStockRequest
from restock.orders.model import Demand
from restock.orders.port import PlaceRequest
from restock.purchasing.port import ChangeRequest, OrderRequest, Receipt, ReceiveRequest
from restock.replenishment.port import FlowRequest, PlanRequest, PurchaseRequest
from restock.suppliers.model import Terms


async def stock(app: App, product: str = "P", warehouse: str = "WH-001") -> tuple[int, int, int]:
    """Give on hand, reserved, backordered."""
    (row,) = (await app.inventory.positions(PositionsRequest([product], warehouse))).rows()
    return int(row["on_hand"]), int(row["reserved"]), int(row["backordered"])  # type: ignore[call-overload]


async def small_company(app: App, price: str = "2", on_hand: int = 60) -> None:
    """Store one product: 10 a day, 4 days, so 40 are required; sold in tens."""
    await load(
        app,
        [Item("P")],
        [StockCount("P", D(on_hand))],
        [Terms("P", "S", D(price), 4, "Supplier", D(0), D(10))],
        [Demand("P", D(10))],
        [],
    )
    await app.settle()


async def test_from_an_order_to_goods_on_the_shelf(fresh: Path) -> None:
    async with life(fresh) as app:
        await small_company(app)
        assert (await app.replenishment.flow(FlowRequest("P"))).outcome == "no_need"
        await place(app, "a", [("alice", [("P", "15", "5")])])
        assert (await stock(app), await all_orders(app)) == ((60, 15, 0), []), "45 are left: nothing wakes"
        await place(app, "b", [("bob", [("P", "50", "5")])])
        (bought,) = await all_orders(app)
        assert await stock(app) == (60, 60, 5)
        assert (bought.lines[0].quantity, bought.state) == (50, "sent"), "40 required, 5 owed: 45, in tens"
        document = json.loads((fresh / "outbox" / f"{bought.po_id}.json").read_bytes())
        assert document["lines"][0]["quantity"] == 50
        assert covered(await app.replenishment.flow(FlowRequest("P")), bought.po_id)

        await app.purchasing.acknowledge(ChangeRequest(bought.po_id, "supplier"))
        await app.purchasing.receive(ReceiveRequest(bought.po_id, [Receipt(1, D(3))], "dock"))
        await app.settle()
        assert await stock(app) == (63, 63, 2), "who waits is served first"
        assert (await app.purchasing.order(OrderRequest(bought.po_id))).state == "partly_received"
        await app.purchasing.receive(ReceiveRequest(bought.po_id, [], "dock"))
        await app.settle()
        assert await stock(app) == (110, 65, 0)
        assert not (await app.inventory.backorders(BackordersRequest())).product_id
        assert (await app.purchasing.order(OrderRequest(bought.po_id))).state == "received"
        assert (await app.replenishment.flow(FlowRequest("P"))).outcome == "no_need"
        assert len(await all_orders(app)) == 1
        await check_supply(app)
        kinds = [event.type for event in await app.purchasing.history(OrderRequest(bought.po_id))]
        assert kinds == [
            "PurchaseOrderCreated",
            "PurchaseOrderSent",
            "PurchaseOrderAcknowledged",
            "GoodsReceived",
            "GoodsReceived",
        ]


async def test_a_purchase_order_leads_back_to_the_customer_order(fresh: Path) -> None:
    async with life(fresh) as app:
        await small_company(app)
        app.waker.keep_replies = True
        await place(app, "a", [("alice", [("P", "50", "5")])])
        ((cause, reply),) = app.waker.replies
        assert cause.type == "StockReserved" and cause.causation_id
        assert reply.po.po_id == (await all_orders(app))[0].po_id  # type: ignore[union-attr]


async def test_products_that_fall_short_together_walk_the_flow_together(fresh: Path) -> None:
    async with life(fresh, rough=False) as app:
        await load_needs(app)
        await place(app, "a", [("alice", [(product, "5", "2") for product in NEEDS])])
        runs, queries, _ = await app.replenishment.totals()
        assert runs == len(await all_orders(app)) == len(NEEDS)
        assert queries < len(NEEDS), "a node asks once for all"


async def test_an_expensive_order_waits_for_another_person(fresh: Path) -> None:
    async with life(fresh) as app:
        await small_company(app, price="250.01", on_hand=0)
        reply = await app.replenishment.flow(FlowRequest("P"))
        assert reply.po is not None
        assert (reply.outcome, reply.po.status, reply.po.sent_at) == ("ordered", "pending_approval", None)
        assert reply.calculation.requires_approval
        await app.settle()
        assert not list((fresh / "outbox").glob("*")), "what is not approved is not sent"
        po_id = reply.po.po_id
        assert covered(await app.replenishment.flow(FlowRequest("P")), po_id), "what waits is supply"
        before = await kept(app)
        with pytest.raises(Refused, match="may not approve"):
            await app.purchasing.approve(ChangeRequest(po_id, "restock"))
        with pytest.raises(Conflict):
            await app.purchasing.send(ChangeRequest(po_id, "boss"))
        with pytest.raises(Conflict):
            await app.purchasing.receive(ReceiveRequest(po_id, []))
        assert await kept(app) == before
        approved = await app.purchasing.approve(ChangeRequest(po_id, "boss", "cheap enough"))
        assert (approved.state, approved.approved_by) == ("sent", "boss")
        with pytest.raises(Conflict):
            await app.purchasing.approve(ChangeRequest(po_id, "other boss"))
        await app.settle()
        assert sorted(path.name for path in (fresh / "outbox").glob("*")) == [f"{po_id}.json", f"{po_id}.pdf"]
        await check_supply(app)


async def test_who_planned_may_not_approve_and_ten_people_at_once_approve_once(fresh: Path) -> None:
    async with life(fresh) as app:
        await small_company(app, price="900", on_hand=0)
        await app.replenishment.plan(PlanRequest())
        (waiting,) = (await app.replenishment.purchase(PurchaseRequest(actor="anna"))).orders
        with pytest.raises(Refused):
            await app.purchasing.approve(ChangeRequest(waiting.po_id, "anna"))
        people = [app.purchasing.approve(ChangeRequest(waiting.po_id, f"boss-{n}")) for n in range(10)]
        results = await asyncio.gather(*people, return_exceptions=True)
        assert len([one for one in results if isinstance(one, Conflict)]) == 9
        await app.settle()
        assert len(list((fresh / "outbox").glob("*.json"))) == 1


@pytest.mark.parametrize("end", ["reject", "cancel"])
async def test_what_is_taken_back_is_a_need_again(fresh: Path, end: str) -> None:
    async with life(fresh) as app:
        await small_company(app, price="900", on_hand=0)
        first = await app.replenishment.flow(FlowRequest("P"))
        assert first.po is not None
        assert await getattr(app.purchasing, end)(ChangeRequest(first.po.po_id, "boss", "too much"))
        await app.settle()
        await check_supply(app)
        again = await app.replenishment.flow(FlowRequest("P"))
        assert again.po is not None
        assert (again.outcome, again.po.qty) == ("ordered", first.po.qty)
        assert again.po.po_id != first.po.po_id
        assert covered(await app.replenishment.flow(FlowRequest("P")), again.po.po_id)
        await check_supply(app)


async def test_a_short_order_that_is_closed_is_a_need_again_and_an_over_delivery_is_stock(fresh: Path) -> None:
    async with life(fresh) as app:
        await small_company(app, on_hand=0)
        first = await app.replenishment.flow(FlowRequest("P"))
        assert first.po is not None
        await app.purchasing.receive(ReceiveRequest(first.po.po_id, [Receipt(1, D(15))]))
        await app.purchasing.close(ChangeRequest(first.po.po_id, "buyer", "the rest never comes"))
        await app.settle()
        orders = await all_orders(app)
        again = orders[1] if len(orders) > 1 else None
        reply = await app.replenishment.flow(FlowRequest("P"))
        again = again or (await all_orders(app))[1]
        assert again.lines[0].quantity == 30, "25 missing, in tens"
        assert reply.outcome in {"ordered", "covered"}
        await app.purchasing.receive(ReceiveRequest(again.po_id, [Receipt(1, D(37))]))
        await app.settle()
        assert await stock(app) == (52, 0, 0)
        await check_supply(app)
        assert (await app.replenishment.flow(FlowRequest("P"))).outcome == "no_need"


async def test_an_order_that_is_cancelled_before_its_file_is_written_gets_none(fresh: Path) -> None:
    async with life(fresh) as app:
        await small_company(app, on_hand=0)
        first = await app.replenishment.flow(FlowRequest("P"))
        assert first.po is not None
        await app.purchasing.cancel(ChangeRequest(first.po.po_id, "buyer"))
        await app.settle()
        assert not list((fresh / "outbox").glob("*"))
        assert (await app.backlog())["dispatch"] == 0


async def test_a_count_in_two_warehouses_wakes_the_flow_of_each(fresh: Path) -> None:
    async with life(fresh) as app:
        await small_company(app, on_hand=60)
        counts = [StockCount("P", D(5), D(0), "WH-001"), StockCount("P", D(7), D(0), "WH-002")]
        await app.inventory.put_stock(PutStockRequest(counts))
        await app.settle()
        places = {line.warehouse_id for one in await all_orders(app, state="sent") for line in one.lines}
        assert places == {"WH-001", "WH-002"}


async def test_expected_dates_and_numbers_follow_the_clock(fresh: Path) -> None:
    async with life(fresh) as app:
        assert isinstance(app.clock, SimulatedClock)
        await small_company(app, on_hand=0)
        await app.replenishment.flow(FlowRequest("P"))
        app.clock.advance(timedelta(days=365))
        await place(app, "a", [("alice", [("P", "25", "5")])])
        first, second = await all_orders(app)
        assert (first.po_id, first.expected_on) == ("PO-2026-000001", "2026-01-09")
        assert (second.po_id, second.expected_on) == ("PO-2027-000001", "2027-01-09")


async def test_the_background_gets_there_as_the_settled_loop_does(fresh: Path, undisturbed: dict[str, object]) -> None:
    """The same life with relays, subscribers and the dispatcher at work while the program runs."""
    async with life(fresh) as app:
        app.start()
        await run_loop(app)
        assert await business_state(app) == undisturbed


async def test_many_days_end_with_what_customers_ordered_and_suppliers_sent(fresh: Path) -> None:
    """Sixty days of orders and receipts: stock is what a sheet of paper says, and nobody waits for longer than it takes."""
    async with life(fresh) as app:
        await small_company(app)
        sold = received = 0
        for day in range(60):
            quantity = (day * 7) % 19 + 1
            await app.orders.place(PlaceRequest([order(f"d{day}", f"c{day % 5}", [("P", str(quantity), "5")])]))
            sold += quantity
            await app.settle()
            if day % 4 == 3:
                for one in await all_orders(app, state="sent"):
                    received += int(one.lines[0].quantity)
                    await app.purchasing.receive(ReceiveRequest(one.po_id, []))
                await app.settle()
        on_hand, reserved, backordered = await stock(app)
        assert on_hand == 60 + received
        assert reserved + backordered == sold
        assert reserved == min(sold, on_hand)
        await check_supply(app)
        position = on_hand - sold + sum(int(one.lines[0].to_come) for one in await all_orders(app))
        assert 40 <= position < 50
        assert await oldest(app, "P") == await app.purchasing.rebuild((await oldest(app, "P")).po_id)
