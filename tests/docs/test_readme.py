"""The README is short, its commands run, and what it shows is what the program prints."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, commands

TEXT = (ROOT / "README.md").read_text("utf-8")
BENCHED = re.findall(r"`python -m benchmarks (\w+)`", TEXT)


def make(home: Path, *words: str) -> str:
    """Run make as a person does, on the environment that runs this test, without installing anything."""
    done = subprocess.run(
        [
            "make",
            "-C",
            str(ROOT),
            "--no-print-directory",
            "-o",
            ".venv/.installed",
            f"BIN={Path(sys.executable).parent}",
            *words,
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"RESTOCK_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make(tmp_path_factory.mktemp("readme") / "var", "demo")


def test_it_is_under_two_screens() -> None:
    assert len(TEXT.splitlines()) < 110


def test_it_starts_with_the_commands_that_this_module_runs() -> None:
    assert [found.text for found in commands(TEXT)] == ["make demo", "make test"]


def test_make_demo_prints_the_lines_that_the_readme_shows(played: str) -> None:
    shown = re.findall(r"^\d\d:\d\d  .*", TEXT, re.MULTILINE)
    assert shown
    assert not [line for line in shown if line not in played.splitlines()]
    assert "150 customer orders" in played


def test_make_test_runs_the_tests_that_are_not_slow(home: Path) -> None:
    """Running it here would run this test again, so its recipe is read and its tests are collected."""
    recipe = make(home, "-n", "test").strip()
    assert recipe.endswith('-m pytest -q -n auto -m "not slow"')
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "not slow", "tests/docs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "test_readme.py::test_it_is_under_two_screens" in done.stdout


def test_make_demo_retail_plays_a_shop(home: Path, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    columns = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    sale = "570001,85123A,WHITE HANGING HEART,450,2011-09-07 08:26:00,2.55,17850,United Kingdom"
    terms = "supplier_id,supplier_name,product_id,unit_price,moq,order_multiple,purchase_unit,lead_time_days,is_active"
    files = {
        "2011-09.csv.gz": f"{columns}\n{sale}\n",
        "stock.csv": "product_id,warehouse_id,on_hand,reserved\n85123A,WH-001,20,2\n",
        "suppliers.csv": f"{terms}\nSUP-017,Galloway Toys,85123A,15.60,2,1,CASE,14,true\n",
        "units.csv": "product_id,from_unit,to_unit,factor\n85123A,CASE,PIECE,12\n",
    }
    for name, text in files.items():
        (shop / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    played = make(home, "demo-retail", f"RETAIL={shop}")
    assert "Galloway Toys" in played and "SUP-017" in played


@pytest.mark.parametrize("name", sorted(set(BENCHED)))
def test_every_number_names_a_benchmark_that_exists(name: str) -> None:
    from benchmarks.__main__ import BENCHMARKS

    assert name in BENCHMARKS
