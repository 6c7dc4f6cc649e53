"""What was sent is delivered: whatever fails, crashes or is cancelled in between."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from buying import Desk, copied_home, line, new_order

from restock.adapters.dispatch.files import OrderFiles
from restock.core.clock import SimulatedClock
from restock.core.errors import RestockError, StorageFull, Unavailable
from restock.core.failpoint import KILLED
from restock.purchasing.dispatch import BATCH, Backlog, Dispatcher
from restock.purchasing.model import PurchaseOrder
from restock.purchasing.port import ChangeRequest, OrdersRequest

CHILD = Path(__file__).parent / "buying_child.py"


class Post:
    """A channel that remembers what it was given and fails for what it is told to."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []
        self.failing: dict[str, RestockError] = {}
        self.raising: RestockError | None = None

    async def deliver(self, orders: Sequence[PurchaseOrder]) -> Sequence[RestockError | None]:
        if self.raising is not None:
            raise self.raising
        self.given.append([one.po_id for one in orders])
        await asyncio.sleep(0)
        return [self.failing.get(one.po_id) for one in orders]

    @property
    def all_given(self) -> list[str]:
        return [po_id for batch in self.given for po_id in batch]


async def sent(desk: Desk, count: int, prefix: str = "P") -> list[str]:
    return [one.po_id for one in await desk.made(*(new_order(line(f"{prefix}{number}")) for number in range(count)))]


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def dispatcher(desk: Desk, post: Post) -> Dispatcher:
    return Dispatcher(desk.database, post, desk.clock)


def pass_time(desk: Desk, seconds: float) -> None:
    assert isinstance(desk.clock, SimulatedClock)
    desk.clock.advance(timedelta(seconds=seconds))


async def test_what_waits_is_delivered_once_oldest_first_in_batches(
    desk: Desk, post: Post, dispatcher: Dispatcher
) -> None:
    po_ids = await sent(desk, 2 * BATCH + 1)
    assert await dispatcher.backlog() == Backlog(len(po_ids), "2026-01-05T08:00:00.000000Z", 0)
    heard: list[int] = []
    assert await dispatcher.drain(heard.append) == len(po_ids)
    assert post.all_given == po_ids
    assert heard == [BATCH, 2 * BATCH, 2 * BATCH + 1]
    assert await dispatcher.backlog() == Backlog(0, "", 0)
    assert await dispatcher.drain() == 0
    assert post.all_given == po_ids
    assert set((await desk.dispatches()).values()) == {("done", 1, "")}


async def test_an_approved_order_is_dispatched_and_a_waiting_one_is_not(
    desk: Desk, post: Post, dispatcher: Dispatcher
) -> None:
    (pending,) = await desk.made(new_order(line("A"), state="pending_approval"))
    assert await dispatcher.drain() == 0
    await desk.service.approve(ChangeRequest(pending.po_id, "anna"))
    assert await dispatcher.drain() == 1
    assert post.all_given == [pending.po_id]


async def test_an_order_that_was_cancelled_first_never_reaches_the_supplier(
    desk: Desk, post: Post, dispatcher: Dispatcher
) -> None:
    first, second = await sent(desk, 2)
    await desk.service.cancel(ChangeRequest(first, "anna"))
    assert await dispatcher.drain() == 1
    assert post.all_given == [second]
    assert await dispatcher.backlog() == Backlog(0, "", 0)
    assert (await desk.dispatches())[first][0] == "withdrawn"


async def test_a_failure_holds_up_no_other_and_is_tried_again_after_a_growing_pause(
    desk: Desk, post: Post, dispatcher: Dispatcher
) -> None:
    po_ids = await sent(desk, BATCH + 10)
    bad = po_ids[0]
    post.failing[bad] = StorageFull("The folder is full.", remedy="Free space.")
    assert await dispatcher.drain() == len(po_ids) - 1
    assert dispatcher.problem is post.failing[bad]
    assert await dispatcher.backlog() == Backlog(1, "2026-01-05T08:00:00.000000Z", 1)
    assert (await desk.dispatches())[bad] == ("waiting", 1, "The folder is full. Free space.")
    tries = []
    for second in range(1, 40):
        pass_time(desk, 1)
        before = len(post.all_given)
        assert await dispatcher.drain() == 0
        if len(post.all_given) > before:
            tries.append(second)
    assert tries == [1, 3, 7, 15, 31]
    post.failing.clear()
    pass_time(desk, 3600)
    assert await dispatcher.drain() == 1
    assert dispatcher.problem is None
    assert (await desk.dispatches())[bad] == ("done", 7, "")


async def test_when_every_order_fails_each_is_tried_once_a_drain(
    desk: Desk, post: Post, dispatcher: Dispatcher
) -> None:
    po_ids = await sent(desk, 2 * BATCH)
    post.failing = dict.fromkeys(po_ids, Unavailable("No."))
    assert await dispatcher.drain() == 0
    assert post.all_given == po_ids
    assert (await dispatcher.backlog()).failing == len(po_ids)


async def test_new_orders_go_out_at_once_even_when_the_clock_went_back(
    desk: Desk, post: Post, dispatcher: Dispatcher
) -> None:
    (po_id,) = await sent(desk, 1)
    earlier = SimulatedClock(desk.clock.now() - timedelta(days=1))
    assert await Dispatcher(desk.database, post, earlier).drain() == 1
    assert post.all_given == [po_id]


async def test_running_delivers_what_it_is_told_of_and_what_another_process_sent(
    desk: Desk, post: Post, dispatcher: Dispatcher
) -> None:
    task = asyncio.create_task(dispatcher.run())
    await asyncio.sleep(0.02)
    told = await sent(desk, 3)
    dispatcher.notify()
    await until(lambda: post.all_given == told, 0.2)
    untold = await sent(desk, 2, "Q")
    await until(lambda: post.all_given == told + untold, 1.0)
    await ended(task)


async def test_running_goes_on_after_a_failure_of_the_whole_channel(
    desk: Desk, post: Post, dispatcher: Dispatcher
) -> None:
    post.raising = Unavailable("No answer.")
    po_ids = await sent(desk, 2)
    task = asyncio.create_task(dispatcher.run())
    await until(lambda: dispatcher.problem is post.raising, 1.0)
    post.raising = None
    await until(lambda: post.all_given == po_ids, 2.0)
    await until(lambda: dispatcher.problem is None, 1.0)
    await ended(task)


async def test_two_drains_at_once_deliver_each_order_once(desk: Desk, post: Post, dispatcher: Dispatcher) -> None:
    po_ids = await sent(desk, 10)
    assert sorted(await asyncio.gather(dispatcher.drain(), dispatcher.drain())) == [0, 10]
    assert post.all_given == po_ids


async def until(happened: object, seconds: float) -> None:
    assert callable(happened)
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what happens is in the service under test, which tells nobody
            await asyncio.sleep(0.005)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def outbox(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "outbox").iterdir()}


def child(work: str, home: Path, **settings: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(CHILD), work, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return process


@pytest.mark.parametrize(
    "failpoint",
    [
        *(f"dispatch.file.{side}:{passing}" for side in ("before", "after") for passing in (1, 2, 6)),
        "po.dispatch.done.before",
        "po.dispatch.done.after",
    ],
)
async def test_a_crash_anywhere_leaves_whole_files_and_a_restart_gives_the_same(tmp_path: Path, failpoint: str) -> None:
    desk = Desk(copied_home(tmp_path / "home"))
    po_ids = await sent(desk, 3)
    await desk.close()
    reference = tmp_path / "reference"
    await deliver_elsewhere(desk.home, reference)
    crashed = child("dispatch", desk.home, RESTOCK_FAILPOINT=failpoint)
    crashed.communicate(timeout=30)
    assert crashed.returncode == KILLED, "the failpoint exists and was reached"
    whole = outbox(reference)
    assert all(whole[name] == content for name, content in outbox(desk.home).items())
    again = child("dispatch", desk.home)
    again.communicate(timeout=30)
    assert again.returncode == 0
    assert outbox(desk.home) == whole
    assert sorted(whole) == sorted(f"{po_id}.{kind}" for po_id in po_ids for kind in ("json", "pdf"))
    desk = Desk(desk.home)
    assert {row[0] for row in (await desk.dispatches()).values()} == {"done"}
    await desk.close()


async def deliver_elsewhere(home: Path, target: Path) -> None:
    """Write the orders of a home to another outbox, without marking them."""
    desk = Desk(home)
    files = OrderFiles(target / "outbox", in_process=True)
    stored = await desk.service.orders(OrdersRequest())
    assert await files.deliver(stored) == [None] * len(stored)
    await files.close()
    await desk.close()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_the_worker_ends_with_its_parent_however_it_ends(tmp_path: Path, sign: signal.Signals) -> None:
    desk = Desk(copied_home(tmp_path / "home"))
    await sent(desk, 2)
    await desk.close()
    parent = child("serve", desk.home)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    assert parent.stdout.readline() == "delivered\n"
    workers = descendants(parent.pid)
    assert workers
    niced = [os.getpriority(os.PRIO_PROCESS, worker) for worker in workers]
    assert 19 in niced
    parent.send_signal(sign)
    parent.communicate(timeout=20)
    await until(lambda: not any(running(worker) for worker in workers), 10)


def descendants(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(one) for one in children]


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
