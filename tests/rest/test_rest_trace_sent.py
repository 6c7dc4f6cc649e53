"""Traces between processes, and to a collector."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from time import perf_counter_ns

import httpx
import pytest
from rest_world import copied_home, server, stocked
from trace_collector import collector

from restock.core import metric, trace
from restock.core.clock import SystemClock
from restock.core.errors import NotFound
from restock.edge import calls, spans
from restock.edge.log import Log
from restock.edge.trace_headers import MOST_TRACES, TRACES, received, sent
from restock.purchasing.port import CreateRequest, NewLine, NewOrder

ONE = Decimal(1)
LINE = NewLine("PROD-001", ONE, ONE, "PIECE", ONE, ONE, plan_version=0)


def created_by(*runs: str) -> CreateRequest:
    zero = Decimal(0)
    return CreateRequest(
        [NewOrder("SUP-001", "One", "USD", [LINE], ONE, zero, zero, ONE, "draft", run_id=run) for run in runs]
    )


@contextmanager
def another_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Know nothing of the traces of this process."""
    with monkeypatch.context() as patch:
        patch.setattr(trace, "_causes", OrderedDict())
        with trace.within(""):
            yield


def test_a_plural_call_carries_the_trace_of_each_of_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {f"run-{number}": trace.begun() for number in range(3)}
    with another_process(monkeypatch):
        for run, found in mine.items():
            trace.remember(run, found)
        headers = sent(created_by(*mine, "run-without-a-trace"))
    assert [name for name, _ in headers] == ["traceparent", TRACES]
    with another_process(monkeypatch), received(headers, "po.PoService/CreateMany"):
        assert {run: trace.of(run) for run in mine} == mine
        assert trace.of("run-without-a-trace") == ""


def test_a_call_goes_on_with_the_current_trace_and_its_answer_is_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    found = trace.begun()
    with trace.within(found), calls.asked("oms.OmsService/GetHistory") as call:
        headers = call.headers
    with another_process(monkeypatch), pytest.raises(NotFound), calls.answered("oms.OmsService/GetHistory", headers):
        assert trace.id_of(trace.current()) == trace.id_of(found)
        raise NotFound("There is no such product.")
    client, server = sorted(trace.RECORDED.of(trace.id_of(found)), key=lambda one: one.kind)
    assert (client.kind, client.parent_id) == ("client", found[36:52])
    assert (server.kind, server.parent_id, server.failed) == ("server", client.span_id, "NotFound")
    assert calls.ANSWERED["oms.OmsService/GetHistory"].statuses["NotFound"] >= 1


def test_without_a_trace_nothing_is_sent() -> None:
    with trace.within(""):
        assert sent(created_by("run-nobody-knows")) == []


def test_what_is_sent_fits_into_the_headers_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with another_process(monkeypatch):
        runs = [f"0198c0de-0000-7000-8000-{number:012}" for number in range(MOST_TRACES * 2)]
        for run in runs:
            trace.remember(run, trace.begun())
        (_, (_, packed)) = sent(created_by(*runs))
    assert len(packed) * 4 // 3 < 8 << 10


@pytest.mark.parametrize("value", [b"", b"\xff\xff", b"\x81\xa1a\x01", b"\x93"])
def test_headers_that_cannot_be_read_refuse_no_call(value: bytes) -> None:
    with received([(TRACES, value), ("traceparent", "what?"), ("x", "y")], "a.B/C"):
        assert trace.current() == ""


async def exported_spans(endpoint: str, log: Log, found: str) -> None:
    task = asyncio.create_task(spans.exported(endpoint, "restock-po", SystemClock(), log))
    await asyncio.sleep(0.01)
    trace.record(trace.child(found), found, "POST /orders", perf_counter_ns(), {"order_id": "ORD-1"}, failed="500")
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_spans_reach_a_collector_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "SEND_SECONDS", 0.01)
    found = trace.begun()
    with collector() as (endpoint, got):
        await exported_spans(endpoint, Log(), found)
    assert {path for path, _ in got} == {"/v1/traces"}
    documents = [json.loads(body) for _, body in got]
    assert documents[0]["resourceSpans"][0]["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "restock-po"}}
    ]
    mine = [
        one
        for document in documents
        for one in document["resourceSpans"][0]["scopeSpans"][0]["spans"]
        if one["traceId"] == trace.id_of(found)
    ]
    (span,) = mine
    assert (span["name"], span["parentSpanId"], span["status"]) == (
        "POST /orders",
        found[36:52],
        {"code": 2, "message": "500"},
    )
    now = SystemClock().now().timestamp() * 1e9
    assert now - 60e9 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) < now + 1e9


async def test_a_collector_that_is_away_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "SEND_SECONDS", 0.01)
    told: list[bytes] = []
    log = Log(write=told.append)
    await exported_spans("http://127.0.0.1:9", log, trace.begun())
    log.flush()
    assert b"".join(told).count(b"spans are not taken") == 1
    ((_, lost),) = metric.registered("restock_spans_lost_total")
    assert lost >= 1


@pytest.mark.slow
def test_a_trace_leads_through_two_processes(home: Path) -> None:
    """One server takes the order; the other one, which does the background work, makes the purchase order."""
    copied_home(home)
    stocked(home)
    found = trace.id_of(trace.begun())
    with (
        server(home, RESTOCK_LOG_LEVEL="info") as (background, first),
        server(home, RESTOCK_LOG_LEVEL="info") as (door, second),
        httpx.Client(base_url=second) as client,
    ):
        order = {"customer_id": "cust-alice", "items": [{"sku": "PROD-001", "quantity": 1, "price": "29.99"}]}
        client.post("/orders", json=order, headers={"traceparent": f"00-{found}-00f067aa0ba902b7-01"})
        for _ in range(200):
            steps = client.get(f"/api/v1/streams/events/{found}/trace")
            if "PurchaseOrderSent" in steps.text:
                break
            time.sleep(0.05)
        spans_of_first = metric_value(httpx.get(f"{first}/metrics").text, "restock_spans_total")
        for process in (background, door):
            process.terminate()
        told = [
            [json.loads(line) for line in process.communicate(timeout=30)[1].splitlines()]
            for process in (background, door)
        ]
    runs, requests = ([one for one in lines if one.get("trace_id") == found] for lines in told)
    assert [one["event"] for one in runs] == ["run"] and runs[0]["po_id"]
    assert [one["path"] for one in requests] == ["/orders"]
    assert spans_of_first >= 5


def metric_value(text: str, name: str) -> int:
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))
