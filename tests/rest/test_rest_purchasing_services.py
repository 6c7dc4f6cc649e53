"""The published services of purchasing answer at their paths with their members."""

from __future__ import annotations

import httpx
import pytest

FACTS = {
    "oms_data": {"product_id": "PROD-001", "avg_daily_demand": 15.5, "trend": "increasing"},
    "inventory_data": {
        "product_id": "PROD-001", "warehouse_id": "WH-001", "current_qty": 25, "reserved_qty": 5, "available_qty": 20,
    },
    "supplier_data": {
        "supplier_id": "SUP-001", "product_id": "PROD-001", "moq": 20, "lead_time_days": 7, "unit_price": 15.99,
        "is_active": True,
    },
}  # fmt: skip


async def test_each_fact_is_where_it_was_published(client: httpx.AsyncClient) -> None:
    history = (await client.get("/oms/history/PROD-001")).json()
    assert history == {"data": {"product_id": "PROD-001", "avg_daily_demand": 15.5, "trend": "increasing"}}
    levels = (await client.get("/inventory/levels/PROD-001")).json()
    assert levels["data"] == {
        "product_id": "PROD-001", "warehouse_id": "WH-001", "current_qty": 25, "reserved_qty": 5, "available_qty": 20,
    }  # fmt: skip
    info = (await client.get("/supplier/info/PROD-001")).json()
    assert info["data"].keys() == {"supplier_id", "product_id", "moq", "lead_time_days", "unit_price", "is_active"}
    assert (info["data"]["supplier_id"], info["data"]["unit_price"]) == ("SUP-001", 15.99)
    for path in ("/uom/conversions/PROD-001", "/uom/conversion/PROD-001"):
        assert (await client.get(path)).json()["data"] == {
            "product_id": "PROD-001", "from_uom": "CASE", "to_uom": "PIECE", "conversion_factor": 12,
        }  # fmt: skip


@pytest.mark.parametrize("path", ["/oms/history/", "/inventory/levels/", "/supplier/info/", "/uom/conversions/"])
async def test_an_unknown_product_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{path}NO-SUCH")
    assert answer.status_code == 404
    assert answer.json()["field"] == "product_id"


@pytest.mark.parametrize("path", ["/rules/evaluate", "/evaluate"])
async def test_the_rules_are_asked_and_nothing_is_stored(client: httpx.AsyncClient, path: str) -> None:
    answer = (await client.post(path, json=FACTS)).json()
    assert answer == {
        "need_reorder": True, "shortage": 88.5, "order_qty": 89, "total_amount": 1423.11, "requires_approval": False,
        "approval_status": "auto_approved", "should_create_po": True, "should_send_po": True, "po_status": "approved",
        "send_method": "email", "grand_total": 1536.96,
    }  # fmt: skip
    assert (await client.get("/api/v1/purchase-orders")).json()["items"] == []


async def test_wrong_facts_are_named(client: httpx.AsyncClient) -> None:
    wrong = {**FACTS, "supplier_data": {**FACTS["supplier_data"], "unit_price": -1}}
    answer = await client.post("/rules/evaluate", json=wrong)
    assert answer.status_code == 422
    assert "unit_price" in answer.json()["field"]
    answer = await client.post("/rules/evaluate", json={**FACTS, "oms_data": {}})
    assert (answer.status_code, answer.json()["field"]) == (422, "oms_data.avg_daily_demand")


async def test_an_order_is_made_once_per_key_and_sent(client: httpx.AsyncClient) -> None:
    asked = {
        "product_id": "PROD-001",
        "supplier_id": "SUP-001",
        "qty": 100,
        "unit_price": 15.99,
        "total_amount": 1599.0,
    }
    replies = [
        (await client.post("/po/create", json=asked, headers={"Idempotency-Key": "one"})).json()["po"] for _ in range(2)
    ]
    assert replies[0] == replies[1]
    assert replies[0].keys() == {
        "po_id", "product_id", "supplier_id", "qty", "unit_price", "total_amount", "status", "created_at", "sent_at",
    }  # fmt: skip
    assert (replies[0]["status"], replies[0]["total_amount"]) == ("draft", 1599)
    sent = await client.post("/po/send", json=replies[0])
    assert (sent.status_code, sent.json()["po"]["status"]) == (200, "sent")
    orders = (await client.get("/api/v1/purchase-orders")).json()["items"]
    assert [one["po_id"] for one in orders] == [replies[0]["po_id"]]
