"""Creating orders: one per need, each answered in its place, whoever else is creating at the same time."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from buying import NEEDS as NEEDS_STATEMENT
from buying import Desk, copied_home, line, new_order
from buying_child import NEEDS, ROUNDS

from restock.core.clock import SimulatedClock
from restock.core.errors import Conflict, InvalidInput, NotFound, Stale
from restock.purchasing.creation import numbered
from restock.purchasing.model import PurchaseOrder, State
from restock.purchasing.port import (
    ChangeRequest,
    OrderRequest,
    OrdersRequest,
    PlansRequest,
    Receipt,
    ReceiveRequest,
)

CHILD = Path(__file__).parent / "buying_child.py"


def child(work: str, home: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), work, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def start(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def test_identifiers_sort_as_their_numbers_however_many_a_year_has() -> None:
    numbers = [1, 2, 999_999, 1_000_000, 1_000_001, 9_999_999, 10_000_000, 123_456_789]
    made = [numbered(2026, number) for number in numbers]
    assert made[0] == "PO-2026-000001" and sorted(made) == made


async def test_an_order_that_is_sent_waits_for_dispatch_and_one_that_is_not_does_not(desk: Desk) -> None:
    sent, approved, pending = await desk.made(
        new_order(line("A")), new_order(line("B"), send=False), new_order(line("C"), state="pending_approval")
    )
    assert [one.state for one in (sent, approved, pending)] == [State.SENT, State.APPROVED, State.PENDING_APPROVAL]
    assert await desk.dispatches() == {sent.po_id: ("waiting", 0, "")}


async def test_five_hundred_creations_for_twenty_needs_on_one_version_make_twenty_orders(desk: Desk) -> None:
    wanted = [new_order(line(f"P{number % NEEDS}")) for number in range(500)]
    random.Random(1).shuffle(wanted)
    results = [result for (result,) in await asyncio.gather(*(desk.create(one) for one in wanted))]
    orders = [one for one in results if isinstance(one, PurchaseOrder)]
    assert len(orders) == NEEDS
    assert {one.lines[0].product_id for one in orders} == {f"P{number}" for number in range(NEEDS)}
    assert all(isinstance(one, PurchaseOrder | Stale) for one in results)
    assert (await desk.counts())[0] == NEEDS


async def test_two_processes_that_race_for_the_same_needs_order_each_once(tmp_path: Path) -> None:
    home = copied_home(tmp_path)
    first, second = child("needs", home), child("needs", home)
    start(first, second)
    said = [process.communicate(timeout=50)[0].split() for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert len(set(said[0] + said[1])) == len(said[0]) + len(said[1]) == NEEDS * ROUNDS
    desk = Desk(home)
    needs = await desk.database.read(NEEDS_STATEMENT)
    assert len(set(needs)) == len(needs) == NEEDS * ROUNDS
    await desk.close()


async def test_an_acknowledged_order_survives_kill_9_and_every_order_is_whole(tmp_path: Path) -> None:
    home = copied_home(tmp_path)
    process = child("for-ever", home)
    start(process)
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    said += process.communicate()[0].split("\n")[:-1]
    desk = Desk(home)
    stored = await desk.service.orders(OrdersRequest(limit=1000))
    assert {one.po_id for one in stored} >= set(said)
    for one in stored:
        assert len(one.lines) == 2
        assert await desk.service.rebuild(one.po_id) == one
    assert set(await desk.dispatches()) == {one.po_id for one in stored}
    assert (await desk.counts())[1:] == (2 * len(stored), 2 * len(stored))
    await desk.close()


async def test_one_stale_or_wrong_order_stops_no_other(desk: Desk) -> None:
    await desk.made(new_order(line("OLD")))
    stale, good, wrong, taken, later = await desk.create(
        new_order(line("OLD")),
        new_order(line("NEW")),
        new_order(),
        new_order(line("NEW"), line("OTHER")),
        new_order(line("OTHER"), line("OLD", 1)),
    )
    assert [type(one) for one in (stale, good, wrong, taken, later)] == [
        Stale,
        PurchaseOrder,
        InvalidInput,
        Stale,
        PurchaseOrder,
    ]


HUGE = "1000000000000.1"


@pytest.mark.parametrize(
    "wrong",
    [
        new_order(),
        new_order(line("A"), line("B"), line("A")),
        new_order(line("A"), state="sent"),
        new_order(line("A"), state="draft", send=True),
        new_order(line("A"), state="pending_approval", send=True),
        new_order(line("A", quantity="0")),
        new_order(line("A", quantity="-1", price="-1")),
        new_order(line("A", price="0")),
        new_order(line("A", quantity="0.0000001")),
        new_order(line("A", quantity=HUGE)),
        new_order(line("A", quantity="NaN")),
        new_order(line("A", purchase_quantity=Decimal(100) / 12)),
        new_order(line("A"), grand_total=Decimal("-1")),
        new_order(line("A"), tax_amount=Decimal("0.0000001")),
        new_order(line("A"), idempotency_key="k" * 256),
    ],
)
async def test_an_order_that_cannot_be_stored_as_asked_is_refused_alone(desk: Desk, wrong: object) -> None:
    refused, good = await desk.create(wrong, new_order(line("GOOD")))  # type: ignore[arg-type]
    assert isinstance(refused, InvalidInput)
    assert isinstance(good, PurchaseOrder)
    assert (await desk.counts())[0] == 1


async def test_a_key_twice_in_one_request_makes_one_order_and_stops_no_other(desk: Desk) -> None:
    one = new_order(line("A"), idempotency_key="k")
    first, again, other, free = await desk.create(
        one, replace(one), new_order(line("B"), idempotency_key="k"), new_order(line("C"))
    )
    assert isinstance(first, PurchaseOrder)
    assert again == first
    assert isinstance(other, InvalidInput)
    assert isinstance(free, PurchaseOrder)
    assert (await desk.counts())[0] == 2


async def test_the_same_key_again_gives_the_same_order_even_when_the_need_has_moved_on(desk: Desk) -> None:
    wanted = [new_order(line(f"P{number}"), idempotency_key=f"k{number}") for number in range(3)]
    first = await desk.made(*wanted)
    assert await desk.made(*reversed(wanted)) == first[::-1]
    results = await asyncio.gather(*(desk.create(one) for one in wanted * 10))
    assert {result.po_id for (result,) in results} == {one.po_id for one in first}  # type: ignore[union-attr]


async def test_the_keys_of_long_orders_are_told_apart(desk: Desk) -> None:
    lines = [line(f"PRODUCT-WITH-A-NAME-{number}") for number in range(20)]
    (first,) = await desk.made(new_order(*lines, idempotency_key="k"))
    assert await desk.made(new_order(*lines, idempotency_key="k")) == [first]
    other = [*lines[:-1], line("ANOTHER")]
    (refused,) = await desk.create(new_order(*other, idempotency_key="k"))
    assert isinstance(refused, InvalidInput)


async def test_numbers_are_unique_and_increase_also_over_the_turn_of_the_year(desk: Desk) -> None:
    made = []
    for turn in range(3):
        groups = await asyncio.gather(*(desk.made(new_order(line(f"P{turn}-{n}-{m}"))) for n in range(9) for m in "ab"))
        made += [order.po_id for group in groups for order in group]
        assert isinstance(desk.clock, SimulatedClock)
        desk.clock.advance(timedelta(days=300))
    assert made == sorted(set(made))
    assert {po_id[:8] for po_id in made} == {"PO-2026-", "PO-2027-"}
    assert made[0] == "PO-2026-000001"


async def test_of_many_changes_of_one_order_at_once_one_wins(desk: Desk) -> None:
    (order,) = await desk.made(new_order(line("A"), state="pending_approval"))
    service, request = desk.service, ChangeRequest(order.po_id, "anna")
    calls = [move(request) for move in (service.approve, service.reject, service.cancel) for _ in range(20)]
    random.Random(2).shuffle(calls)
    results = await asyncio.gather(*calls, return_exceptions=True)
    moved = [one for one in results if isinstance(one, PurchaseOrder)]
    stored = await service.order(OrderRequest(order.po_id))
    assert all(isinstance(one, PurchaseOrder | Conflict) for one in results)
    assert moved[-1] == stored
    # an order that was approved first may still be cancelled, never the other way round
    assert len(moved) == (2 if moved[0].state is State.SENT else 1)


async def test_two_homes_handles_on_one_file_see_and_refuse_one_another(desk: Desk) -> None:
    other = Desk(desk.home)
    (order,) = await desk.made(new_order(line("A"), state="draft"))
    results = await asyncio.gather(
        desk.service.reject(ChangeRequest(order.po_id, "anna")),
        other.service.approve(ChangeRequest(order.po_id, "ben")),
        return_exceptions=True,
    )
    assert {type(one) for one in results} == {PurchaseOrder, Conflict}
    await other.close()


async def test_a_line_that_arrives_on_two_pallets_counts_both(desk: Desk) -> None:
    (order,) = await desk.made(new_order(line("A", quantity="10")))
    received = await desk.service.receive(
        ReceiveRequest(order.po_id, [Receipt(1, Decimal(4)), Receipt(1, Decimal(6))], "anna")
    )
    assert (received.state, received.lines[0].received) == (State.RECEIVED, Decimal(10))
    plan = await desk.service.plans(PlansRequest(["A"]))
    assert list(plan.ordered_total) == [Decimal(10)]


@pytest.mark.parametrize(("arrived", "ordered"), [("4", "4"), ("10", "10"), ("12", "12")])
async def test_closing_gives_back_what_did_not_come(desk: Desk, arrived: str, ordered: str) -> None:
    (order,) = await desk.made(new_order(line("A", quantity="10")))
    await desk.service.receive(ReceiveRequest(order.po_id, [Receipt(1, Decimal(arrived))], "anna"))
    before = (await desk.versions("A"))["A"]
    closed = await desk.service.close(ChangeRequest(order.po_id, "anna"))
    assert closed.state is State.CLOSED
    plan = await desk.service.plans(PlansRequest(["A"]))
    assert list(plan.ordered_total) == [Decimal(ordered)]
    assert plan.version[0] == before + (arrived == "4"), "older decisions are stale where the need is open again"


@pytest.mark.parametrize("move", ["cancel", "reject"])
async def test_an_order_that_ends_early_gives_back_its_need(desk: Desk, move: str) -> None:
    (order,) = await desk.made(new_order(line("A"), line("B"), state="pending_approval"))
    await getattr(desk.service, move)(ChangeRequest(order.po_id, "anna"))
    plan = await desk.service.plans(PlansRequest(["A", "B"]))
    assert list(plan.ordered_total) == [0, 0]
    assert list(plan.version) == [2, 2]
    await desk.made(new_order(line("A", 2)))


@pytest.mark.parametrize(
    ("receipts", "field"),
    [
        ([Receipt(2, Decimal(1))], "lines[1].line_no"),
        ([Receipt(1, Decimal(0))], "lines[1].quantity"),
        ([Receipt(1, Decimal(-1))], "lines[1].quantity"),
        ([Receipt(1, Decimal("0.0000001"))], "lines[1].quantity"),
        ([Receipt(1, Decimal("5e11")), Receipt(1, Decimal("1e12"))], "lines[2].quantity"),
    ],
)
async def test_a_wrong_receipt_is_refused_whole_and_named(desk: Desk, receipts: list[Receipt], field: str) -> None:
    (order,) = await desk.made(new_order(line("A")))
    with pytest.raises(InvalidInput) as refused:
        await desk.service.receive(ReceiveRequest(order.po_id, [Receipt(1, Decimal(1)), *receipts]))
    assert refused.value.field == field
    assert await desk.service.order(OrderRequest(order.po_id)) == order


@pytest.mark.parametrize("given", [{"reason": "x" * 1001}, {"actor": "x" * 129}, {"idempotency_key": "x" * 250}])
async def test_a_text_that_no_column_could_hold_is_refused(desk: Desk, given: dict[str, str]) -> None:
    (order,) = await desk.made(new_order(line("A")))
    with pytest.raises(InvalidInput) as refused:
        await desk.service.cancel(ChangeRequest(order.po_id, **given))
    assert refused.value.field in given


async def test_orders_are_listed_newest_first_in_pages_and_by_what_is_asked(desk: Desk) -> None:
    orders = await desk.made(*(new_order(line(f"P{n % 3}", n // 3), supplier_id=f"S{n % 2}") for n in range(9)))
    newest = orders[::-1]
    page = await desk.service.orders(OrdersRequest(limit=4))
    rest = await desk.service.orders(OrdersRequest(before=page[-1].po_id))
    assert page + rest == newest
    found = await desk.service.orders(OrdersRequest(supplier_id="S1", product_id="P2", state="sent"))
    assert found == [one for one in newest if one.supplier_id == "S1" and one.lines[0].product_id == "P2"]
    for wrong in (OrdersRequest(limit=0), OrdersRequest(limit=1001), OrdersRequest(state="lost")):
        with pytest.raises(InvalidInput):
            await desk.service.orders(wrong)


async def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    for call in (desk.service.order, desk.service.history):
        with pytest.raises(NotFound):
            await call(OrderRequest("PO-2026-999999"))
    with pytest.raises(NotFound):
        await desk.service.cancel(ChangeRequest("PO-2026-999999"))
