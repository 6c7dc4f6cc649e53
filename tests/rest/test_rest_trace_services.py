"""The services in processes of their own: one trace leads through all of them, from the order to the purchase order."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from rest_world import copied_home, server, stocked
from trace_collector import collector

from restock.core import trace

SERVICES = {
    "order": "oms",
    "inventory": "inventory",
    "supplier": "supplier",
    "uom": "uom",
    "rule-engine": "rule_engine",
    "po": "po",
    "orchestrator": "orchestrator",
}
"""Services, and the name in the setting of the address of each; `order` answers for `oms` too."""

CALLER = "00f067aa0ba902b7"
ORDER = {"customer_id": "cust-alice", "items": [{"sku": "PROD-001", "quantity": 1, "price": "29.99"}]}


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in taken]


@contextmanager
def services(home: Path, endpoint: str) -> Iterator[dict[str, str]]:
    """Run each service in a process; give their addresses."""
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    environment = {f"RESTOCK_{SERVICES[one].upper()}_GRPC_URL": f"127.0.0.1:{port}" for one, port in ports.items()}
    environment["RESTOCK_OTLP_ENDPOINT"] = endpoint

    def begun(name: str) -> tuple[str, str]:
        _, address = stack.enter_context(server(home, name, RESTOCK_GRPC_PORT=str(ports[name]), **environment))
        return name, address

    with ExitStack() as stack:
        with ThreadPoolExecutor(len(SERVICES)) as threads:
            addresses = dict(threads.map(begun, SERVICES))
        yield addresses


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_one_trace_leads_through_every_service(home: Path) -> None:
    pytest.importorskip("grpc")
    copied_home(home)
    stocked(home)
    found = trace.id_of(trace.begun())
    with collector() as (endpoint, got), services(home, endpoint) as addresses:
        answer = httpx.post(
            f"{addresses['order']}/orders", json=ORDER, headers={"traceparent": f"00-{found}-{CALLER}-01"}
        )
        assert answer.status_code == 201
        wanted, until = {f"restock-{one}" for one in SERVICES}, time.monotonic() + 30
        while time.monotonic() < until and not (set(spans_of(found, got)) == wanted and is_whole(spans_of(found, got))):
            time.sleep(0.1)
        told = httpx.get(f"{addresses['order']}/api/v1/streams/events/{found}/trace").json()
        metrics = httpx.get(f"{addresses['orchestrator']}/metrics").text
    spans = spans_of(found, got)
    assert set(spans) == wanted
    assert is_whole(spans), "they hang together, and on the caller"
    assert "PurchaseOrderCreated" in {step["type"] for step in told["steps"]}
    assert 'restock_neighbour_calls_total{method="restock.v1.Purchasing/Create",code="OK"} ' in metrics


def is_whole(spans: dict[str, list[dict[str, str]]]) -> bool:
    """Tell whether the purchase order was made, and every span's parent came: each process sends its own when it likes."""
    every = [one for each in spans.values() for one in each]
    missing = {one["parentSpanId"] for one in every} - {one["spanId"] for one in every}
    return missing == {CALLER} and "write po.create" in {one["name"] for one in spans.get("restock-po", ())}


def spans_of(trace_id: str, got: list[tuple[str, bytes]]) -> dict[str, list[dict[str, str]]]:
    """Give the spans of a trace that a collector got, by service."""
    found: dict[str, list[dict[str, str]]] = {}
    for _, body in list(got):
        (resource,) = json.loads(body)["resourceSpans"]
        service = resource["resource"]["attributes"][0]["value"]["stringValue"]
        mine = [one for one in resource["scopeSpans"][0]["spans"] if one["traceId"] == trace_id]
        if mine:
            found.setdefault(service, []).extend(mine)
    return found
