"""What is wrong is told: what happened, to which field, what to do; and nothing is half done."""

from __future__ import annotations

import httpx
import pytest
from rest_world import Rest, answered_early

from restock.core.errors import DeadlinePassed, Refused, StorageFull, Unavailable
from restock.edge.rest.message import MAX_BODY
from restock.engine.graph.cohort import QueueFull
from restock.replenishment.port import FlowRequest

FLOW = "/purchasing/flow"
TERMS = "/api/v1/suppliers/terms"
JSON = {"content-type": "application/json"}


def problem(answer: httpx.Response, status: int, field: str | None = None) -> dict[str, object]:
    """Check that an answer is a problem document that a person can use."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and told["detail"] and told["title"]
    assert told["type"].startswith("urn:restock:error:")
    assert told["instance"] == f"urn:restock:request:{answer.headers['x-request-id']}"
    if field is not None:
        assert told.get("field") == field, told
    for jargon in ("Traceback", "msgspec", "`$", "File ", "NoneType"):
        assert jargon not in answer.text
    return told  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"   ", 400, None),
        (b"{", 400, None),
        (b'{"product_id": "A",}', 400, None),
        (b'{"product_id": NaN}', 400, None),
        (b"nonsense", 400, None),
        (b"\xff\xfe{\x00", 400, None),
        (b'{"product_id": "\xff"}', 400, None),
        ("{'product_id': 'A'}".encode("utf-16"), 400, None),
        (b'{"product_id": "\\ud800"}', 400, None),
        (b"[" * 100_000, 422, None),
        (b"[]", 422, None),
        (b"null", 422, None),
        (b'"PROD-001"', 422, None),
        (b"{}", 422, "product_id"),
        (b'{"product": "PROD-001"}', 422, "product"),
        (b'{"product_id": "PROD-001", "qty": 5}', 422, "qty"),
        (b'{"product_id": null}', 422, "product_id"),
        (b'{"product_id": 5}', 422, "product_id"),
        (b'{"product_id": ["PROD-001"]}', 422, "product_id"),
        (b'{"product_id": ""}', 422, "product_id"),
        (b'{"product_id": "  "}', 422, "product_id"),
        (b'{"product_id": "a\\u0000b"}', 422, "product_id"),
        (b'{"product_id": "' + b"x" * 129 + b'"}', 422, "product_id"),
        (b'{"product_id": "NOBODY"}', 404, "product_id"),
    ],
)
async def test_a_wrong_flow_is_refused(client: httpx.AsyncClient, body: bytes, status: int, field: str | None) -> None:
    problem(await client.post(FLOW, content=body, headers=JSON), status, field)
    assert (await client.get("/api/v1/purchase-orders")).json()["items"] == []


async def test_broken_json_is_told_with_its_position(client: httpx.AsyncClient) -> None:
    told = problem(await client.post(FLOW, content=b'{"product_id" "A"}', headers=JSON), 400)
    assert told["position"] == 14


async def test_a_member_given_twice_is_refused_and_not_guessed(client: httpx.AsyncClient) -> None:
    order = b'{"customer_id": "c", "items": [{"sku": "A", "quantity": 1, "price": 1, "quantity": 100}]}'
    for path in ("/api/v1/orders", "/orders"):
        problem(await client.post(path, content=order, headers=JSON), 422, "quantity")
    batch = b'{"orders": [' + order + b"]}"
    problem(await client.post("/api/v1/orders/batch", content=batch, headers=JSON), 422, "quantity")
    problem(await client.post(FLOW, content=b'{"product_id": "A", "product_id": "B"}', headers=JSON), 422, "product_id")
    assert (await client.get("/api/v1/orders")).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "member", "row", "other"),
    [
        (
            TERMS,
            "terms",
            {"product_id": "N", "supplier_id": "S", "lead_time_days": 5, "unit_price": 1},
            {"unit_price": 2},
        ),
        ("/api/v1/stock", "stock", {"product_id": "N", "on_hand": 5}, {"on_hand": 9}),
        ("/api/v1/products", "items", {"product_id": "N", "stock_unit": "A"}, {"stock_unit": "B"}),
        ("/api/v1/orders/demand", "demand", {"product_id": "N", "demand_per_day": 5}, {"demand_per_day": 6}),
        (
            "/api/v1/units/conversions",
            "conversions",
            {"product_id": "N", "from_unit": "A", "to_unit": "B", "factor": 10},
            {"factor": 12},
        ),
    ],
)
async def test_a_request_may_not_contradict_itself(
    client: httpx.AsyncClient, path: str, member: str, row: dict[str, object], other: dict[str, object]
) -> None:
    problem(await client.post(path, json={member: [row, {**row, **other}]}), 422, f"{member}[1]")
    said_again = await client.post(path, json={member: [row, row]})
    assert (said_again.status_code, said_again.json()) == (200, {"changed": 1})


async def test_an_unknown_field_is_told_with_the_nearest(client: httpx.AsyncClient) -> None:
    told = problem(await client.post(FLOW, json={"produkt_id": "A"}), 422, "produkt_id")
    assert told["remedy"] == "Did you mean product_id?"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("unit_price", -1),
        ("unit_price", "NaN"),
        ("unit_price", "-Infinity"),
        ("unit_price", "1e400"),
        ("unit_price", 1e300),
        ("unit_price", "1e999999999"),
        ("unit_price", "0.00001"),
        ("unit_price", "abc"),
        ("unit_price", None),
        ("unit_price", True),
        ("unit_price", [1]),
        ("lead_time_days", -1),
        ("lead_time_days", 1.5),
        ("lead_time_days", 10**30),
        ("order_multiple", 0),
        ("moq", -5),
        ("product_id", ""),
        ("product_id", 7),
    ],
)
async def test_a_wrong_term_names_its_place_and_stores_nothing(
    client: httpx.AsyncClient, member: str, value: object
) -> None:
    good = {"product_id": "NEW", "supplier_id": "S", "unit_price": "1.5", "lead_time_days": 5}
    answer = await client.post(TERMS, json={"terms": [good, {**good, "product_id": "OTHER", member: value}]})
    problem(answer, 422, f"terms[1].{member}")
    known = await client.post("/api/v1/suppliers/terms/query", json={"products": ["NEW", "OTHER"]})
    assert known.json()["product_id"] == [], "nothing half done"


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"customer_id": "c", "items": []}, "items"),
        ({"customer_id": "", "items": [{"sku": "A", "quantity": 1, "price": 1}]}, "customer_id"),
        ({"customer_id": "c", "items": [{"sku": "A", "quantity": -1, "price": 1}]}, "items[0].quantity"),
        ({"customer_id": "c", "items": [{"sku": "A", "quantity": "NaN", "price": 1}]}, "items[0].quantity"),
        ({"customer_id": "c", "items": [{"sku": "A", "quantity": 1}]}, "items[0].price"),
        ({"customer_id": "c", "items": [{"sku": "A", "quantity": 1, "price": "1e400"}]}, "items[0].price"),
        ({"customer_id": "c", "items": [{"sku": "A", "qty": 1, "price": 1}]}, "items[0].qty"),
        ({"customer_id": "c", "items": "A"}, "items"),
    ],
)
async def test_a_wrong_order_names_its_place(client: httpx.AsyncClient, order: object, field: str) -> None:
    problem(await client.post("/api/v1/orders", json=order), 422, field)
    assert (await client.get("/api/v1/orders")).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/proposals?limit=0", "limit"),
        ("/api/v1/proposals?limit=-1", "limit"),
        ("/api/v1/proposals?limit=1001", "limit"),
        ("/api/v1/proposals?limit=1e99", "limit"),
        ("/api/v1/proposals?limit=99999999999999999999", "limit"),
        ("/api/v1/proposals?plan_no=x", "plan_no"),
        ("/api/v1/proposals?limt=1", "limt"),
        ("/api/v1/proposals?limit=1&limit=2", "limit"),
        ("/api/v1/proposals?limit=%ff", "query"),
        ("/api/v1/proposals?limit", "query"),
        ("/api/v1/figures?top=-1", "top"),
    ],
)
async def test_a_wrong_query_names_its_parameter(client: httpx.AsyncClient, path: str, field: str) -> None:
    problem(await client.get(path), 422, field)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/api/v1/nope",
        "/purchasing/flow/",
        "/api/v1/orders/",
        "/api/v1/stock/" + "x" * 200,
        "/api/v1/stock/%ff",
        "/api/v1/orders/ORD-00000000",
        "/api/v1/purchase-orders/PO-2026-999999",
        "/api/v1/runs/x",
        "/api/v1/decisions/x",
        "/api/v1/proposals/x",
        "/api/v1/rulebooks/x",
        "/api/v1/stock/..%2f..%2fetc%2fpasswd",
    ],
)
async def test_what_does_not_exist_is_404(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 404)


async def test_another_method_is_405_with_what_is_allowed(client: httpx.AsyncClient) -> None:
    answer = await client.put(FLOW, json={})
    problem(answer, 405)
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert (await client.delete("/api/v1/orders")).headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_options_and_head_answer(client: httpx.AsyncClient) -> None:
    asked = await client.options("/api/v1/orders/ORD-1")
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, "GET, HEAD, OPTIONS", b"")
    assert "access-control-allow-origin" not in asked.headers
    head, full = await client.head("/health"), await client.get("/health")
    assert head.content == b"" and head.headers["content-length"] == full.headers["content-length"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json"])
async def test_another_type_is_415(client: httpx.AsyncClient, kind: str) -> None:
    problem(await client.post(FLOW, content=b'{"product_id":"A"}', headers={"content-type": kind}), 415)


@pytest.mark.parametrize("kind", [None, "application/json; charset=utf-8", "application/vnd.restock+json"])
async def test_json_by_any_name_is_read(client: httpx.AsyncClient, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    answer = await client.post(FLOW, content=b'{"product_id":"PROD-001"}', headers=headers)
    assert answer.status_code == 200


async def test_a_large_body_is_refused_before_it_is_read(client: httpx.AsyncClient) -> None:
    status, sent = await answered_early(client, f"content-length: {100 << 20}", b" ", 1000)
    assert status == 413 and sent < 1000


async def test_a_large_body_of_unknown_length_is_refused_while_it_is_read(client: httpx.AsyncClient) -> None:
    part = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    status, sent = await answered_early(client, "transfer-encoding: chunked", part, 100)
    assert status == 413 and MAX_BODY >> 20 <= sent < 100


async def test_a_page_of_another_site_is_refused(client: httpx.AsyncClient) -> None:
    body = {"product_id": "PROD-001"}
    problem(await client.post(FLOW, json=body, headers={"origin": "https://evil.example"}), 403)
    problem(await client.get("/health", headers={"host": "evil.example"}), 403)
    problem(await client.get("/health", headers={"host": "127.0.0.1.evil.example"}), 403)
    assert (await client.post(FLOW, json=body, headers={"origin": "http://localhost:3000"})).status_code == 200
    for host in ("localhost", "localhost:8080", "[::1]:8080", "127.0.0.1:1"):
        assert (await client.get("/health", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (StorageFull("po.db cannot be written: disk full."), 507, None),
        (Unavailable("Later."), 503, "1"),
        (QueueFull("purchasing", 1024, 2.2), 503, "3"),
        (DeadlinePassed("Too late."), 504, "1"),
        (Refused("No."), 403, None),
    ],
)
async def test_what_a_port_raises_is_told(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, retry: str | None
) -> None:
    async def fail(_request: object) -> object:
        raise error

    monkeypatch.setattr(rest.app.purchasing, "order_by_key", fail)
    answer = await rest.client.post(FLOW, json={"product_id": "PROD-001", "idempotency_key": "k"})
    problem(answer, status)
    assert answer.headers.get("retry-after") == retry


async def test_a_defect_is_told_without_its_details_and_logged_with_them(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(_request: FlowRequest) -> object:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(rest.app.purchasing, "order_by_key", fail)
    answer = await rest.client.post(
        FLOW, json={"product_id": "PROD-001", "idempotency_key": "k"}, headers={"x-request-id": "mine-1"}
    )
    problem(answer, 500)
    assert answer.headers["x-request-id"] == "mine-1" and "secret" not in answer.text
    (line,) = capsys.readouterr().err.splitlines()
    assert '"request_id":"mine-1"' in line and "secret detail" in line


@pytest.mark.parametrize("given", ["a b", "", "x" * 256, "ä"])
async def test_a_request_id_that_is_none_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/livez", headers={"x-request-id": given.encode()})  # type: ignore[dict-item]
    assert answer.headers["x-request-id"] not in {given, ""}


async def test_long_headers_do_not_hurt(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez", headers={"x-filler": "x" * 65_536})).status_code == 200
