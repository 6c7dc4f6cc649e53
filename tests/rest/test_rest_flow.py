"""The published interface: the flow alone and in a batch, orders, what comes out to the cent."""

from __future__ import annotations

import json
from decimal import Decimal

import httpx
import pytest
from rest_world import Rest

CALCULATION = {"need_reorder", "shortage", "order_qty", "total_amount", "requires_approval", "approval_status"}
PO = {
    "po_id",
    "product_id",
    "supplier_id",
    "qty",
    "unit_price",
    "total_amount",
    "status",
    "created_at",
    "sent_at",
}
THREE = [
    ("PROD-001", "SUP-001", "88.5", "100", "1599", "15.99"),
    ("PROD-002", "SUP-002", "245", "245", "3797.5", "15.5"),
    ("PROD-003", "SUP-003", "103", "110", "2750", "25"),
]


def exact(answer: httpx.Response) -> dict[str, object]:
    """Read numbers as they are written."""
    return json.loads(answer.content, parse_float=Decimal, parse_int=Decimal)  # type: ignore[no-any-return]


def assert_ordered(reply: dict[str, object], wanted: tuple[str, ...]) -> None:
    product, supplier, shortage, quantity, total, price = wanted
    assert set(reply) >= {"success", "po", "calculation", "message"}
    po, calculation = reply["po"], reply["calculation"]
    assert isinstance(po, dict) and isinstance(calculation, dict)
    assert set(po) >= PO and set(calculation) == CALCULATION
    assert reply["success"] is True
    assert (po["product_id"], po["supplier_id"], po["status"]) == (product, supplier, "sent")
    found = (calculation["shortage"], po["qty"], po["total_amount"], po["unit_price"])
    assert tuple(str(each) for each in found) == (shortage, quantity, total, price), "as written, to the cent"
    assert (str(calculation["order_qty"]), str(calculation["total_amount"])) == (quantity, total)
    assert (calculation["requires_approval"], calculation["approval_status"]) == (False, "auto_approved")


@pytest.mark.parametrize("wanted", THREE, ids=lambda wanted: wanted[0])
async def test_the_three_products_come_out_to_the_cent(client: httpx.AsyncClient, wanted: tuple[str, ...]) -> None:
    answer = await client.post("/purchasing/flow", json={"product_id": wanted[0]})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert_ordered(exact(answer), wanted)


async def test_tax_and_grand_total_come_out_to_the_cent(client: httpx.AsyncClient) -> None:
    po_id = (await client.post("/purchasing/flow", json={"product_id": "PROD-002"})).json()["po"]["po_id"]
    order = exact(await client.get(f"/api/v1/purchase-orders/{po_id}"))
    assert (str(order["tax_amount"]), str(order["grand_total"])) == ("303.8", "4101.3")


async def test_the_second_time_the_need_is_covered(client: httpx.AsyncClient) -> None:
    first = (await client.post("/purchasing/flow", json={"product_id": "PROD-001"})).json()
    second = await client.post("/purchasing/flow", json={"product_id": "PROD-001"})
    assert second.status_code == 200
    reply = second.json()
    assert reply["success"] is True and reply["po"] is None and reply["outcome"] == "covered"
    assert reply["message"] == f"covered by open purchase order {first['po']['po_id']}"
    assert set(reply["calculation"]) == CALCULATION


async def test_a_batch_answers_each_in_its_place(client: httpx.AsyncClient) -> None:
    asked = [wanted[0] for wanted in THREE]
    answer = await client.post("/purchasing/flow/batch", json={"products": [*asked, "NOBODY", "FREE"]})
    assert answer.status_code == 200
    *ordered, unknown, free = exact(answer)["results"]  # type: ignore[misc]
    for reply, wanted in zip(ordered, THREE, strict=True):
        assert_ordered(reply, wanted)
    assert unknown["error"]["status"] == 404 and "NOBODY" in unknown["error"]["detail"]
    assert free["po"] is None and free["outcome"] == "blocked"


@pytest.mark.parametrize("product", ["INACTIVE", "FREE", "NO-SUPPLIER"])
async def test_what_cannot_be_bought_is_blocked_with_a_reason(client: httpx.AsyncClient, product: str) -> None:
    answer = await client.post("/purchasing/flow", json={"product_id": product})
    reply = answer.json()
    if answer.status_code == 200:
        assert reply["po"] is None and reply["outcome"] == "blocked" and len(reply["message"]) > len("Blocked: ")
    else:
        assert answer.status_code == 404 and product in reply["detail"]


async def test_a_missing_fact_is_an_error_never_a_zero(client: httpx.AsyncClient) -> None:
    answer = await client.post("/purchasing/flow", json={"product_id": "NO-DEMAND"})
    assert answer.status_code == 404 and answer.json()["field"] == "product_id"
    assert "demand" in answer.json()["detail"]


async def test_a_single_order_as_published(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/orders",
        json={"customer_id": "cust-alice", "items": [{"sku": "PROD-001", "quantity": 2, "price": "29.99"}]},
    )
    assert answer.status_code == 201
    reply = exact(answer)
    assert set(reply) == {"order_id", "status", "total_amount", "created_at"}
    assert str(reply["order_id"]).startswith("ORD-") and str(reply["total_amount"]) == "59.98"
    kept = exact(await client.get(f"/api/v1/orders/{reply['order_id']}"))
    assert kept["customer_id"] == "cust-alice" and kept["shipping_address"] is None


async def test_a_batch_of_orders_refuses_only_the_bad_ones(client: httpx.AsyncClient) -> None:
    good = {"customer_id": "c", "items": [{"sku": "A", "quantity": "1.50", "price": 2}]}
    bad = [
        {"customer_id": "c", "items": [{"sku": "A", "quantity": quantity, "price": 2}]}
        for quantity in (-1, 0, "NaN", "1e400", "Infinity")
    ]
    answer = await client.post("/api/v1/orders/batch", json={"orders": [good, *bad, good]})
    assert answer.status_code == 200
    first, *refused, last = answer.json()["results"]
    assert first["status"] == last["status"] == "created" and first["order_id"] != last["order_id"]
    assert {each["error"]["field"] for each in refused} == {"items[0].quantity"}
    assert len((await client.get("/api/v1/orders")).json()["items"]) == 2


async def test_stock_of_one_product_and_page_by_page(client: httpx.AsyncClient) -> None:
    one = (await client.get("/api/v1/stock/PROD-001")).json()
    assert (one["on_hand"], one["reserved"], one["available"]) == (25, 5, 20)
    assert (await client.get("/api/v1/stock/NOBODY")).status_code == 404
    seen, after = [], ""
    while True:
        page = (await client.get("/api/v1/stock", params={"after": after, "limit": 2})).json()
        seen += [row["product_id"] for row in page["items"]]
        after = page["next"]
        if not after:
            break
    assert seen == sorted(seen) and len(seen) == 7


async def test_a_catalogue_is_planned_and_bought(rest: Rest) -> None:
    client = rest.client
    plan = (await client.post("/api/v1/plans")).json()
    assert plan["outcomes"]["proposed"] == 3
    page = (await client.get("/api/v1/proposals", params={"limit": 2})).json()
    rest_of_it = (await client.get("/api/v1/proposals", params={"limit": 2, "after": page["next"]})).json()
    found = [*page["items"], *rest_of_it["items"]]
    assert [each["product_id"] for each in found] == ["PROD-001", "PROD-002", "PROD-003"] and not rest_of_it["next"]
    bought = (await client.post("/api/v1/proposals/purchase", json={})).json()
    assert len(bought["orders"]) == 3 and not bought["refused"]
    orders = (await client.get("/api/v1/purchase-orders", params={"limit": 2})).json()
    assert len(orders["items"]) == 2 and orders["next"] == orders["items"][-1]["po_id"]
    po_id = orders["next"]
    received = await client.post(f"/api/v1/purchase-orders/{po_id}/receive", json={"lines": []})
    assert received.status_code == 200 and received.json()["state"] == "received"
    again = await client.post(f"/api/v1/purchase-orders/{po_id}/approve")
    assert again.status_code == 409 and again.json()["field"] == "po_id"
    events = (await client.get(f"/api/v1/purchase-orders/{po_id}/events")).json()["items"]
    assert events[0]["type"] == "PurchaseOrderCreated"
