"""Importing sales of the past conserves lines and totals, once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import cast

import pytest
from files_world import Shop, contents
from hypothesis import given
from hypothesis import strategies as st

from restock.core.clock import SystemClock
from restock.core.failpoint import KILLED
from restock.core.reply import Stored
from restock.edge.files.history_lines import Tally, import_history, import_orders
from restock.edge.files.report import ImportReport
from restock.edge.files.retail import COLUMNS, import_online_retail
from restock.edge.files.settings import BATCH, ImportSettings, Progress
from restock.orders.history import retail_line
from restock.orders.port import AddHistoryRequest, FinishImportRequest, Orders

HEADER = ",".join(COLUMNS) + ",Country\n"

CODES = st.sampled_from(["85123A", "85123a", "10002", "POST", "m", "DCGS0003", "", "gift_0001_20", "1", "15056bl"])
QUANTITIES = st.sampled_from(["1", "6", "-1", "0", "-30", "2.5", "x", "", "1e3", "NaN", "99999999999999"])
PRICES = st.sampled_from(["2.55", "0", "0.00", "-1", "1.123", "abc", "", "0.0000001"])
INVOICES = st.sampled_from(["536365", "536366", "C536367", "A563185", "", "c1"])
DATES = st.sampled_from(["2010-12-01 08:26:00", "2010-12-02", "2010-13-01", "", "tomorrow"])
CUSTOMERS = st.sampled_from(["17850", "", "x" * 129])
GOOD = st.tuples(INVOICES, CODES, st.sampled_from(["LAMP", "", "=1+1"]), QUANTITIES, DATES, PRICES, CUSTOMERS).map(
    lambda cells: ",".join((*cells, "UK"))
)
BROKEN = st.sampled_from(["", "only,three,cells", '"open,1,2,3,4,5,6,7', "1,2,3,4,5,6,7,8,9", "\0,1,2,3,4,5,6,7"])
FILES = st.lists(st.one_of(GOOD, GOOD, GOOD, BROKEN), max_size=40)


class Remembering:
    """Stands for the orders port: remembers keys."""

    def __init__(self) -> None:
        self.lines: dict[str, tuple[object, ...]] = {}
        self.finished: list[FinishImportRequest] = []

    async def add_history(self, request: AddHistoryRequest) -> Stored:
        before = len(self.lines)
        for row in request.rows():
            self.lines.setdefault(str(row["key"]), tuple(row.values()))
        return Stored(len(self.lines) - before)

    async def finish_import(self, request: FinishImportRequest) -> Stored:
        self.finished.append(request)
        return Stored(1)


async def imported(path: Path, orders: Orders, rejects: Path) -> ImportReport:
    settings = ImportSettings(rejects, SystemClock(), COLUMNS)
    return await import_history(path, orders, settings, COLUMNS.values(), retail_line, Tally())


def rejected_lines(report: ImportReport) -> list[dict[str, str]]:
    if not report.rejects_path:
        return []
    with Path(report.rejects_path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def readable(text: str) -> Decimal:
    """Read a number as the totals do, by other means."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal(0)
    fits = number.is_finite() and abs(number) <= 10**12 and number == round(number, 6)
    return number if fits else Decimal(0)


@given(FILES)
def test_import_conserves_lines_and_totals(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("conserved")
    path = folder / "sales.csv"
    path.write_text(HEADER + "".join(f"{part}\n" for part in parts), encoding="utf-8")
    port = Remembering()
    report = asyncio.run(imported(path, cast("Orders", port), folder))

    assert report.adds_up
    assert report.lines == len(parts)
    assert report.accepted["sale"] + report.accepted["return"] == report.changed == len(port.lines)
    rejects = rejected_lines(report)
    assert Counter(row["reason"] for row in rejects) == report.rejected
    assert [int(row["line"]) for row in rejects] == sorted({int(row["line"]) for row in rejects})

    whole = [cells for part in parts if len(cells := part.split(",")) == 8 and '"' not in part and "\0" not in part]
    assert sum(total.lines for total in report.totals.values()) == len(parts)
    assert sum(total.quantity for total in report.totals.values()) == sum(readable(cells[3]) for cells in whole)
    money = sum(readable(cells[3]) * readable(cells[5]) for cells in whole)
    assert sum(total.money for total in report.totals.values()) == money

    again = asyncio.run(imported(path, cast("Orders", port), folder))
    assert again.changed == 0
    assert (again.accepted, again.rejected, again.totals) == (report.accepted, report.rejected, report.totals)
    assert port.finished[0] == port.finished[1]


def sales(count: int) -> str:
    """Make sales of a quarter, with genuine duplicates, returns and some rejects."""
    rows = [
        f"{536365 + n // 7},{10000 + n % 50}{'Aa'[n % 2] if n % 3 else ''},LAMP {n % 50},{n % 9 - 1 if n % 11 else 4},"
        f"2011-{7 + n * 3 // count:02d}-{1 + n % 28:02d} 10:00:00,{n % 5}.25,{'' if n % 4 else 17850},UK\n"
        for n in range(count)
    ]
    return HEADER + "".join(rows[: count // 2] + rows[:10] + rows[count // 2 :])


def retail_files(folder: Path) -> Path:
    """Make a folder like the data set's."""
    folder.mkdir()
    import gzip

    with gzip.open(folder / "2011-07.csv.gz", "wt", encoding="utf-8") as file:
        file.write(sales(2 * BATCH))
    (folder / "stock.csv").write_text(
        "product_id,warehouse_id,on_hand,reserved\n10000,WH-001,5,1\n10001A,WH-001,7,0\n10001a,WH-001,2,1\n10001A,WH-001,1,0\n"
    )
    (folder / "suppliers.csv").write_text(
        "supplier_id,supplier_name,product_id,unit_price,moq,order_multiple,purchase_unit,lead_time_days,is_active\n"
        "S2,Two,10001a,9.5,1,1,PIECE,7,true\nS1,One,10001A,2.5,6,6,PIECE,7,true\nS1,One,10000,x,6,6,PIECE,7,true\n"
    )
    (folder / "units.csv").write_text(
        "product_id,from_unit,to_unit,factor\n10001A,CASE,PIECE,12\n10001a,CASE,PIECE,12\n10000,CASE,PIECE,0\n"
    )
    return folder


async def test_a_folder_like_the_data_set(shop: Shop, tmp_path: Path) -> None:
    folder = retail_files(tmp_path / "retail")
    told: list[Progress] = []
    settings = ImportSettings(shop.home / "rejects", SystemClock(), progress=told.append)
    done = await import_online_retail(folder, shop.retail, settings)
    assert done.orders.adds_up and done.orders.lines == 2 * BATCH + 10
    assert str(done.stock_date) == "2011-09-29"
    stock, suppliers, units = done.tables
    assert (stock.accepted, stock.rejected) == ({"stock": 2, "merged": 1}, {"duplicate": 1})
    assert (suppliers.accepted, suppliers.rejected) == (
        {"suppliers": 1, "merged": 0}, {"case-variant": 1, "bad-unit_price": 1}
    )  # fmt: skip
    assert (units.accepted, units.rejected) == ({"units": 1, "merged": 1}, {"bad-factor": 1})
    assert all(table.adds_up for table in done.tables)
    assert "line 3" in rejected_lines(suppliers)[0]["what"]
    assert told[-1].done == told[-1].size
    before = contents(shop.home)
    again = await import_online_retail(folder, shop.retail, settings)
    assert again.products_changed == again.orders.changed == again.demand.changed == 0
    assert sum(table.changed for table in again.tables) == 0
    assert contents(shop.home) == before
    assert ("10001A", "WH-001", 9_000_000, 1_000_000) in {row[:4] for row in before["inventory.inventory_levels"]}


IMPORT = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from files_world import Shop
from restock.edge.files.retail import import_online_retail

async def run():
    shop = Shop(Path(sys.argv[1]))
    await import_online_retail(Path(sys.argv[2]), shop.retail, shop.settings)
    await shop.close()

asyncio.run(run())
"""


def run_import(home: Path, folder: Path, failpoint: str = "") -> int:
    command = [sys.executable, "-c", IMPORT, str(home), str(folder), str(Path(__file__).parent)]
    environment = {**os.environ, "RESTOCK_FAILPOINT": failpoint}
    return subprocess.run(command, env=environment, check=False).returncode


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[tuple[object, ...]]]]:
    base = tmp_path_factory.mktemp("undisturbed")
    folder = retail_files(base / "retail")
    assert run_import(base / "home", folder) == 0
    return folder, contents(base / "home")


@pytest.mark.parametrize(
    "failpoint",
    [
        "oms.add_history.before:1",
        "oms.add_history.after:2",
        "oms.add_history.before:4",
        "oms.finish_import.before",
        "oms.finish_import.after",
        "rejects.before",
        "inventory.put_items.after",
        "inventory.put_stock.before",
        "supplier.put_terms.before",
        "uom.put_conversions.after",
        "oms.recompute_demand.before",
        "oms.recompute_demand.after",
    ],
)
def test_an_import_that_was_killed_and_run_again_leaves_the_same(
    undisturbed: tuple[Path, dict[str, list[tuple[object, ...]]]], tmp_path: Path, failpoint: str
) -> None:
    folder, expected = undisturbed
    assert run_import(tmp_path, folder, failpoint) == KILLED
    assert run_import(tmp_path, folder) == 0
    assert contents(tmp_path) == expected


async def test_a_generic_file_of_orders(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("sku,quantity,date\nabc,2,2011-01-01\nABC,-1,2011-01-02\nabc,0,2011-01-03\nabc,2,2011-01-01\n")
    settings = ImportSettings(tmp_path, SystemClock(), {"sku": "product_id"})
    report = await import_orders(path, shop.orders, settings)
    assert (report.accepted, report.rejected, report.changed) == ({"sale": 2, "return": 1}, {"zero-quantity": 1}, 3)
    (reject,) = rejected_lines(report)
    assert (reject["file"], reject["line"], reject["original"]) == ("orders.csv", "4", "abc,0,2011-01-03")
    assert (await import_orders(path, shop.orders, settings)).changed == 0
