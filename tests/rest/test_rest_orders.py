"""The published order service: its paths, members, refusals and figures, and what a full store does to them."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from rest_world import Rest, client_of, copied_home, server

from restock.app import App, opened
from restock.edge.rest.application import Application
from restock.settings import Settings

ORDER = {
    "customer_id": "cust-alice",
    "items": [
        {"sku": "WIDGET-1", "quantity": 2, "price": 29.99},
        {"sku": "GADGET-A", "quantity": 3, "price": 19.99},
    ],
    "shipping_address": "1 High Street",
}
PATHS = ["/orders", "/orders/v1", "/orders/v2"]


@pytest.fixture
async def service(home: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The order service, served alone."""
    copied_home(home)
    async with (
        opened(Settings(home=home, dispatch_process=False)) as app,
        client_of(Application(app, service="order")) as client,
    ):
        yield client


@contextmanager
def full(app: App, database: str) -> Iterator[None]:
    """Let a store grow by no page."""
    writer = app.databases[database]._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count={pages}")
    try:
        yield
    finally:
        writer.execute("PRAGMA max_page_count=1000000")


@pytest.mark.parametrize(("path", "version"), [("/orders", 2), ("/orders/v1", 1), ("/orders/v2", 2)])
async def test_an_order_gets_the_published_reply(client: httpx.AsyncClient, path: str, version: int) -> None:
    answer = await client.post(path, json=ORDER)
    assert answer.status_code == 201
    reply = answer.json()
    assert list(reply) == ["order_id", "status", "total_amount", "created_at", "schema_version"]
    assert re.fullmatch("ORD-[0-9A-F]{8}", reply["order_id"])
    assert (reply["status"], reply["total_amount"], reply["schema_version"]) == ("created", 119.95, version)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", reply["created_at"])
    stored = (await client.get(f"/api/v1/orders/{reply['order_id']}")).json()
    assert [item["sku"] for item in stored["items"]] == ["WIDGET-1", "GADGET-A"], "v1 keeps the items too"


BAD = [
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":-1,"price":1}]}', "items[0].quantity"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":0,"price":1}]}', "items[0].quantity"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":1,"price":-0.01}]}', "items[0].price"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":1e13,"price":1}]}', "items[0].quantity"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":"NaN","price":1}]}', "items[0].quantity"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":"Infinity","price":1}]}', "items[0].quantity"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":1,"price":0.0000001}]}', "items[0].price"),
    (b'{"customer_id":"c","items":[{"sku":7,"quantity":1,"price":1}]}', "orders[0].items[0].sku"),
    (b'{"customer_id":7,"items":[{"sku":"W","quantity":1,"price":1}]}', "orders[0].customer_id"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":true,"price":1}]}', "orders[0].items[0].quantity"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":1,"price":1,"colour":"red"}]}', "orders[0].items[0].colour"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":1,"price":1}],"note":""}', "orders[0].note"),
    (b'{"customer_id":"c","items":[]}', "items"),
    (b'{"customer_id":" ","items":[{"sku":"W","quantity":1,"price":1}]}', "customer_id"),
    (b'{"customer_id":"c","items":[{"sku":"\\u0000","quantity":1,"price":1}]}', "items[0].sku"),
    (b'{"customer_id":"c","items":[{"sku":"W","quantity":999999999999,"price":999999999999}]}', "items"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
async def test_a_wrong_order_is_refused_by_field_alone_and_among_others(
    client: httpx.AsyncClient, body: bytes, field: str
) -> None:
    kind = {"content-type": "application/json"}
    answer = await client.post("/orders", content=body, headers=kind)
    assert (answer.status_code, answer.json()["field"]) == (422, field.removeprefix("orders[0]."))
    right = b'{"customer_id":"c","items":[{"sku":"W","quantity":1,"price":1}]}'
    answer = await client.post("/orders/batch", content=b'{"orders":[%s,%s]}' % (body, right), headers=kind)
    if field.startswith("orders"):  # not an order at all: the request is refused whole
        assert (answer.status_code, answer.json()["field"]) == (422, field)
        produced = 0
    else:
        wrong, other = answer.json()["results"]
        assert (answer.status_code, wrong["error"]["field"], other["status"]) == (200, field, "created")
        produced = 1
    assert (await client.get("/stats")).json()["orders_produced"] == produced


async def test_numbers_that_json_does_not_have_are_no_json(client: httpx.AsyncClient) -> None:
    body = b'{"customer_id":"c","items":[{"sku":"W","quantity":NaN,"price":1}]}'
    answer = await client.post("/orders", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["title"]) == (400, "broken json")


@pytest.mark.parametrize("path", PATHS)
async def test_the_same_key_gives_the_same_order(client: httpx.AsyncClient, path: str) -> None:
    key = {"Idempotency-Key": "k-1"}
    first, again = [await client.post(path, json=ORDER, headers=key) for _ in range(2)]
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await client.post(path, json={**ORDER, "customer_id": "cust-bob"}, headers=key)
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    stats = (await client.get("/stats")).json()
    assert stats["orders_produced"] == 1
    assert stats["orders_v1"] == (path == "/orders/v1")


async def test_a_batch_with_a_key_is_accepted_once(client: httpx.AsyncClient) -> None:
    body = {"orders": [ORDER] * 3}
    first, again = [await client.post("/orders/batch", json=body, headers={"Idempotency-Key": "b"}) for _ in range(2)]
    assert again.json() == first.json() and len({one["order_id"] for one in first.json()["results"]}) == 3
    assert (await client.get("/stats")).json()["orders_produced"] == 3


async def test_the_figures_are_published_and_true_after_a_restart(home: Path) -> None:
    copied_home(home)
    for life in (1, 2):
        async with (
            opened(Settings(home=home, dispatch_process=False)) as app,
            client_of(Application(app, service="order")) as client,
        ):
            for path in PATHS:
                await client.post(path, json=ORDER)
            await client.post("/orders/batch", json={"orders": [ORDER] * 4, "schema_version": 1})
            stats = (await client.get("/stats")).json()
            assert stats == {
                "orders_produced": 7 * life,
                "orders_v1": 5 * life,
                "orders_v2": 2 * life,
                "topic": "orders",
                "schemas": {"v1_id": stats["schemas"]["v2_id"], "v2_id": stats["schemas"]["v2_id"]},
            }


async def test_an_interface_that_is_not_published_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/orders/batch", json={"orders": [ORDER], "schema_version": 3})
    assert (answer.status_code, answer.json()["field"]) == (422, "schema_version")


async def test_the_service_alone_has_the_published_health(service: httpx.AsyncClient) -> None:
    answer = await service.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "healthy",
        "service": "order-service",
        "streamhouse_connected": True,
        "schema_registry_connected": True,
        "schemas_registered": ["inventory-updates-value", "orders-value", "purchase-orders-value"],
    }


async def test_the_common_server_keeps_its_own_health(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).json()["service"] == "restock"


def test_serving_the_order_service_announces_its_health(home: Path) -> None:
    copied_home(home)
    with server(home, "order") as (process, address):
        assert httpx.get(f"{address}/health").json()["service"] == "order-service"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


async def test_a_full_store_is_507_and_nothing_acknowledged_is_missing(rest: Rest) -> None:
    """The store of orders takes what fits, refuses the rest whole, and goes on once there is room."""
    client = rest.client
    acknowledged: list[str] = []
    refused = 0
    with full(rest.app, "oms"):
        for number in range(400):
            if number % 2:
                answer = await client.post("/orders", json=ORDER)
            else:
                answer = await client.post("/orders/batch", json={"orders": [ORDER] * 3})
            if answer.is_success:
                acknowledged += [one["order_id"] for one in answer.json().get("results", [answer.json()])]
                continue
            assert answer.status_code == 507
            assert answer.json()["title"] == "storage full" and "Free disk space" in answer.json()["remedy"]
            refused += 1
            if refused == 10:
                break
        assert refused == 10 and acknowledged
        assert (await client.get("/stats")).json()["orders_produced"] == len(acknowledged)
        assert (await client.get(f"/api/v1/orders/{acknowledged[0]}")).status_code == 200
    acknowledged.append((await client.post("/orders", json=ORDER)).json()["order_id"])
    found: list[str] = []
    after = ""
    while True:
        page = (await client.get("/api/v1/orders", params={"limit": 1000, "after": after})).json()
        found += [one["order_id"] for one in page["items"]]
        after = page["next"]
        if not after:
            break
    assert sorted(found) == sorted(acknowledged)
    await rest.app.settle()
    figures = (await client.get("/api/v1/figures")).json()
    assert figures["orders"] == len(acknowledged), "and each has its event"


@pytest.mark.parametrize("place", ["oms.place_orders.before", "oms.place_orders.after"])
def test_death_before_the_reply_leaves_one_order_for_its_key(home: Path, place: str) -> None:
    copied_home(home)
    key = {"Idempotency-Key": "k"}
    with server(home, RESTOCK_FAILPOINT=place) as (process, address):
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{address}/orders", json=ORDER, headers=key)
        assert process.wait(20) == 137
    with server(home) as (_, address):
        assert httpx.post(f"{address}/orders", json=ORDER, headers=key).status_code == 201
        assert httpx.get(f"{address}/stats").json()["orders_produced"] == 1


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(20)


def test_what_was_answered_survives_kill_9(home: Path) -> None:
    copied_home(home)
    with server(home) as (process, address):
        told = [httpx.post(f"{address}/orders", json=ORDER).json()["order_id"] for _ in range(5)]
        killed(process)
    with server(home) as (_, address):
        assert httpx.get(f"{address}/stats").json()["orders_produced"] == 5
        assert all(httpx.get(f"{address}/api/v1/orders/{one}").status_code == 200 for one in told)
