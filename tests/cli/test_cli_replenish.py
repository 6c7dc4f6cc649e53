"""From the demo company to purchase orders by commands alone."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from cli_world import Answer, Restock

TABLE = {
    "PROD-001": (Decimal("88.5"), 100, Decimal("1599"), Decimal("1726.92")),
    "PROD-002": (Decimal(245), 245, Decimal("3797.5"), Decimal("4101.3")),
    "PROD-003": (Decimal(103), 110, Decimal(2750), Decimal(2970)),
}
"""Shortage, order quantity, total, with tax: what must come out of the three standard products."""


def test_the_three_products_come_out_to_the_cent(company: Restock, home: Path) -> None:
    result = company("flow", *TABLE, "--json")
    assert result.exit_code == 0
    replies = json.loads(result.stdout, parse_float=Decimal)
    for reply, (product, (shortage, quantity, total, grand)) in zip(replies, TABLE.items(), strict=True):
        assert (reply["success"], reply["outcome"], reply["product_id"]) == (True, "ordered", product)
        assert (reply["calculation"]["shortage"], reply["calculation"]["order_qty"]) == (shortage, quantity)
        assert (reply["po"]["qty"], reply["po"]["total_amount"]) == (quantity, total)
        assert (reply["po"]["grand_total"], reply["po"]["status"]) == (grand, "sent")
        assert (home / "outbox" / f"{reply['po']['po_id']}.pdf").is_file()
    assert '"total_amount":1599,' in result.stdout


def test_they_come_out_the_same_one_command_after_the_other(company: Restock) -> None:
    for product, (_, quantity, _, _) in TABLE.items():
        assert json.loads(company("flow", product, "--json").stdout)[0]["po"]["qty"] == quantity


def test_a_second_flow_is_covered_and_succeeds(company: Restock, answer: Answer) -> None:
    company("flow", "PROD-001")
    (reply,) = answer("flow", "PROD-001")
    assert (reply["po"], reply["success"], reply["outcome"]) == (None, True, "covered")
    assert reply["message"].startswith("covered by open purchase order PO-")


def test_setting_up_twice_changes_nothing(company: Restock, answer: Answer) -> None:
    company("flow", "PROD-001")
    assert set(answer("setup", "demo")["changed"].values()) == {0}
    assert answer("flow", "PROD-001")[0]["outcome"] == "covered"


def test_one_unknown_product_of_several_gives_an_error_in_its_place(company: Restock) -> None:
    result = company("flow", "PROD-001", "PROD-999", "PROD-002", "--json")
    first, second, third = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (first["outcome"], third["outcome"]) == ("ordered", "ordered")
    assert second["error"]["status"] == 404


def test_one_unknown_product_alone_has_the_exit_status_of_its_error(company: Restock) -> None:
    assert json.loads(company("flow", "PROD-999", "--json").stdout)[0]["error"]["status"] == 404
    result = company("flow", "PROD-999")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "PROD-999" in result.stderr


def test_a_plan_becomes_orders_once(company: Restock, answer: Answer) -> None:
    proposals = answer("plan")
    assert [one["product_id"] for one in proposals] == list(TABLE)
    shown = company("plan").stdout
    assert "Skipped, no need: 6" in shown
    orders = answer("purchase")
    assert [(one["supplier_id"], len(one["lines"])) for one in orders] == [
        ("SUP-001", 1), ("SUP-002", 1), ("SUP-003", 1),
    ]  # fmt: skip
    for part in ("15.5 a day × 7 days", "88.5", "sum of the lines", "AutoApproveOrders"):
        assert part in company("explain", orders[0]["po_id"]).stdout
    assert answer("purchase") == []
    assert "nothing to order" in company("purchase").stdout
    assert [one["product_id"] for one in answer("plan")] == []


def test_a_product_that_cannot_be_planned_is_told_by_the_exit_status_and_the_others_go_on(
    company: Restock, answer: Answer, tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text("product_id\nNEW\n", "utf-8")
    company("import", "products", tmp_path / "p.csv")
    for made in (company("plan"), company("plan", "--json")):
        assert made.exit_code == 1
        assert "1 of 10 products failed; see `restock replenishment skips`." in made.stderr
    assert [one["product_id"] for one in json.loads(company("plan", "--json").stdout)] == list(TABLE)
    assert {"NEW": "error"}.items() <= {
        one["product_id"]: one["outcome"] for one in answer("replenishment", "skips")
    }.items()


def test_purchase_can_be_of_one_supplier(company: Restock, answer: Answer) -> None:
    answer("plan")
    assert [one["supplier_id"] for one in answer("purchase", "--supplier", "SUP-002")] == ["SUP-002"]


def test_an_order_is_explained(company: Restock, answer: Answer) -> None:
    company("flow", "PROD-001")
    po_id = answer("purchasing", "orders")[0]["po_id"]
    shown = company("explain", po_id).stdout
    for part in ("15.5 a day × 7 days", "88.5", "raised to the minimum", "1,599.00", "CalculateShortage", "created"):
        assert part in shown
    assert "a person must approve if the total rises by more than 8401." in shown
    why = answer("explain", po_id)
    assert why["order"]["po_id"] == po_id
    assert [one["type"] for one in why["history"]] == ["PurchaseOrderCreated", "PurchaseOrderSent"]
    assert why["run"]["product_id"] == "PROD-001"


def test_a_proposal_and_a_product_are_explained_without_acting(company: Restock, answer: Answer) -> None:
    proposal = answer("plan")[0]["proposal_id"]
    assert "88.5" in company("explain", proposal).stdout
    why = answer("explain", "PROD-001")
    assert (why["outcome"], why["inventory_position"], why["reorder_point"]) == ("proposed", 20, 108.5)
    assert "short of 88.5, order 100" in company("explain", "PROD-001").stdout
    assert answer("purchasing", "orders") == []


def test_a_product_that_nobody_sells_has_no_supplier_and_no_reorder_point(company: Restock, tmp_path: Path) -> None:
    for kind, text in {
        "products": "product_id\nNEW-1\n",
        "stock": "product_id,on_hand\nNEW-1,4\n",
        "demand": "product_id,demand_per_day\nNEW-1,2\n",
    }.items():
        (tmp_path / f"{kind}.csv").write_text(text)
        company("import", kind, tmp_path / f"{kind}.csv")
    told = [line.split("  ", 1) for line in company("explain", "NEW-1").stdout.splitlines()]
    told_of = {line[0]: line[1].strip() for line in told if len(line) == 2}
    assert told_of["supplier"] == "none"
    assert told_of["reorder point"].startswith("unknown")
    assert told_of["would decide now"] == "blocked: No supplier sells it."


def test_a_run_and_a_flow_are_drawn(company: Restock, answer: Answer, tmp_path: Path) -> None:
    run = answer("flow", "PROD-001")[0]["run_id"]
    assert "decision" in company("flows", "draw", run).stdout
    target = tmp_path / "flow.svg"
    assert company("flows", "draw", "purchasing", "--format", "svg", "--out", target).exit_code == 0
    assert target.read_text().startswith("<svg")
    assert company("flows", "draw", "purchasing", "--format", "mermaid").stdout.startswith("flowchart")
    assert {one["node"] for one in answer("flows", "profile")} >= {"demand", "decision", "order"}
    assert {one["runs"] for one in answer("flows", "dry-run", "purchasing", "PROD-002")} == {"yes", "maybe"}


def test_metrics_count_what_happened(company: Restock, answer: Answer) -> None:
    company("flow", *TABLE)
    found = answer("metrics")
    assert (found["runs"], found["calculations"]) == (3, 3)
    assert found["purchase_orders"] == {"sent": 3}
    assert found["money"] == {"USD": pytest.approx(8798.22)}
    assert set(found["backlog"].values()) == {0}


def test_derived_commands_change_and_show(company: Restock, answer: Answer) -> None:
    company("flow", "PROD-001")
    po_id = answer("purchasing", "orders")[0]["po_id"]
    received = answer("purchasing", "receive", "--po-id", po_id)
    assert received["state"] == "received"
    rows = answer("inventory", "positions", "--products", "PROD-001,TOOL-X", "--products", "TOOL-Y")
    assert {row["product_id"]: row["on_hand"] for row in rows} == {"PROD-001": 125, "TOOL-X": 30, "TOOL-Y": 150}
    stock = '[{"product_id": "NEW-1", "on_hand": "12.5"}]'
    assert answer("inventory", "put-stock", "--stock", stock) == {"changed": 1}
    refused = company("purchasing", "approve", "--po-id", po_id, "--actor", "alice")
    assert refused.exit_code == 5
    assert company("inventory", "put-stock", "--stock", "[{").exit_code == 2


def test_operations_lists_every_operation(answer: Answer, restock: Restock) -> None:
    names = {one["name"] for one in answer("operations")}
    assert "replenishment.flow" in names
    assert "POST /purchasing/flow" in restock("operations").stdout


def test_one_is_told_as_one_and_money_of_two_currencies_is_never_added(company: Restock, tmp_path: Path) -> None:
    assert "9 products, 3 proposals, 8,146.50 USD." in company("plan").stdout
    terms = tmp_path / "terms.csv"
    terms.write_text("product_id,supplier_id,unit_price,lead_time_days,currency\nPROD-002,SUP-002,15.5,5,EUR\n")
    company("import", "suppliers", terms)
    assert "3 proposals, 3,797.50 EUR, 4,349.00 USD." in company("plan").stdout
    told = company("purchase").stdout
    assert "3 orders, 4,101.30 EUR, 4,696.92 USD with tax; 0 waiting for approval." in told
    assert "0 proposals, nothing." in company("plan").stdout
    lines = company("purchasing", "orders").stdout
    assert ("1 row " in lines, "1 rows" in lines) == (True, False)
