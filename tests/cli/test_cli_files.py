"""Files in and out by commands: round trips, reports that add up, rejects that are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_world import Answer, Restock

KINDS = ("products", "stock", "suppliers", "units", "demand")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_exported_is_imported_by_another_home(
    company: Restock, answer: Answer, tmp_path: Path, ending: str
) -> None:
    other = tmp_path / "other"
    for kind in KINDS:
        file = tmp_path / f"{kind}.{ending}"
        assert answer("export", kind, file)["rows"] == (4 if kind == "units" else 9)
        report = answer("--home", other, "import", kind, file)
        assert report["lines"] == sum(report["accepted"].values())
        assert answer("--home", other, "import", kind, file)["changed"] == 0
    (reply,) = answer("--home", other, "flow", "PROD-001")
    assert (reply["outcome"], reply["po"]["qty"]) == ("ordered", 100)


def test_rejects_are_normal_and_strict_makes_them_fail(restock: Restock, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "stock.csv"
    file.write_text("sku,on_hand\nA,5\nB,-1\nC,many\nA,7\n")
    result = restock("import", "stock", file, "--map", "sku=product_id")
    assert result.exit_code == 0
    assert "stock.csv.rejects.csv" in result.stdout
    assert (home / "rejects" / "stock.csv.rejects.csv").is_file()
    report = json.loads(restock("import", "stock", file, "--map", "sku=product_id", "--json").stdout)
    assert report["lines"] == 4 == sum(report["accepted"].values()) + sum(report["rejected"].values())
    assert restock("import", "stock", file, "--map", "sku=product_id", "--strict").exit_code == 1


def test_a_file_of_which_nothing_can_be_read_fails(restock: Restock, tmp_path: Path) -> None:
    file = tmp_path / "stock.csv"
    file.write_text("product_id,on_hand\nB,-1\n")
    assert restock("import", "stock", file).exit_code == 1


def test_imported_orders_are_demand(restock: Restock, answer: Answer, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("product_id,quantity,date,price\nA,90,2026-01-10,2\nA,90,2026-01-11,2\n")
    result = restock("import", "orders", file)
    assert (result.exit_code, "1 product with history" in result.stdout) == (0, True)
    (row,) = answer("orders", "demand", "--products", "A")
    assert (row["demand_per_day"], row["as_of"]) == (2, "2026-01-12")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["import", "stock", "{}/none.csv"], 4, "none.csv"),
        (["import", "stock", "{}"], 2, "a folder, not a file"),
        (["import", "stock", "{}/empty.csv"], 2, "empty.csv"),
        (["import", "stock", "{}/half.csv"], 2, "on_hand"),
        (["import", "stock", "{}/half.csv", "--map", "x"], 2, "column=field"),
        (["import", "stock", "{}/half.csv", "--encoding", "none"], 2, "none"),
        (["import", "online-retail", "{}/none"], 4, "none"),
        (["import", "online-retail", "{}"], 2, "csv.gz"),
        (["export", "stock", "{}/x.docx"], 2, "x.docx"),
        (["export", "stock", "{}/none/x.csv"], 2, "cannot be written"),
        (["export", "wishes", "{}/x.csv"], 2, "wishes"),
        (["demo", "--retail", "{}/none"], 4, "none"),
    ],
)
def test_wrong_files(restock: Restock, tmp_path: Path, arguments: list[str], status: int, words: str) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "half.csv").write_text("product_id\nA\n")
    result = restock(*[each.format(tmp_path) for each in arguments])
    assert result.exit_code == status, result.output
    assert words in result.stderr
    assert "defect" not in result.stderr
