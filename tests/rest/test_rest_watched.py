"""A server that is watched: what stands still is logged, parts register gauges, a short look tells how it does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from rest_world import Rest, copied_home, server, stocked

from restock.core import metric
from restock.core.errors import InvalidInput, Unavailable
from restock.core.metric import METRICS
from restock.edge.cli.measure_server import watched_server
from restock.edge.log import Log
from restock.edge.rest import observed
from restock.edge.rest.meters import FlowMeter, Text
from restock.replenishment.port import RunTold
from restock.settings import Settings, load


async def test_what_stands_still_is_told_once_and_when_it_is_over(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observed, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(observed, "TURN_SECONDS", 0.005)
    told: list[bytes] = []
    log = Log(rest.app.clock, level="info", write=told.append)
    relay, problem = rest.app.relays[0], Unavailable("The broker is away.")
    watching = asyncio.create_task(observed.watch(rest.app, log))
    relay.problem = problem
    await asyncio.sleep(0.15)
    relay.problem = None
    await asyncio.sleep(0.1)
    watching.cancel()
    log.flush()
    lines = [json.loads(line) for line in b"".join(told).splitlines()]
    assert [(one["event"], one["level"], one["problem"]) for one in lines] == [
        ("problem", "error", str(problem)),
        ("problem over", "info", str(problem)),
    ]


@pytest.fixture
def breaker() -> Iterator[None]:
    yield
    metric.forget("restock_breaker_state", "po")


async def test_a_part_registers_what_it_measures(rest: Rest, breaker: None) -> None:
    state = 2
    metric.gauge("restock_breaker_state", lambda: state, "po")
    assert 'restock_breaker_state{neighbour="po"} 2\n' in (await rest.client.get("/metrics")).text
    state = 0
    assert 'restock_breaker_state{neighbour="po"} 0\n' in (await rest.client.get("/metrics")).text


@pytest.mark.parametrize(
    ("name", "labels"), [("restock_unknown", ()), ("restock_breaker_state", ()), ("restock_cohort_runs", ())]
)
def test_what_is_not_in_the_table_is_not_measured(name: str, labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=name):
        metric.gauge(name, lambda: 1, *labels)
    with pytest.raises((ValueError, KeyError)):
        Text().many(name, [(("one", "too", "many"), 1)])


async def test_every_metric_is_told_with_its_kind_in_the_order_of_the_table(rest: Rest) -> None:
    text = (await rest.client.get("/metrics")).text
    told = [line.split()[2:] for line in text.splitlines() if line.startswith("# TYPE")]
    assert told == [[one.name, one.kind] for one in METRICS.values()]


async def test_runs_are_counted_by_outcome_approval_and_cohort(rest: Rest) -> None:
    products = ["PROD-001", "PROD-002", "PROD-003", "INACTIVE"]
    await rest.client.post("/purchasing/flow/batch", json={"products": products})
    await rest.client.post("/purchasing/flow", json={"product_id": "PROD-001"})
    text = (await rest.client.get("/metrics")).text
    for line in (
        'restock_flows_total{outcome="ordered"} 3',
        'restock_flows_total{outcome="blocked"} 1',
        'restock_flows_total{outcome="covered"} 1',
        'restock_flow_orders_total{approval="auto"} 3',
        "restock_automation_ratio 1.000000",
        'restock_cohort_runs_bucket{le="1"} 1',
        'restock_cohort_runs_bucket{le="4"} 2',
        "restock_cohort_runs_sum 5",
    ):
        assert f"{line}\n" in text, line


def test_a_failed_run_is_an_error_and_no_order() -> None:
    meter = FlowMeter()
    meter.observe(RunTold("run", "PROD-001", "", "", Unavailable("Too many."), 0))
    assert (meter.outcomes, meter.approvals, meter.cohort_runs) == ({"error": 1}, {}, 0)


async def test_a_short_look_tells_how_a_server_does(home: Path) -> None:
    copied_home(home)
    await asyncio.to_thread(stocked, home)
    with server(home, RESTOCK_LOG_LEVEL="info", RESTOCK_LOG="text", RESTOCK_DB_PASSWORD="hunter-two") as (process, url):
        async with httpx.AsyncClient(base_url=url) as client:
            await client.post("/purchasing/flow", json={"product_id": "PROD-001"})
            await client.get("/nope")
        found = await watched_server(url)
        with pytest.raises(InvalidInput):
            await watched_server("ftp://nobody")
        process.terminate()
        _, err = process.communicate(timeout=20)
    assert found.flows == {"ordered": 1} and found.purchase_orders in ({}, {"USD": 1})
    assert found.requests >= 2 and found.errors == 0 and found.problems == 0
    assert Decimal(0) < found.latency_ms["p50"] <= found.latency_ms["p95"] <= found.latency_ms["p99"] < 1000
    assert found.memory_mib > 20
    assert " info    request  method=POST  path=/purchasing/flow  status=200" in err
    assert " info    run  run_id=" in err and "po_id=PO-" in err and "hunter" not in err


def test_the_standards_name_of_a_setting_counts_and_ours_wins() -> None:
    standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert load(environment=standard).otlp_endpoint == "http://127.0.0.1:4318"
    assert load(environment={**standard, "RESTOCK_OTLP_ENDPOINT": "http://other"}).otlp_endpoint == "http://other"
    assert Settings().otlp_endpoint == "" and Settings().trace_one_in == 0
