"""Ten processes under `restock up`: a client made from the published protos drives them, and a lost one costs no fact."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_tools import protoc

from restock.edge.grpc.messages import PROTOS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PUBLISHED = {
    "oms": "OmsService",
    "inventory": "InventoryService",
    "supplier": "SupplierService",
    "uom": "UomService",
    "rule_engine": "RuleEngineService",
    "po": "PoService",
}


class Running(NamedTuple):
    """The services by name: where each is asked over REST and over gRPC."""

    home: Path
    rest: dict[str, str]
    grpc: dict[str, str]

    def flow(self, product: str) -> httpx.Response:
        return httpx.post(f"{self.rest['orchestrator']}/purchasing/flow", json={"product_id": product}, timeout=60)

    def orders_of(self, product: str) -> list[Any]:
        found = httpx.get(f"{self.rest['po']}/api/v1/purchase-orders", params={"product_id": product}, timeout=20)
        return list(found.json()["items"])


def restock(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RESTOCK_HOME": str(home), "RESTOCK_DISPATCH_PROCESS": "false"}
    command = [sys.executable, "-m", "restock", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("up") / "var"
    assert restock(home, "setup", "demo").returncode == 0
    begun = restock(home, "up", "--detach", "--free-ports", "--json")
    try:
        assert begun.returncode == 0, begun.stderr + (home / "services.log").read_text()
        rows = json.loads(begun.stdout)
        yield Running(
            home, {one["service"]: one["rest"] for one in rows}, {one["service"]: one["grpc"] for one in rows}
        )
    finally:
        ended = restock(home, "down")
    assert (ended.returncode, ended.stdout) == (0, "All services have ended.\n")
    assert restock(home, "status").stdout.startswith("No services run")
    assert not processes(home)


def processes(home: Path) -> dict[str, int]:
    """Give the process of each service of a home."""
    found = {}
    for each in Path("/proc").iterdir():
        try:
            words = (each / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if str(home) in words and "serve" in words:
            found[words[words.index("serve") + 1]] = int(each.name)
    return found


@pytest.fixture(scope="module")
def stubs(services: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[Any, Any]]]:
    """Give the stub and the messages of a published package, made from its proto alone."""
    folder = tmp_path_factory.mktemp("protos")
    files = [str(path) for path in PROTOS.glob("*.proto")]
    assert protoc.main(["", f"-I{PROTOS}", f"--python_out={folder}", f"--grpc_python_out={folder}", *files]) == 0
    channels = []

    def stub(package: str) -> tuple[Any, Any]:
        channel = grpc.insecure_channel(services.grpc[package.replace("_", "-")])
        channels.append(channel)
        made = getattr(importlib.import_module(f"{package}_pb2_grpc"), f"{PUBLISHED[package]}Stub")(channel)
        return made, importlib.import_module(f"{package}_pb2")

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield stub
    for each in channels:
        each.close()


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def is_ready(services: Running, name: str) -> bool:
    try:
        return httpx.get(f"{services.rest[name]}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_client_of_the_published_protos_drives_a_whole_flow(
    services: Running, stubs: Callable[[str], tuple[Any, Any]]
) -> None:
    oms, pb = stubs("oms")
    history = oms.GetHistory(pb.HistoryRequest(product_id="PROD-001"))
    inventory, inventory_pb = stubs("inventory")
    levels = inventory.GetLevels(inventory_pb.LevelsRequest(product_id="PROD-001"))
    supplier, supplier_pb = stubs("supplier")
    info = supplier.GetInfo(supplier_pb.InfoRequest(product_id="PROD-001"))
    uom, uom_pb = stubs("uom")
    assert uom.GetConversion(uom_pb.ConversionRequest(product_id="PROD-001")).case_qty == 12
    rules, rules_pb = stubs("rule_engine")
    said = rules.Evaluate(
        rules_pb.EvaluateRequest(
            oms_data=rules_pb.OmsData(avg_daily_demand=history.avg_daily_demand),
            inventory_data=rules_pb.InventoryData(available_qty=levels.available_qty),
            supplier_data=rules_pb.SupplierData(
                moq=info.moq, lead_time_days=info.lead_time_days, unit_price=info.unit_price, is_active=True
            ),
        )
    )
    assert (said.need_reorder, said.order_qty, said.should_create_po) == (True, 89, True)
    po, po_pb = stubs("po")
    made = po.Create(
        po_pb.CreateRequest(product_id="PROD-001", supplier_id="SUP-001", qty=100, unit_price=info.unit_price)
    ).po
    assert po.Send(po_pb.SendRequest(po_id=made.po_id)).po.status == "sent"
    assert inventory.GetLevels(inventory_pb.LevelsRequest(product_id="PROD-001")).on_order_qty == 100
    covered = services.flow("PROD-001")
    assert (covered.status_code, covered.json()["outcome"]) == (200, "covered")
    with pytest.raises(grpc.RpcError) as caught:
        oms.GetHistory(pb.HistoryRequest(product_id="NO-SUCH"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND  # type: ignore[attr-defined]


def test_every_service_tells_how_it_is_over_grpc_too(services: Running) -> None:
    for name, address in services.grpc.items():
        if not address:
            continue
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for asked in ("", "live", "ready"):
                found = health.Check(health_pb2.HealthCheckRequest(service=asked), timeout=5)
                assert found.status == health_pb2.HealthCheckResponse.SERVING, (name, asked)


def test_every_service_has_its_published_health_and_answers_for_its_neighbours(services: Running) -> None:
    for name, address in services.rest.items():
        health = httpx.get(f"{address}/health", timeout=10)
        assert health.status_code == 200
        if name not in {"order", "stream"}:
            assert health.json()["service"] == f"{name}-service"
    assert restock(services.home, "status").returncode == 0
    for path in ("/oms/history/PROD-001", "/inventory/levels/PROD-001", "/supplier/info/PROD-001"):
        answers = {httpx.get(f"{address}{path}", timeout=10).text for address in services.rest.values()}
        assert len(answers) == 1, path


def test_a_customer_order_leads_to_a_purchase_order_through_every_process(services: Running) -> None:
    before = len(services.orders_of("WIDGET-1"))
    stock = httpx.get(f"{services.rest['inventory']}/api/v1/stock/WIDGET-1", timeout=10).json()
    order = {
        "customer_id": "carol",
        "items": [{"sku": "WIDGET-1", "quantity": int(stock["available"]), "price": 29.99}],
        "shipping_address": "1 Road",
    }
    assert httpx.post(f"{services.rest['order']}/orders", json=order, timeout=10).status_code == 201
    until(lambda: len(services.orders_of("WIDGET-1")) == before + 1)
    figures = f"{services.rest['analytics']}/api/v1/figures"
    until(lambda: httpx.get(figures, timeout=10).json()["purchase_orders"] != [])
    until(lambda: len(list((services.home / "outbox").glob("*.pdf"))) >= before + 1)


def test_without_a_neighbour_there_is_no_decision_and_it_comes_back_by_itself(services: Running) -> None:
    for name in ("supplier", "po", "rule-engine"):
        (product,) = {"supplier": ["PROD-002"], "po": ["PROD-003"], "rule-engine": ["PROD-003"]}[name]
        os.kill(processes(services.home)[name], signal.SIGKILL)
        answer = services.flow(product)
        if answer.status_code != 200:  # it may be back before the third try
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert name in answer.json()["detail"]
        until(lambda name=name: is_ready(services, name))  # type: ignore[misc]
        until(lambda product=product: services.flow(product).status_code == 200)  # type: ignore[misc]
        assert len(services.orders_of(product)) == 1
    told = (services.home / "services.log").read_text()
    assert re.search(r"^po +ended \(by SIGKILL\); it is started again in 0\.(25|5) s$", told, re.MULTILINE), told


def test_a_neighbour_that_is_frozen_is_no_zero(services: Running) -> None:
    frozen = processes(services.home)["inventory"]
    os.kill(frozen, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        answer = services.flow("GADGET-A")
        assert answer.status_code in {503, 504}, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert time.monotonic() - begun < 25
    finally:
        os.kill(frozen, signal.SIGCONT)
    until(lambda: services.flow("GADGET-A").status_code == 200)
    assert len(services.orders_of("GADGET-A")) <= 1


def test_services_of_a_home_run_once(services: Running) -> None:
    again = restock(services.home, "up", "--detach", "--free-ports")
    assert again.returncode == 5
    assert "restock down" in again.stderr


def test_services_that_cannot_start_are_told_and_stopped(tmp_path: Path) -> None:
    home = tmp_path / "var"
    home.mkdir()
    (home / "restock.toml").write_text('db_host = "127.0.0.1"\ndb_port = 1\n')
    begun = restock(home, "up", "--free-ports")
    assert begun.returncode == 7, begun.stderr
    assert "did not start" in begun.stderr
    assert not processes(home)
