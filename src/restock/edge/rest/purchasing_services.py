"""The published services of purchasing over REST: their paths, and the envelope that they answer in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from restock.edge import wire
from restock.edge.published_orders import CreateOrderRequest, PublishedOrder, PublishedOrders
from restock.edge.purchasing_services import (
    Conversion,
    EvaluateRequest,
    Evaluation,
    History,
    Info,
    Levels,
    PurchasingServices,
)
from restock.edge.rest.message import Answer, Request
from restock.edge.rest.routes import Route, from_body, from_query
from restock.edge.rest.served import Served


@dataclass(frozen=True)
class ProductRequest:
    """Which product."""

    product_id: str


@dataclass(frozen=True)
class HistoryReply:
    """The published envelope."""

    data: History


@dataclass(frozen=True)
class LevelsReply:
    """The published envelope."""

    data: Levels


@dataclass(frozen=True)
class InfoReply:
    """The published envelope."""

    data: Info


@dataclass(frozen=True)
class ConversionReply:
    """The published envelope."""

    data: Conversion


@dataclass(frozen=True)
class SendOrderRequest:
    """The order to send; the published service is sent the whole of it, and looks at its identifier."""

    po_id: str
    product_id: str = ""
    supplier_id: str = ""
    qty: Decimal = Decimal(0)
    unit_price: Decimal = Decimal(0)
    total_amount: Decimal = Decimal(0)
    status: str = ""
    created_at: str = ""
    sent_at: str = ""


@dataclass(frozen=True)
class OrderReply:
    """The published envelope."""

    po: PublishedOrder


def routes(app: Served) -> list[Route]:
    """Give the routes."""
    services = PurchasingServices(app)
    return [
        _reading("orders.history", "/oms/history/{product_id}", "Demand of a product", HistoryReply, services.history),
        _reading(
            "inventory.levels", "/inventory/levels/{product_id}", "Stock of a product", LevelsReply, services.levels
        ),
        _reading("suppliers.info", "/supplier/info/{product_id}", "Terms of a product", InfoReply, services.info),
        _reading(
            "units.of", "/uom/conversions/{product_id}", "Units of a product", ConversionReply, services.conversion
        ),
        _reading(
            "units.one", "/uom/conversion/{product_id}", "Units of a product", ConversionReply, services.conversion
        ),
        *_ordering(PublishedOrders(app)),
        _evaluating("/rules/evaluate", services),
        _evaluating("/evaluate", services),
    ]


def _reading(name: str, path: str, summary: str, reply: type, call: Callable[[str], Awaitable[object]]) -> Route:
    route = Route(name, "GET", path, summary, ProductRequest, reply, _later, tag="published services")
    read = from_query(route)

    async def handle(request: Request) -> Answer:
        asked: ProductRequest = read(request)
        return Answer(200, wire.encode(reply(await call(asked.product_id))))

    return replace(route, handler=handle)


def _ordering(orders: PublishedOrders) -> list[Route]:
    """Give the routes of the purchase order service."""
    tag = "published services"
    create = Route(
        "purchasing.po_create", "POST", "/po/create", "Order a product", CreateOrderRequest, OrderReply, _later, tag=tag,
        takes_key=True,
    )  # fmt: skip
    send = Route(
        "purchasing.po_send", "POST", "/po/send", "Send an order", SendOrderRequest, OrderReply, _later, tag=tag
    )
    read_order, read_sent = from_body(create), from_body(send)

    async def make(request: Request) -> Answer:
        return Answer(200, wire.encode(OrderReply(await orders.create(read_order(request)))))

    async def sent(request: Request) -> Answer:
        asked: SendOrderRequest = read_sent(request)
        return Answer(200, wire.encode(OrderReply(await orders.send(asked.po_id))))

    return [replace(create, handler=make), replace(send, handler=sent)]


def _evaluating(path: str, services: PurchasingServices) -> Route:
    route = Route(
        f"decisions.evaluate{path.replace('/', '_')}", "POST", path, "Ask the rules", EvaluateRequest, Evaluation, _later,
        tag="published services",
    )  # fmt: skip
    read = from_body(route)

    async def handle(request: Request) -> Answer:
        return Answer(200, wire.encode(await services.evaluate(read(request))))

    return replace(route, handler=handle)


async def _later(request: Request) -> Answer:
    raise NotImplementedError(request.path)
