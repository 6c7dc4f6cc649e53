"""The header Idempotency-Key: the same request is answered once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from rest_world import Rest, client_of, copied_home, seeded

from restock.app import opened
from restock.core.clock import SimulatedClock, SystemClock
from restock.core.errors import Unavailable
from restock.edge.rest.application import Application
from restock.settings import Settings

FLOW = "/purchasing/flow"
ONE = {"product_id": "PROD-001"}
KEY = {"idempotency-key": "5f0c1c3e-9d1a-4c62-8c0e-1f6f0f5d2f11"}
REPLAYED = "idempotent-replayed"
ORDER = {"customer_id": "c", "items": [{"sku": "A", "quantity": 1, "price": 1}]}


async def orders(client: httpx.AsyncClient) -> int:
    return len((await client.get("/api/v1/purchase-orders")).json()["items"])


async def test_the_same_request_gets_the_first_reply(client: httpx.AsyncClient) -> None:
    first = await client.post(FLOW, json=ONE, headers=KEY)
    again = await client.post(FLOW, content=b' { "product_id" : "PROD-001" } ', headers=KEY)
    assert first.json()["outcome"] == "ordered" and REPLAYED not in first.headers
    assert (again.status_code, again.content, again.headers[REPLAYED]) == (200, first.content, "true")
    assert await orders(client) == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (FLOW, ONE, 200),
        ("/purchasing/flow/batch", {"products": ["PROD-001", "PROD-002"]}, 200),
        ("/api/v1/orders", ORDER, 201),
        ("/api/v1/orders/batch", {"orders": [ORDER, ORDER]}, 200),
        ("/api/v1/products", {"items": [{"product_id": "N"}]}, 200),
        ("/api/v1/stock/query", {"products": ["PROD-001"]}, 200),
        ("/api/v1/plans", {}, 200),
    ],
)
async def test_every_post_honours_its_key(
    client: httpx.AsyncClient, path: str, body: dict[str, object], status: int
) -> None:
    first, again = [await client.post(path, json=body, headers=KEY) for _ in range(2)]
    assert (first.status_code, again.status_code, again.content) == (status, status, first.content)
    assert again.headers[REPLAYED] == "true"
    other = await client.post(path, json={**body, "x": 1}, headers=KEY)
    assert other.status_code == 422 and other.json()["field"] == "Idempotency-Key"


async def test_a_key_used_elsewhere_is_refused(client: httpx.AsyncClient) -> None:
    await client.post(FLOW, json=ONE, headers=KEY)
    assert (await client.post("/api/v1/orders", json=ORDER, headers=KEY)).status_code == 422
    assert (await client.get("/api/v1/orders")).json()["items"] == []


async def test_the_same_key_at_the_same_time_makes_one_order(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post(FLOW, json=ONE, headers=KEY) for _ in range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200 and set(statuses) <= {200, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.headers["retry-after"] == "1" and answer.json()["field"] == "Idempotency-Key"
    assert await orders(client) == 1
    again = await client.post(FLOW, json=ONE, headers=KEY)
    assert again.json()["outcome"] == "ordered" and await orders(client) == 1


async def test_a_failure_is_not_kept(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_request: object) -> object:
        raise Unavailable("Later.")

    with monkeypatch.context() as patch:
        patch.setattr(rest.app.purchasing, "order_by_key", fail)
        assert (await rest.client.post(FLOW, json=ONE, headers=KEY)).status_code == 503
    again = await rest.client.post(FLOW, json=ONE, headers=KEY)
    assert again.json()["outcome"] == "ordered" and REPLAYED not in again.headers


async def test_the_effect_happens_once_even_when_the_reply_was_lost(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process dies after the order was stored and before its reply was kept."""

    async def lost(*_: object) -> None:
        raise Unavailable("Lost.")

    with monkeypatch.context() as patch:
        patch.setattr("restock.engine.database.replies.Replies.keep", lost)
        for path, body in ((FLOW, ONE), ("/api/v1/orders", ORDER), ("/api/v1/orders/batch", {"orders": [ORDER] * 2})):
            headers = {"idempotency-key": path}
            assert (await rest.client.post(path, json=body, headers=headers)).status_code == 503
    for path, body in ((FLOW, ONE), ("/api/v1/orders", ORDER), ("/api/v1/orders/batch", {"orders": [ORDER] * 2})):
        assert (await rest.client.post(path, json=body, headers={"idempotency-key": path})).status_code < 300
    again = await rest.client.post(FLOW, json=ONE, headers={"idempotency-key": FLOW})
    assert again.json()["po"]["po_id"].endswith("1") and await orders(rest.client) == 1
    assert len((await rest.client.get("/api/v1/orders")).json()["items"]) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä", "a\tb"])
async def test_a_key_that_is_none_is_refused(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post(FLOW, json=ONE, headers={"idempotency-key": key.encode()})  # type: ignore[dict-item]
    assert answer.status_code == 422 and answer.json()["field"] == "Idempotency-Key"
    assert await orders(client) == 0


async def test_the_longest_key_is_taken(client: httpx.AsyncClient) -> None:
    answer = await client.post(FLOW, json=ONE, headers={"idempotency-key": "x" * 255})
    assert answer.json()["outcome"] == "ordered"


async def test_a_key_in_the_body_that_differs_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(FLOW, json={**ONE, "idempotency_key": "other"}, headers=KEY)
    assert answer.status_code == 422 and answer.json()["field"] == "idempotency_key"


async def test_keys_are_kept_for_seven_days(home: Path) -> None:
    copied_home(home)
    clock = SimulatedClock(SystemClock().now())
    async with opened(Settings(home=home, dispatch_process=False), clock) as app:
        await seeded(app)
        async with client_of(Application(app)) as client:
            products = {"items": [{"product_id": "N"}]}
            assert (await client.post("/api/v1/products", json=products, headers=KEY)).json() == {"changed": 1}
            clock.advance(timedelta(days=6, hours=23))
            kept = await client.post("/api/v1/products", json=products, headers=KEY)
            assert kept.json() == {"changed": 1} and kept.headers[REPLAYED] == "true"
            clock.advance(timedelta(hours=2))
            forgotten = await client.post("/api/v1/products", json=products, headers=KEY)
            assert forgotten.json() == {"changed": 0} and REPLAYED not in forgotten.headers
