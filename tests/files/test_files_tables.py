"""Tables in and out: products, stock, suppliers, units, demand, orders."""

from __future__ import annotations

import asyncio
import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import cast

import polars
import pytest
from files_world import Shop, contents
from hypothesis import given
from hypothesis import strategies as st

from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput
from restock.core.reply import Stored
from restock.edge.files.exports import KINDS, export
from restock.edge.files.report import ImportReport
from restock.edge.files.settings import ImportSettings
from restock.edge.files.tables import import_demand, import_products, import_stock, import_suppliers, import_units
from restock.inventory.port import Inventory, PutStockRequest
from restock.orders.model import NewOrder, OrderItem
from restock.orders.port import PlaceRequest

FILES = {
    "products": "product_id,description,stock_unit,safety_stock\nP1,\"=1+1, a lamp\",PIECE,2.5\nP2,-plate,CASE,0\n",
    "stock": "product_id,warehouse_id,on_hand,reserved\nP1,WH-001,25,5\nP2,WH-001,10.5,0\n",
    "suppliers": (
        "product_id,supplier_id,supplier_name,unit_price,moq,order_multiple,purchase_unit,lead_time_days,is_active\n"
        "P1,S1,@Dover,15.99,20,20,PIECE,7,true\nP2,S2,\"A\nB\",0.4215,0,1,CASE,5,false\n"
    ),
    "units": "product_id,from_unit,to_unit,factor\nP1,CASE,PIECE,12\nP2,PALLET,CASE,48.5\n",
    "demand": "product_id,demand_per_day,trend\nP1,15.5,increasing\nP2,0,\n",
}  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def left_over(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


async def load(shop: Shop, kind: str, path: Path) -> ImportReport:
    imports = {
        "products": lambda: import_products(path, shop.inventory, shop.settings),
        "stock": lambda: import_stock(path, shop.inventory, shop.settings),
        "suppliers": lambda: import_suppliers(path, shop.suppliers, shop.settings),
        "units": lambda: import_units(path, shop.units, shop.settings),
        "demand": lambda: import_demand(path, shop.orders, shop.settings),
    }
    return await imports[kind]()


async def load_all(shop: Shop, folder: Path) -> None:
    for kind, text in FILES.items():
        path = folder / f"{kind}.csv"
        path.write_text(text, encoding="utf-8")
        report = await load(shop, kind, path)
        assert (report.accepted, report.changed, report.rejected, report.rejects_path) == ({kind: 2}, 2, {}, "")


async def test_the_same_file_again_changes_nothing(shop: Shop, tmp_path: Path) -> None:
    await load_all(shop, tmp_path)
    before = contents(shop.home)
    for kind in FILES:
        assert (await load(shop, kind, tmp_path / f"{kind}.csv")).changed == 0
    assert contents(shop.home) == before


@pytest.mark.parametrize(
    ("kind", "line", "reason"),
    [
        ("products", ",x,PIECE,0", "bad-product_id"),
        ("products", "P3,x,PIECE,-1", "bad-safety_stock"),
        ("products", "P1,again,PIECE,0", "duplicate"),
        ("products", "P3,x", "field-count"),
        ("stock", "P3,WH-001,-1,0", "bad-on_hand"),
        ("stock", "P3,WH-001,1,2", "bad-reserved"),
        ("stock", "P1,WH-001,1,0", "duplicate"),
        ("suppliers", "P3,S1,Dover,abc,1,1,PIECE,7,true", "bad-unit_price"),
        ("suppliers", "P3,S1,Dover,1,1,0,PIECE,7,true", "bad-order_multiple"),
        ("suppliers", "P3,S1,Dover,1,1,1,PIECE,7,perhaps", "bad-is_active"),
        ("units", "P3,CASE,PIECE,0", "bad-factor"),
        ("units", "P3,,PIECE,1", "bad-from_unit"),
        ("units", "P1,CASE,PIECE,10", "duplicate"),
        ("units", "P1,PIECE,CASE,0.0833", "contradiction"),
        ("demand", "P3,-1,", "bad-demand_per_day"),
        ("demand", "P3,1,sideways", "bad-trend"),
    ],
)
async def test_a_bad_line_is_rejected_and_the_others_go_on(
    shop: Shop, tmp_path: Path, kind: str, line: str, reason: str
) -> None:
    path = tmp_path / f"{kind}.csv"
    last = FILES[kind].splitlines()[-1] if kind != "suppliers" else "P9,S2,B,0.4,0,1,CASE,5,false"
    path.write_text(FILES[kind] + f"{line}\n{last.replace('P2', 'P9')}\n", encoding="utf-8")
    report = await load(shop, kind, path)
    assert report.adds_up
    assert (report.accepted, report.rejected) == ({kind: 3}, {reason: 1})
    (reject,) = rows_of(Path(report.rejects_path))
    number = len(FILES[kind].splitlines()) + 1
    assert (reject["file"], reject["line"], reject["reason"], reject["original"]) == (
        path.name,
        str(number),
        reason,
        line,
    )
    path.write_text(FILES[kind], encoding="utf-8")
    await load(shop, kind, path)
    assert not left_over(shop.home / "rejects", "*")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
async def test_what_was_exported_can_be_imported(shop: Shop, tmp_path: Path, suffix: str) -> None:
    await load_all(shop, tmp_path)
    before = contents(shop.home)
    other = Shop(tmp_path / "other")
    for kind in FILES:
        path = tmp_path / f"out-{kind}{suffix}"
        assert await export(kind, path, shop.exports) == 2
        report = await load(other, kind, path)
        assert (report.accepted, report.changed) == ({kind: 2}, 2)
    after = contents(other.home)
    await other.close()
    tables = [name for name in before if name.startswith(("supplier.supplier", "uom.", "oms.demand", "inventory.inv"))]
    assert tables and all(after[name] == before[name] for name in tables)


async def test_every_supplier_of_a_product_is_exported_with_its_rank(shop: Shop, tmp_path: Path) -> None:
    await load_all(shop, tmp_path)
    path = tmp_path / "second.csv"
    path.write_text("product_id,supplier_id,unit_price,lead_time_days,rank\nP1,S9,14,5,3\n", encoding="utf-8")
    await load(shop, "suppliers", path)
    assert await export("suppliers", tmp_path / "all.csv", shop.exports) == 3
    found = [(row["product_id"], row["supplier_id"], row["rank"]) for row in rows_of(tmp_path / "all.csv")]
    assert found == [("P1", "S1", "1"), ("P1", "S9", "3"), ("P2", "S2", "1")]


async def test_cells_that_look_like_formulas_are_harmless_in_csv_and_as_they_are_elsewhere(
    shop: Shop, tmp_path: Path
) -> None:
    await load_all(shop, tmp_path)
    await export("products", tmp_path / "p.csv", shop.exports)
    assert [row["description"] for row in rows_of(tmp_path / "p.csv")] == ["'=1+1, a lamp", "'-plate"]
    await export("products", tmp_path / "p.jsonl", shop.exports)
    rows = [json.loads(line, parse_float=Decimal) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert rows[0] == {
        "product_id": "P1", "description": "=1+1, a lamp", "stock_unit": "PIECE", "safety_stock": Decimal("2.5")
    }  # fmt: skip
    await export("products", tmp_path / "p.parquet", shop.exports)
    frame = polars.read_parquet(tmp_path / "p.parquet")
    assert frame["safety_stock"].to_list() == [Decimal("2.5"), Decimal(0)]
    assert frame["description"].to_list() == ["=1+1, a lamp", "-plate"]


async def test_orders_are_exported_an_item_a_row(shop: Shop, tmp_path: Path) -> None:
    items = [OrderItem("A", Decimal(2), Decimal("1.5")), OrderItem("B", Decimal(1), Decimal(3))]
    await shop.orders.place(PlaceRequest([NewOrder(f"c{n}", items, None) for n in range(600)]))
    assert await export("orders", tmp_path / "o.csv", shop.exports) == 1200
    rows = rows_of(tmp_path / "o.csv")
    assert len({row["order_id"] for row in rows}) == 600
    assert (rows[0]["customer_id"], rows[0]["product_id"], rows[0]["quantity"], rows[0]["price"]) == (
        "c599",
        "A",
        "2",
        "1.5",
    )


@pytest.mark.parametrize(("kind", "name"), [("secrets", "x.csv"), ("stock", "x.xlsx"), ("stock", "missing/x.csv")])
async def test_what_cannot_be_exported_is_named(shop: Shop, tmp_path: Path, kind: str, name: str) -> None:
    with pytest.raises(InvalidInput):
        await export(kind, tmp_path / name, shop.exports)
    assert not left_over(tmp_path, "*partial*")


async def test_every_kind_can_be_exported_from_nothing(shop: Shop, tmp_path: Path) -> None:
    for kind in KINDS:
        for suffix in (".csv", ".jsonl", ".parquet"):
            assert await export(kind, tmp_path / f"{kind}{suffix}", shop.exports) == 0


CELLS = st.sampled_from(["P1", "P2", "", "x" * 200, "1", "-1", "0.5", "abc", "WH-001", '"a', "\0", "1e99"])


class Counting:
    """Stands for the inventory port: counts what it is given."""

    def __init__(self) -> None:
        self.stored = 0

    async def put_stock(self, request: PutStockRequest) -> Stored:
        self.stored += len(request.stock)
        return Stored(len(request.stock))


@given(st.lists(st.lists(CELLS, min_size=1, max_size=5).map(",".join), max_size=30))
def test_a_table_import_conserves_lines(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("tables")
    path = folder / "stock.csv"
    path.write_text("product_id,on_hand,reserved\n" + "".join(f"{part}\n" for part in parts), encoding="utf-8")
    port = Counting()
    settings = ImportSettings(folder, SystemClock())
    report = asyncio.run(import_stock(path, cast("Inventory", port), settings))
    assert report.adds_up
    spanning = sum(part.count('"') for part in parts) // 2  # a quoted field may join lines
    assert len(parts) - spanning <= report.lines <= len(parts)
    assert report.accepted["stock"] == port.stored == report.changed
    rejects = rows_of(Path(report.rejects_path)) if report.rejects_path else []
    assert len(rejects) == sum(report.rejected.values())
