"""The published gRPC services of purchasing, asked by clients that are made from the protos alone."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from test_streamhouse_grpc import code, compiled  # noqa: F401 - a fixture

from restock.app import opened
from restock.core import trace
from restock.edge.calls import ANSWERED
from restock.edge.demo.company import load
from restock.edge.grpc.offers import offers
from restock.edge.grpc.server import Served, serving
from restock.inventory.model import StockCount
from restock.inventory.port import PutStockRequest
from restock.replenishment.port import FlowRequest
from restock.settings import Settings

SERVICES = {
    "oms": "OmsService",
    "inventory": "InventoryService",
    "supplier": "SupplierService",
    "uom": "UomService",
    "rule_engine": "RuleEngineService",
    "po": "PoService",
}


class Callers:
    """A stub and the messages of each package, and the program that is called."""

    def __init__(self, channel: Any, app: Any) -> None:
        self.app, self.channel = app, channel
        self.pb = {name: importlib.import_module(f"{name}_pb2") for name in SERVICES}
        self.stub = {
            name: getattr(importlib.import_module(f"{name}_pb2_grpc"), f"{service}Stub")(channel)
            for name, service in SERVICES.items()
        }


@pytest.fixture
async def callers(
    home: Path,
    compiled: Path,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Callers]:
    monkeypatch.syspath_prepend(str(compiled))
    async with (
        opened(Settings(home=home, dispatch_process=False)) as app,
        serving(Served(offers(app), app.clock), "127.0.0.1", 0) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await load(app, app.settle)
        yield Callers(channel, app)


async def test_each_service_answers_what_is_on_file(callers: Callers) -> None:
    pb, stub = callers.pb, callers.stub
    history = await stub["oms"].GetHistory(pb["oms"].HistoryRequest(product_id="PROD-001"))
    assert (history.product_id, history.avg_daily_demand, history.trend) == ("PROD-001", 15.5, "increasing")
    levels = await stub["inventory"].GetLevels(pb["inventory"].LevelsRequest(product_id="PROD-001"))
    assert (levels.available_qty, levels.reserved_qty, levels.on_order_qty) == (20, 5, 0)
    info = await stub["supplier"].GetInfo(pb["supplier"].InfoRequest(product_id="PROD-001"))
    assert (info.moq, info.lead_time_days, info.unit_price) == (20, 7, 15.99)
    assert info.supplier_name
    conversion = await stub["uom"].GetConversion(pb["uom"].ConversionRequest(product_id="PROD-001"))
    assert (conversion.base_unit, conversion.case_qty, conversion.pallet_qty) == ("PIECE", 12, 120)


async def test_what_is_ordered_is_on_order_and_parts_of_a_unit_are_not_there(callers: Callers) -> None:
    pb, stub = callers.pb["inventory"], callers.stub["inventory"]
    await callers.app.replenishment.flow(FlowRequest("PROD-002"))
    assert (await stub.GetLevels(pb.LevelsRequest(product_id="PROD-002"))).on_order_qty == 245
    await callers.app.inventory.put_stock(PutStockRequest([StockCount("HALF", Decimal("2.5"), Decimal("0.25"))]))
    levels = await stub.GetLevels(pb.LevelsRequest(product_id="HALF"))
    assert (levels.available_qty, levels.reserved_qty) == (2, 1)


async def test_the_rules_say_over_grpc_what_they_say_elsewhere(callers: Callers) -> None:
    pb, stub = callers.pb["rule_engine"], callers.stub["rule_engine"]
    asked = pb.EvaluateRequest(
        oms_data=pb.OmsData(avg_daily_demand=15.5),
        inventory_data=pb.InventoryData(available_qty=20),
        supplier_data=pb.SupplierData(moq=20, lead_time_days=7, unit_price=15.99, is_active=True),
    )
    said = await stub.Evaluate(asked)
    assert (said.need_reorder, said.shortage, said.order_qty, said.total_amount) == (True, 88.5, 89, 1423.11)
    assert (said.po_status, said.grand_total, said.requires_approval) == ("approved", 1536.96, False)
    asked.supplier_data.unit_price = float("nan")
    assert await code(stub.Evaluate(asked)) == "INVALID_ARGUMENT"
    assert await code(stub.Evaluate(pb.EvaluateRequest())) == "INVALID_ARGUMENT"


async def test_an_order_is_made_and_sent_as_published(callers: Callers) -> None:
    pb, stub = callers.pb["po"], callers.stub["po"]
    asked = pb.CreateRequest(
        product_id="PROD-001", supplier_id="SUP-001", qty=100, unit_price=15.99, total_amount=1599.00
    )
    made = (await stub.Create(asked)).po
    assert (made.product_id, made.supplier_id, made.qty, made.unit_price) == ("PROD-001", "SUP-001", 100, 15.99)
    assert (made.total_amount, made.status, made.sent_at) == (1599.00, "draft", "")
    for _ in range(2):  # sending twice changes nothing
        sent = await stub.Send(pb.SendRequest(po_id=made.po_id))
        assert sent.success
        assert (sent.po.po_id, sent.po.status) == (made.po_id, "sent")
        assert sent.po.sent_at
    reply = await callers.app.replenishment.flow(FlowRequest("PROD-001"))
    assert reply.outcome == "covered", "an order that was made here is on order everywhere"


async def test_an_order_that_a_person_must_approve_is_not_sent_by_a_program(callers: Callers) -> None:
    pb, stub = callers.pb["po"], callers.stub["po"]
    made = (
        await stub.Create(pb.CreateRequest(product_id="PROD-001", supplier_id="SUP-001", qty=1000, unit_price=15.99))
    ).po
    assert (made.total_amount, made.status) == (15990.00, "draft")
    assert await code(stub.Send(pb.SendRequest(po_id=made.po_id))) == "FAILED_PRECONDITION"


async def test_an_order_that_nobody_can_want_is_refused(callers: Callers) -> None:
    pb, stub = callers.pb["po"], callers.stub["po"]
    right = {"product_id": "PROD-001", "supplier_id": "SUP-001", "qty": 10, "unit_price": 15.99}
    for wrong, expected in (
        ({"supplier_id": "SUP-002"}, "NOT_FOUND"),
        ({"product_id": "NO-SUCH"}, "NOT_FOUND"),
        ({"qty": 0}, "INVALID_ARGUMENT"),
        ({"unit_price": 0}, "INVALID_ARGUMENT"),
        ({"unit_price": float("inf")}, "INVALID_ARGUMENT"),
        ({"total_amount": 160.0}, "INVALID_ARGUMENT"),
    ):
        assert await code(stub.Create(pb.CreateRequest(**{**right, **wrong}))) == expected, wrong
    assert await code(stub.Send(pb.SendRequest(po_id="PO-2026-999999"))) == "NOT_FOUND"
    assert await code(stub.Send(pb.SendRequest())) == "INVALID_ARGUMENT"


async def test_errors_have_the_promised_codes(callers: Callers) -> None:
    pb, stub = callers.pb, callers.stub
    calls = {"oms": "GetHistory", "inventory": "GetLevels", "supplier": "GetInfo", "uom": "GetConversion"}
    requests = {
        "oms": "HistoryRequest",
        "inventory": "LevelsRequest",
        "supplier": "InfoRequest",
        "uom": "ConversionRequest",
    }
    for name, call in calls.items():
        request = getattr(pb[name], requests[name])
        assert await code(getattr(stub[name], call)(request(product_id="NO-SUCH"))) == "NOT_FOUND"
        assert await code(getattr(stub[name], call)(request())) == "INVALID_ARGUMENT"


async def test_each_is_healthy_and_found_by_reflection(callers: Callers) -> None:
    for name, stub in callers.stub.items():
        health = await stub.HealthCheck(callers.pb[name].HealthRequest())
        assert (health.status, health.service) == ("healthy", f"{name.replace('_', '-')}-service")
    reflection = reflection_pb2_grpc.ServerReflectionStub(callers.channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    async for answer in reflection.ServerReflectionInfo(asked):
        names = {one.name for one in answer.list_services_response.service}
        assert {f"{package}.{service}" for package, service in SERVICES.items()} <= names


async def test_a_call_is_counted_and_belongs_to_the_trace_of_its_caller(callers: Callers) -> None:
    pb, stub = callers.pb["oms"], callers.stub["oms"]
    method, found = "oms.OmsService/GetHistory", trace.begun()
    before = dict(ANSWERED[method].statuses) if method in ANSWERED else {}
    await stub.GetHistory(pb.HistoryRequest(product_id="PROD-001"), metadata=[("traceparent", found)])
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.GetHistory(pb.HistoryRequest(product_id="NOBODY"), metadata=[("traceparent", found)])
    right, wrong = trace.RECORDED.of(trace.id_of(found))
    assert (right.name, right.kind, right.parent_id, right.failed) == (method, "server", found[36:52], "")
    assert wrong.failed
    for status in ("OK", "NOT_FOUND"):
        assert ANSWERED[method].statuses[status] == before.get(status, 0) + 1
