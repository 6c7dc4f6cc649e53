"""Calls the published interfaces of running services, and says which answered with what is published.

`scripts/test-api` asks every call, `scripts/test_purchasing_flow` walks one flow; both only look, unless they may order.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from restock.edge.grpc import messages  # the compiled protos; asks nothing of the network
from restock.services import SERVICES

TIMEOUT_SECONDS = 10

PO = ("po_id", "product_id", "supplier_id", "qty", "unit_price", "total_amount", "status", "created_at", "sent_at")
CALCULATION = ("need_reorder", "shortage", "order_qty", "total_amount", "requires_approval", "approval_status")
FLOW = ("success", "po", "calculation", "message")
MICROSERVICE = ("service", "status", "version")
HEALTH = {"order": ("service", "status"), "stream": ("status",)}
"""The members of a service's health, where the published ones are others than of a microservice."""


@dataclass(frozen=True)
class Call:
    """A published call: of which service, what is sent, and which members the answer has, or its member `inside`."""

    service: str
    name: str
    sent: Mapping[str, object] | None
    members: tuple[str, ...]
    inside: str = ""
    orders: bool = False
    """Whether it may order goods."""


def facts(product: str) -> dict[str, dict[str, object]]:
    """Give what the rule engine is sent: nothing that is kept anywhere."""
    return {
        "oms_data": {"product_id": product, "avg_daily_demand": 15.5, "trend": "increasing"},
        "inventory_data": {
            "product_id": product, "warehouse_id": "WH-001", "current_qty": 25, "reserved_qty": 5, "available_qty": 20,
        },
        "supplier_data": {
            "supplier_id": "SUP-001", "product_id": product, "moq": 20, "lead_time_days": 7, "unit_price": 15.99,
            "is_active": True,
        },
    }  # fmt: skip


def rest_calls(product: str, order: Mapping[str, object]) -> list[Call]:
    """Give the published calls over REST."""
    return [
        *(Call(each.name, "GET /health", None, HEALTH.get(each.name, MICROSERVICE)) for each in SERVICES),
        Call("oms", f"GET /oms/history/{product}", None, ("product_id", "avg_daily_demand", "trend"), "data"),
        Call("inventory", f"GET /inventory/levels/{product}", None,
             ("product_id", "warehouse_id", "current_qty", "reserved_qty", "available_qty"), "data"),
        Call("supplier", f"GET /supplier/info/{product}", None,
             ("supplier_id", "product_id", "moq", "lead_time_days", "unit_price", "is_active"), "data"),
        Call("uom", f"GET /uom/conversions/{product}", None,
             ("product_id", "from_uom", "to_uom", "conversion_factor"), "data"),
        Call("rule-engine", "POST /rules/evaluate", facts(product), CALCULATION),
        Call("orchestrator", "POST /purchasing/flow", {"product_id": product}, FLOW, orders=True),
        Call("po", "POST /po/create", order, PO, "po", orders=True),
    ]  # fmt: skip


def grpc_calls(product: str) -> list[Call]:
    """Give the published calls over gRPC that order nothing."""
    asked = {"product_id": product}
    return [
        Call("oms", "oms.OmsService/GetHistory", asked, ("product_id", "avg_daily_demand", "trend")),
        Call("inventory", "inventory.InventoryService/GetLevels", asked, ("product_id", "available_qty")),
        Call(
            "supplier", "supplier.SupplierService/GetInfo", asked, ("product_id", "moq", "unit_price", "supplier_name")
        ),
        Call("uom", "uom.UomService/GetConversion", asked, ("product_id", "base_unit", "case_qty", "pallet_qty")),
        Call("rule-engine", "rule_engine.RuleEngineService/Evaluate", facts(product), CALCULATION),
        Call("po", "po.PoService/HealthCheck", {}, ("status", "service")),
    ]


def over_rest(base: str, call: Call, key: str = "") -> Any:
    """Give the answer. Raises OSError where nobody answers, ValueError for another answer than 200 with JSON."""
    verb, path = call.name.split(" ", 1)
    url = urlsplit(base)
    made = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = made(url.netloc, timeout=TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    try:
        connection.request(verb, path, None if call.sent is None else json.dumps(call.sent), headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"status {answer.status}: {body.decode('utf-8', 'replace')[:200]}")
    return json.loads(body)


def over_grpc(address: str, call: Call) -> Any:
    """Give the answer as it is in JSON. Raises OSError where nobody answers, ValueError for another status than OK."""
    import grpc  # noqa: PLC0415 - an extra
    from google.protobuf import json_format  # noqa: PLC0415 - comes with it

    name, method = call.name.split("/")
    signature = messages.service(name).methods_by_name[method]
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(
            f"/{call.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=messages.message(signature.output_type.full_name).FromString,
        )
        request = json_format.ParseDict(call.sent or {}, messages.message(signature.input_type.full_name)())
        try:
            reply = ask(request, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise ConnectionError(error.details()) from error
            raise ValueError(f"{error.code().name}: {error.details()}") from error
    return json_format.MessageToDict(reply, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def asked(call: Call, ask: Callable[[], Any]) -> dict[str, object]:
    """Ask, and say how it went: answered, wrong or silent."""
    told: dict[str, object] = {"service": call.service, "call": call.name}
    try:
        answer = ask()
    except OSError as error:
        return told | {"result": "silent", "why": str(error)}
    except (ValueError, http.client.HTTPException) as error:
        return told | {"result": "wrong", "why": str(error)}
    inner = answer.get(call.inside) if call.inside else answer
    missing = [name for name in call.members if not isinstance(inner, dict) or name not in inner]
    return told | ({"result": "wrong", "why": f"lacks {', '.join(missing)}"} if missing else {"result": "answered"})


def every_call(given: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Ask each published call, or say that it was left out; an order that is made is sent too."""
    rest = {each.name: given.at or f"http://127.0.0.1:{each.rest_port}" for each in SERVICES}
    grpc_at = {each.name: given.grpc_at or f"127.0.0.1:{each.grpc_port}" for each in SERVICES}
    order = {
        "product_id": given.product,
        "supplier_id": "SUP-001",
        "qty": 20,
        "unit_price": 15.99,
        "total_amount": 319.8,
    }
    for call in rest_calls(given.product, order):
        if call.orders and not given.orders:
            yield {
                "service": call.service,
                "call": call.name,
                "result": "left out",
                "why": "it may order; --orders asks it",
            }
            continue
        answers: list[Any] = []
        yield asked(
            call,
            partial(kept, answers, partial(over_rest, rest[call.service], call, str(uuid4()) if call.orders else "")),
        )
        if call.name == "POST /po/create" and answers:
            sending = Call("po", "POST /po/send", answers[0].get("po"), PO, "po")
            yield asked(sending, partial(over_rest, rest["po"], sending))
    for call in grpc_calls(given.product) if not given.no_grpc else []:
        yield asked(call, partial(over_grpc, grpc_at[call.service], call))


def kept(answers: list[Any], ask: Callable[[], Any]) -> Any:
    """Ask, and keep the answer."""
    answers.append(ask())
    return answers[-1]


def one_flow(given: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Walk one flow, twice with one key: the second must order nothing, and answer as the first did."""
    base, key = given.at or "http://127.0.0.1:8080", str(uuid4())
    call = Call("orchestrator", "POST /purchasing/flow", {"product_id": given.product}, FLOW)
    replies: list[Any] = []
    once = partial(kept, replies, partial(over_rest, base, call, key))
    yield asked(call, once)
    yield asked(Call("orchestrator", call.name, call.sent, CALCULATION, "calculation"), once)
    if len(replies) == 2:
        same = replies[0] == replies[1]
        told = {"service": "orchestrator", "call": "the same key again"}
        yield told | ({"result": "answered"} if same else {"result": "wrong", "why": "another answer than before"})
        if replies[0].get("po") is not None:
            yield asked(Call("orchestrator", "its purchase order", None, PO, "po"), lambda: replies[0])


def main(arguments: list[str] | None = None) -> int:
    """Ask as the command says; give 0 when everything that was asked answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("api", "flow"))
    parser.add_argument(
        "--at", default="", metavar="URL", help="one server that answers everything, such as http://127.0.0.1:8080"
    )
    parser.add_argument(
        "--grpc-at", default="", metavar="HOST:PORT", help="likewise over gRPC; published ports by default"
    )
    parser.add_argument("--no-grpc", action="store_true", help="leave gRPC out")
    parser.add_argument("--product", default="PROD-001", help="the product to ask about")
    parser.add_argument("--orders", action="store_true", help="ask also what may order goods")
    parser.add_argument("--json", action="store_true", help="print one JSON object per call")
    given = parser.parse_args(arguments)
    good = True
    for told in every_call(given) if given.what == "api" else one_flow(given):
        good = good and told["result"] in {"answered", "left out"}
        line = json.dumps(told) if given.json else f"{told['result']:<9} {told['service']:<13} {told['call']}"
        print(line if given.json or "why" not in told else f"{line}: {told['why']}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
