"""History in the store, and the demand computed from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput
from restock.core.ids import Ids
from restock.orders import store
from restock.orders.model import Demand
from restock.orders.port import (
    AddHistoryRequest,
    DemandRequest,
    FinishImportRequest,
    ImportsRequest,
    PutDemandRequest,
    RecomputeDemandRequest,
)
from restock.orders.service import OrdersService
from restock.orders.tables import SCHEMA

STOCK_DATE = date(2011, 10, 1)


@pytest.fixture
async def databases(tmp_path: Path) -> AsyncIterator[EmbeddedDatabases]:
    opened = EmbeddedDatabases(tmp_path, {"oms": [SCHEMA]})
    yield opened
    await opened.close()


@pytest.fixture
def orders(databases: EmbeddedDatabases) -> OrdersService:
    clock = SystemClock()
    return OrdersService(databases["oms"], clock, Ids(clock))


def history(*lines: tuple[str, str, str, str]) -> AddHistoryRequest:
    """Build lines of (kind, day, product, quantity)."""
    rows = [
        (f"{number:032x}", kind, day, product, Decimal(quantity), Decimal("1.25"), "inv", "")
        for number, (kind, day, product, quantity) in enumerate(lines)
    ]
    return AddHistoryRequest.of(rows)


LINES = history(
    ("sale", "2011-09-20", "A", "900"),  # one day before the window of ten
    ("sale", "2011-09-21", "A", "10"),  # its first day
    ("sale", "2011-09-26", "A", "15"),  # the first of its later half
    ("return", "2011-09-30", "A", "2.5"),  # its last
    ("sale", "2011-10-01", "A", "900"),  # the stock date
    ("sale", "2011-09-01", "B", "5"),  # sold once, before the window
    ("sale", "2011-10-02", "C", "5"),  # not yet sold
    ("sale", "2011-09-22", "D", "7"),
)


async def test_demand_comes_from_the_days_before_the_stock_date(orders: OrdersService) -> None:
    assert (await orders.add_history(LINES)).changed == 8
    done = await orders.recompute_demand(RecomputeDemandRequest(STOCK_DATE, 10))
    assert (done.products, done.changed, done.kept_stated) == (3, 3, 0)
    frame = await orders.demand(DemandRequest(["A", "B", "C", "D"]))
    assert list(zip(frame.product_id, frame.demand_per_day, frame.trend, strict=True)) == [
        ("A", Decimal("2.25"), "increasing"),
        ("B", Decimal(0), "stable"),
        ("D", Decimal("0.7"), "decreasing"),
    ]
    assert set(frame.as_of) == {"2011-10-01"} and set(frame.window_days) == {10} and set(frame.source) == {"history"}


async def test_the_same_again_changes_nothing(orders: OrdersService) -> None:
    await orders.add_history(LINES)
    await orders.recompute_demand(RecomputeDemandRequest(STOCK_DATE))
    revision = await orders.revision()
    assert (await orders.add_history(LINES)).changed == 0
    assert (await orders.recompute_demand(RecomputeDemandRequest(STOCK_DATE))).changed == 0
    assert await orders.revision() == revision


async def test_what_somebody_stated_is_kept(orders: OrdersService) -> None:
    await orders.put_demand(PutDemandRequest([Demand("A", Decimal(99))]))
    await orders.add_history(LINES)
    done = await orders.recompute_demand(RecomputeDemandRequest(STOCK_DATE, 10))
    assert (done.changed, done.kept_stated) == (2, 1)
    assert list((await orders.demand(DemandRequest(["A"]))).demand_per_day) == [Decimal(99)]


async def test_history_is_demand_only(orders: OrdersService, databases: EmbeddedDatabases) -> None:
    await orders.add_history(LINES)
    assert (await store.OUTBOX_EVENTS.backlog(databases["oms"])).events == 0


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("kind", "gift", "kind[1]"),
        ("quantity", Decimal(-1), "quantity[1]"),
        ("price", Decimal(-1), "price[1]"),
        ("product_id", "", "product_id[1]"),
        ("day", "yesterday", "day[1]"),
        ("key", "short", "key[1]"),
    ],
)
async def test_a_bad_line_of_history_is_named(orders: OrdersService, column: str, value: object, field: str) -> None:
    columns = {name: list(values)[:2] for name, values in LINES.columns().items()}
    columns[column][1] = value
    with pytest.raises(InvalidInput) as caught:
        await orders.add_history(AddHistoryRequest(**columns))  # type: ignore[arg-type]
    assert caught.value.field == field
    with pytest.raises(InvalidInput, match="equal columns"):
        await orders.add_history(AddHistoryRequest(**(columns | {"key": []})))  # type: ignore[arg-type]


async def test_a_finished_import_is_written_down_once(orders: OrdersService) -> None:
    done = FinishImportRequest("digest", "a.csv", 10, 7, 1, 2)
    assert (await orders.finish_import(done)).changed == 1
    assert (await orders.finish_import(done)).changed == 0
    (one,) = (await orders.imports(ImportsRequest())).imports
    assert (one.file, one.lines, one.sales, one.returns, one.rejected) == ("a.csv", 10, 7, 1, 2)
