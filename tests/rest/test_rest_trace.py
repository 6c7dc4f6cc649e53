"""A trace: one identifier from a customer's order to the purchase order, through events, consumers and the log."""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from rest_world import Rest, client_of, copied_home, seeded

from restock.app import TOPICS, App, opened
from restock.core import trace
from restock.core.errors import NotFound
from restock.core.ids import Ids
from restock.edge.log import Log
from restock.edge.rest.application import Application
from restock.engine.stream import Message, decode
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.orders import port as orders_port
from restock.purchasing.port import ChangeRequest, OrdersRequest
from restock.settings import Settings
from restock.streams.port import TraceRequest

CALLER = "00f067aa0ba902b7"
MORE = 24


def asked_in(trace_id: str, *, sampled: bool = True) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{CALLER}-0{int(sampled)}"}


def a_trace() -> str:
    return trace.id_of(trace.begun())


def one_of(product: str, customer: str = "cust-alice") -> dict[str, object]:
    return {"customer_id": customer, "items": [{"sku": product, "quantity": 1, "price": "29.99"}]}


async def events(app: App) -> list[tuple[str, str, object]]:
    """Give trace, type and product or order of each event on the stream."""
    found = []
    for topic, partitions in TOPICS.items():
        for partition in range(partitions):
            for record in await app.stream.read(topic, partition, 0, 10_000):
                event = decode(record)
                about = event.data.get("sku") or event.data.get("po_id") or event.data.get("order_id")
                found.append((trace.id_of(record.headers.get("traceparent", "")), event.type, about))
    return found


async def types_of(app: App, trace_id: str) -> list[str]:
    return sorted(kind for found, kind, _ in await events(app) if found == trace_id)


class Told:
    """What a log wrote."""

    def __init__(self) -> None:
        self.text = b""

    def write(self, text: bytes) -> None:
        self.text += text

    def lines(self, event: str) -> list[dict[str, object]]:
        return [one for one in map(json.loads, self.text.splitlines()) if one["event"] == event]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def rest(home: Path, told: Told) -> AsyncIterator[Rest]:
    """REST in process that logs requests."""
    copied_home(home)
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        log = Log(app.clock, "json", "info", told.write)
        application = Application(app, log)
        await seeded(app, MORE)
        async with client_of(application) as client:
            yield Rest(app, application, client)


async def test_a_customer_order_is_followed_to_its_purchase_order(rest: Rest, told: Told) -> None:
    trace_id = a_trace()
    placed = await rest.client.post("/orders", json=one_of("PROD-001"), headers=asked_in(trace_id))
    await rest.app.settle()
    (order,) = await rest.app.purchasing.orders(OrdersRequest())
    assert await types_of(rest.app, trace_id) == [
        "OrderPlaced",
        "PurchaseOrderCreated",
        "PurchaseOrderSent",
        "StockReserved",
    ]
    spans = trace.RECORDED.of(trace_id)
    known = {one.span_id for one in spans}
    assert len(known) == len(spans), "each has an identifier of its own"
    assert {one.parent_id for one in spans} - known == {CALLER}, "they hang together, and on the caller"
    assert all(0 < one.began_ns <= one.ended_ns and not one.failed for one in spans)
    assert {
        "POST /orders",
        "write oms.place_orders",
        "publish orders",
        "consume inventory.orders",
        "publish inventory-updates",
        "consume replenishment",
        "flow purchasing",
        "write po.create",
        "publish purchase-orders",
    } <= {one.name for one in spans}
    rest.application.log.flush()
    (request,) = told.lines("request")
    assert (request["order_id"], request["trace_id"]) == (placed.json()["order_id"], trace_id)
    (run,) = told.lines("run")
    assert (run["po_id"], run["run_id"], run["trace_id"]) == (order.po_id, order.run_id, trace_id)
    assert run["event_id"] in {one.attributes.get("event_id") for one in spans}


async def test_a_span_is_named_by_its_route(rest: Rest) -> None:
    trace_id = a_trace()
    await rest.client.get("/api/v1/stock/PROD-001", headers=asked_in(trace_id))
    await rest.client.get("/nothing/here", headers=asked_in(trace_id))
    right, wrong = trace.RECORDED.of(trace_id)
    assert (right.name, right.attributes["url.path"]) == ("GET /api/v1/stock/{product_id}", "/api/v1/stock/PROD-001")
    assert (wrong.name, wrong.attributes["http.response.status_code"]) == ("GET unknown", "404")


@pytest.mark.server("kafka")
async def test_a_trace_is_followed_over_a_broker(home: Path) -> None:
    copied_home(home)
    kafka = os.environ["RESTOCK_KAFKA"]
    settings = Settings(home=home, dispatch_process=False, kafka_servers=kafka, kafka_prefix=f"{a_trace()}.")
    async with opened(settings) as app:
        await seeded(app)
        trace_id = a_trace()
        async with client_of(Application(app)) as client:
            await client.post("/orders", json=one_of("PROD-001"), headers=asked_in(trace_id))
        await app.settle()
        assert await types_of(app, trace_id) == [
            "OrderPlaced",
            "PurchaseOrderCreated",
            "PurchaseOrderSent",
            "StockReserved",
        ]


async def test_callers_that_are_served_together_keep_their_own_traces(rest: Rest) -> None:
    mine = {f"MORE-{number:05}": a_trace() for number in range(MORE)}
    answers = await asyncio.gather(
        *(
            rest.client.post("/purchasing/flow", json={"product_id": product}, headers=asked_in(found))
            for product, found in mine.items()
        )
    )
    await rest.app.settle()
    told = {about: found for found, kind, about in await events(rest.app) if kind == "PurchaseOrderCreated"}
    assert len(told) == MORE
    for product, answer in zip(mine, answers, strict=True):
        assert told[answer.json()["po"]["po_id"]] == mine[product]


async def test_orders_that_are_consumed_together_keep_their_own_traces(rest: Rest) -> None:
    mine = {product: a_trace() for product in ("PROD-001", "PROD-002", "PROD-003")}
    for product, found in mine.items():
        await rest.client.post("/orders", json=one_of(product), headers=asked_in(found))
    await rest.client.post("/orders", json=one_of("FREE", "cust-bob"))
    await rest.app.settle()
    reserved = {about: found for found, kind, about in await events(rest.app) if kind == "StockReserved"}
    assert reserved == {**mine, "FREE": ""}
    assert [len(await types_of(rest.app, found)) for found in mine.values()] == [4, 4, 4]


async def test_what_a_person_does_carries_the_trace_of_the_request(rest: Rest) -> None:
    await rest.client.post("/purchasing/flow", json={"product_id": "PROD-001"})
    (order,) = await rest.app.purchasing.orders(OrdersRequest())
    trace_id = a_trace()
    with trace.within(asked_in(trace_id)["traceparent"]):
        await rest.app.purchasing.acknowledge(ChangeRequest(order.po_id, "alice"))
        await rest.app.inventory.put_stock(PutStockRequest([StockCount("PROD-001", Decimal(7))]))
    await rest.app.settle()
    assert await types_of(rest.app, trace_id) == [
        "PurchaseOrderAcknowledged",
        "PurchaseOrderCreated",  # as so little was counted
        "PurchaseOrderSent",
        "StockCounted",
    ]


async def test_a_trace_that_is_not_sampled_goes_on_and_leaves_nothing(rest: Rest) -> None:
    trace_id = a_trace()
    await rest.client.post("/orders", json=one_of("PROD-001"), headers=asked_in(trace_id, sampled=False))
    await rest.app.settle()
    assert len(await types_of(rest.app, trace_id)) == 4
    assert trace.RECORDED.of(trace_id) == []


@pytest.mark.parametrize("header", [None, "", "00-0-0-01", f"00-{'0' * 32}-{CALLER}-01", f"ff-{'1' * 32}-{CALLER}-01"])
async def test_nothing_is_carried_without_a_trace(rest: Rest, header: str | None) -> None:
    before = trace.RECORDED.recorded
    headers = {} if header is None else {"traceparent": header}
    await rest.client.post("/orders", json=one_of("PROD-001"), headers=headers)
    await rest.app.settle()
    assert len(await types_of(rest.app, "")) == len(await events(rest.app)) >= 4
    assert trace.RECORDED.recorded == before


def test_a_later_version_of_the_standard_is_read_as_ours() -> None:
    found = trace.read(f"cc-{'1' * 32}-{CALLER}-03-what the future brings")
    assert found == f"00-{'1' * 32}-{CALLER}-01"


def test_one_request_of_so_many_begins_a_trace() -> None:
    sampling = trace.Sampling(3)
    begun = [sampling.of_request("")[0] for _ in range(9)]
    assert [bool(one) for one in begun] == [False, False, True] * 3
    assert len(set(begun)) == 4 and all(trace.is_sampled(one) for one in begun if one)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_causes", OrderedDict())
    monkeypatch.setattr(trace, "MOST_CAUSES", 2)
    for name in ("a", "b", "c"):
        trace.remember(name, trace.begun())
    assert [bool(trace.of(name)) for name in ("a", "b", "c")] == [False, True, True]


async def test_a_dead_letter_is_logged_with_its_place_and_trace(rest: Rest, told: Told) -> None:
    parent = trace.begun()
    value = json.dumps({"type": "OrderPlaced", "data": {}}).encode()
    headers = {"event-id": Ids(rest.app.clock).new(), "traceparent": parent}
    await rest.app.stream.publish([Message(orders_port.TOPIC, "cust-alice", value, headers)])
    await rest.app.settle()
    rest.application.log.flush()
    letters = told.lines("dead letter")
    assert {one["subscriber"] for one in letters} == {"inventory.orders", "analytics"}
    assert {(one["event_id"], one["trace_id"], one["level"]) for one in letters} == {
        (headers["event-id"], trace.id_of(parent), "warning")
    }


async def test_the_log_says_nothing_of_what_was_sent(rest: Rest, told: Told) -> None:
    headers = {"Idempotency-Key": "key-of-mine", "Authorization": "Bearer secret-of-mine"}
    body = {**one_of("PROD-001"), "shipping_address": "1 Secret Road"}
    await rest.client.post("/orders?password=secret-in-the-query", json=body, headers=headers)
    await rest.client.post("/orders", content=b'{"customer_id": "secret-that-is-wrong"', headers=headers)
    rest.application.log.flush()
    assert len(told.lines("request")) == 2
    for word in (b"key-of-mine", b"secret", b"Secret"):
        assert word not in told.text


def test_text_is_for_people_and_a_level_hides_what_is_below(told: Told) -> None:
    with Log(form="text", level="warning", write=told.write) as log:
        log.tell("info", "request", path="/")
        log.tell("error", "problem", problem="The relay stands still.\nSince noon.", empty="")
    (line,) = told.text.decode().splitlines()
    assert line.endswith(r" error   problem  problem='The relay stands still.\nSince noon.'")


async def test_the_events_of_a_trace_are_found_by_it(rest: Rest) -> None:
    trace_id = a_trace()
    await rest.client.post("/orders", json=one_of("PROD-001"), headers=asked_in(trace_id))
    await rest.client.post("/orders", json=one_of("PROD-002", "cust-bob"))
    await rest.app.settle()
    found = await rest.app.streams.trace(TraceRequest(trace_id))
    assert [(step.depth, step.type) for step in found.steps] == [
        (0, "OrderPlaced"),
        (1, "StockReserved"),
        (2, "PurchaseOrderCreated"),
        (2, "PurchaseOrderSent"),
    ]
    assert {step.trace_id for step in found.steps} == {trace_id}
    of_event = await rest.app.streams.trace(TraceRequest(found.steps[0].event_id))
    assert of_event.steps == found.steps
    with pytest.raises(NotFound):
        await rest.app.streams.trace(TraceRequest(a_trace()))
