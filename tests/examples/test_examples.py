"""Each example runs as it stands, and its figures are right to the cent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def printed(name: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_the_flow_in_memory_orders_the_three_products_once() -> None:
    assert printed("in_memory_flow").splitlines() == [
        "First",
        "  PROD-001 orders 100 for 1,599.00 USD",
        "  PROD-002 orders 245 for 3,797.50 USD",
        "  PROD-003 orders 110 for 2,750.00 USD",
        "Again",
        "  PROD-001 is covered",
        "  PROD-002 is covered",
        "  PROD-003 is covered",
    ]


def test_the_flow_on_embedded_stores_orders_the_three_products_once(tmp_path: Path) -> None:
    first = [
        "First",
        "  PROD-001 ordered: 100 for 1,599.00 USD, sent",
        "  PROD-002 ordered: 245 for 3,797.50 USD, sent",
        "  PROD-003 ordered: 110 for 2,750.00 USD, sent",
    ]
    covered = [f"  PROD-00{number} covered" for number in (1, 2, 3)]
    assert printed("embedded_flow", str(tmp_path / "home")).splitlines() == [*first, "Again", *covered, "3 order files"]
    again = printed("embedded_flow", str(tmp_path / "home")).splitlines()
    assert again == ["First", *covered, "Again", *covered, "3 order files"]


def test_the_monitored_flow_shows_trace_figures_and_metrics() -> None:
    text = printed("monitored_flow")
    assert "  runs: 3 ordered\n" in text
    assert "  purchase orders: 3 over 8,798.22 USD with tax\n" in text  # 1726.92 + 4101.30 + 2970.00
    assert "  waiting: 0; problems: 0\n" in text
    assert 'restock_purchase_order_amount_total{currency="USD"} 8798.22\n' in text
    assert 'restock_flows_total{outcome="ordered"} 3\n' in text
    assert "restock_flow_runs_total 3\n" in text
    assert "flowchart" in text and "must_order" in text
    assert "✓" in text, "the trace marks what went well"


def test_the_whole_catalogue_is_decided_and_the_mistyped_row_says_why() -> None:
    assert printed("whole_catalogue").splitlines() == [
        "PROD-001 orders 100 for 1,726.92: auto_approved, by OrderShortageWhenAboveMOQ",
        "PROD-002 orders 245 for 4,101.30: auto_approved, by OrderShortageWhenAboveMOQ",
        "PROD-003 orders 110 for 2,970.00: auto_approved, by OrderShortageWhenAboveMOQ",
        "PROD-004 refused: moq: '1O' is not a number. Write it like 12 or 12.5.",
        "together 8,798.22",
    ]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 80


def test_the_flow_in_memory_needs_the_engines_only() -> None:
    text = (EXAMPLES / "in_memory_flow.py").read_text("utf-8")
    imported = {line.split()[1] for line in text.splitlines() if line.startswith("from restock")}
    assert imported == {"restock.core.clock", "restock.engine.graph", "restock.engine.rules"}


def test_rules_by_sql_decide_lines_and_suppliers() -> None:
    assert printed("rules_by_sql").splitlines() == [
        "PROD-001 89 for 1536.96 USD: approved",
        "PROD-002 245 for 4101.30 USD: approved",
        "PROD-003 103 for 2781.00 USD: approved",
        "PROD-004 0 for 0.00 USD: The unit price is 0.",
        "North: over budget, short of the minimum by 0.00 USD",
        "South: top up, short of the minimum by 219.00 USD",
    ]


def test_a_supplier_s_budget_follows_its_lines() -> None:
    assert printed("supplier_budget").splitlines() == [
        "one line: 250 USD open, top up",
        "two lines: 1050.5 USD open, over budget",
        "  the second line waits: True",
        "a smaller one: 850 USD open, fine",
        "  the second line waits: False",
        "no line: 0 USD open, fine",
    ]


def test_one_decision_is_exact_explained_and_refuses_a_float() -> None:
    assert printed("one_decision").splitlines() == [
        "13.92 by post, Parcel, Express, ByPost",
        "  not Freight: weight > 30, but it is 12.5",
        "  not ByTruck: price > 15, but it is 13.92",
        '  carrier becomes "truck" if price rises by more than 1.08.',
        "weight: A float has already lost digits. Give an int, a Decimal or a text like 12.5.",
        "line 7, column 54: There is no field 'wieght'. Perhaps weight?",
    ]


def test_decisions_follow_changes_of_stock() -> None:
    assert printed("stock_changes").splitlines() == [
        "bolt: order",
        "gear: covered",
        "4 of 5 changes altered a decision",
        "bolt: covered, 0 for 0",
        "gear: ask, 1350 for 3",
    ]


LIBRARY = ("one_decision", "stock_changes", "supplier_budget", "rules_by_sql", "whole_catalogue")


@pytest.mark.parametrize("name", LIBRARY)
def test_an_example_of_the_library_imports_only_the_library(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text("utf-8")
    assert {line.split()[1] for line in text.splitlines() if "restock" in line and "import" in line.split()} == {
        "restock.rules"
    }
