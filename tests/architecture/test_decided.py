"""Decisions that a short run shows: how a database commits, what a lock survives, who gets a need, what a port declares."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import is_dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_files import source_files

from restock.adapters.database.embedded import EmbeddedDatabases, exclusive
from restock.adapters.database.sqlite import SqliteDatabase
from restock.core.clock import SystemClock
from restock.core.errors import Stale, Unavailable
from restock.core.ids import Ids
from restock.core.operation import Operation
from restock.engine.database import Transaction
from restock.inventory.model import Stock
from restock.purchasing.dispatch import Dispatcher
from restock.purchasing.model import PurchaseOrder, State
from restock.purchasing.port import CreateRequest, NewLine, NewOrder
from restock.purchasing.service import PurchasingService
from restock.purchasing.tables import REVISION, SCHEMA
from restock.replenishment.model import need_of

CALLERS = 64
TEN = Decimal(10)
LINE = NewLine("PROD-001", TEN, TEN, "PIECE", Decimal(1), TEN, plan_version=0)
NEED = NewOrder("SUP-001", "One", "USD", [LINE], TEN, Decimal(0), Decimal(0), TEN, "approved")


@pytest.fixture
async def database(home: Path) -> AsyncIterator[SqliteDatabase]:
    databases = EmbeddedDatabases(home, {"po": [SCHEMA]})
    yield databases["po"]
    await databases.close()


async def test_statements_run_on_the_loop_and_one_commit_on_a_thread_serves_all_who_wait(
    database: SqliteDatabase,
) -> None:
    seen: list[tuple[str, int]] = []
    database._writer.set_trace_callback(lambda text: seen.append((text.split()[0], threading.get_ident())))
    await asyncio.gather(*(database.write("bump", REVISION.bump) for _ in range(CALLERS)))
    loop = threading.get_ident()
    assert Counter(word for word, _ in seen)["INSERT"] == CALLERS
    assert [thread == loop for word, thread in seen if word == "COMMIT"] == [False]
    assert all(thread == loop for word, thread in seen if word != "COMMIT")


async def test_a_unit_that_awaits_anything_but_its_transaction_is_refused_and_undone(database: SqliteDatabase) -> None:
    async def slow(tx: Transaction) -> None:
        await REVISION.bump(tx)
        await asyncio.sleep(0)

    slow_one, right_one = await asyncio.gather(
        database.write("slow", slow), database.write("bump", REVISION.bump), return_exceptions=True
    )
    assert isinstance(slow_one, RuntimeError)
    assert right_one is None
    assert await REVISION.read(database) == 1


def test_the_kernel_drops_the_lock_of_a_process_that_was_killed(home: Path) -> None:
    holder = (
        "import sys, pathlib, restock.adapters.database.embedded as e\n"
        "with e.exclusive(pathlib.Path(sys.argv[1]), 'server', 'busy'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        with pytest.raises(Unavailable), exclusive(home, "server", "busy"):
            pass
        process.kill()
    with exclusive(home, "server", "busy"):
        pass


async def test_many_who_decided_on_the_same_plan_row_get_one_order(database: SqliteDatabase) -> None:
    clock = SystemClock()
    purchasing = PurchasingService(database, clock, Ids(clock))
    created = await asyncio.gather(*(purchasing.create(CreateRequest([NEED])) for _ in range(CALLERS)))
    results = [result for one in created for result in one.results]
    assert [type(result) for result in results if not isinstance(result, Stale)] == [PurchaseOrder]


class Crashing:
    """A channel of a process that is killed after its first delivery, before it is recorded."""

    def __init__(self) -> None:
        self.delivered: list[PurchaseOrder] = []

    async def deliver(self, orders: Sequence[PurchaseOrder]) -> Sequence[None]:
        self.delivered += orders
        if len(self.delivered) == 1:
            raise KeyboardInterrupt
        return [None] * len(orders)


async def test_an_order_is_sent_with_its_dispatch_row_and_delivered_again_after_a_crash(
    database: SqliteDatabase,
) -> None:
    clock, channel = SystemClock(), Crashing()
    purchasing = PurchasingService(database, clock, Ids(clock))
    (order,) = (await purchasing.create(CreateRequest([replace(NEED, send=True, send_method="file")]))).results
    assert isinstance(order, PurchaseOrder)
    assert order.state is State.SENT
    with pytest.raises(KeyboardInterrupt):
        await Dispatcher(database, channel, clock).drain()
    restarted = Dispatcher(database, channel, clock)
    assert (await restarted.drain(), await restarted.drain()) == (1, 0)
    assert channel.delivered == [order, order]


@given(st.integers(0, 100), st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=30))
def test_available_never_falls_below_zero_and_backorders_lower_the_position(
    on_hand: int, moves: list[tuple[bool, int]]
) -> None:
    stock, wanted, received = Stock(on_hand), 0, 0
    for is_order, quantity in moves:
        stock = stock.reserve(quantity) if is_order else stock.receive(quantity)
        wanted, received = wanted + quantity * is_order, received + quantity * (not is_order)
        assert stock.available >= 0
    need = need_of(
        "P",
        "W",
        {"demand_per_day": Decimal(0), "trend": "stable"},
        {
            "available": Decimal(stock.available),
            "backordered": Decimal(stock.backordered),
            "received_total": Decimal(received),
            "safety_stock": Decimal(0),
            "stock_unit": "PIECE",
        },
        None,
        [],
        {"ordered_total": Decimal(received + 7), "version": 1},
    )
    assert need.position == on_hand - wanted + received + 7


def test_every_operation_is_declared_once_over_frozen_requests() -> None:
    operations: list[Operation] = []
    for file in source_files():
        if file.path.endswith("/port.py") and file.path.count("/") == 3:
            module = importlib.import_module(file.path.removeprefix("src/").removesuffix(".py").replace("/", "."))
            operations += module.OPERATIONS
    assert operations
    for identity in ([one.name for one in operations], [(one.verb, one.path) for one in operations]):
        assert [each for each, times in Counter(identity).items() if times > 1] == []
    for one in operations:
        assert is_dataclass(one.request) and one.request.__dataclass_params__.frozen, one.name
