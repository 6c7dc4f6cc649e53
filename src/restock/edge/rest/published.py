"""Routes whose form is published, or that ask several ports: they stand beside or in place of the derived ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import InvalidInput, NotFound, RestockError
from restock.edge import wire
from restock.edge.rest.message import Answer, Request
from restock.edge.rest.routes import Page, Route, from_body, from_query, keyed
from restock.edge.rest.served import Served
from restock.inventory.port import CatalogueRequest, PositionFrame, PositionsRequest
from restock.orders.model import NewOrder
from restock.orders.port import Failure, Placement, PlaceRequest
from restock.replenishment.port import FlowBatchRequest, FlowReplies, FlowReply, FlowRequest

MAX_PRODUCTS = 10_000
"""Products in one batch: a few seconds of work; whole catalogues are planned."""

FLOW_EXAMPLE = {"product_id": "PROD-001"}


@dataclass(frozen=True)
class StockRequest:
    """Which product's stock, in which warehouse."""

    product_id: str
    warehouse_id: str = DEFAULT_WAREHOUSE


@dataclass(frozen=True)
class StockPageRequest:
    """A page of stock in the order of products, after the given one."""

    after: str = ""
    limit: int = 100
    warehouse_id: str = DEFAULT_WAREHOUSE


@dataclass(frozen=True)
class PlacedOrder:
    """An accepted order, in the published members."""

    order_id: str
    status: str
    total_amount: Decimal
    created_at: str


@dataclass(frozen=True)
class PlacedOrders:
    """An accepted order or an error per order, in the order asked."""

    results: list[PlacedOrder | RestockError]


class Refusal(InvalidInput):
    """What a port answered in the place of an order."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail, field=failure.field, remedy=failure.remedy)
        self.status = failure.status  # type: ignore[misc]  # of this one
        self.code = failure.code  # type: ignore[misc]  # of this one


def routes(app: Served, counted: Callable[[FlowReply | RestockError], None]) -> list[Route]:
    """Give the routes; `counted` is told the outcome of every flow."""
    return [
        _flow(app, counted),
        _flow_batch(app, counted),
        _order(app),
        _order_batch(app),
        _stock(app),
        _stock_page(app),
    ]


def _flow(app: Served, counted: Callable[[FlowReply | RestockError], None]) -> Route:
    run, encode = app.replenishment.flow, wire.encode
    read = wire.Reader(FlowRequest).read

    async def handle(request: Request) -> Answer:
        asked = read(request.body)
        if request.key:
            asked = keyed(asked, request.key)
        try:
            reply = await run(asked)
        except RestockError as error:
            counted(error)
            raise
        counted(reply)
        return Answer(200, encode(reply))

    return Route(
        "replenishment.flow",
        "POST",
        "/purchasing/flow",
        "Replenish one product",
        FlowRequest,
        FlowReply,
        handle,
        tag="replenishment",
        examples=FLOW_EXAMPLE,
        takes_key=True,
    )


def _flow_batch(app: Served, counted: Callable[[FlowReply | RestockError], None]) -> Route:
    read = wire.Reader(FlowBatchRequest).read

    async def handle(request: Request) -> Answer:
        asked = read(request.body)
        if request.key:
            asked = keyed(asked, request.key)
        if len(asked.products) > MAX_PRODUCTS:
            raise InvalidInput(
                f"{len(asked.products)} products are too many at once.",
                field="products",
                remedy=f"Send {MAX_PRODUCTS}, or make a plan.",
            )
        replies = await app.replenishment.flow_batch(asked)
        for reply in replies.results:
            counted(reply)
        return Answer(200, wire.encode(replies))

    return Route(
        "replenishment.flow_batch",
        "POST",
        "/purchasing/flow/batch",
        "Replenish many products in one run; each gets its reply or its error",
        FlowBatchRequest,
        FlowReplies,
        handle,
        tag="replenishment",
        takes_key=True,
        examples={"products": ["PROD-001", "PROD-002", "PROD-003"]},
    )


def _order(app: Served) -> Route:
    route = Route(
        "orders.place",
        "POST",
        "/api/v1/orders",
        "Accept an order",
        NewOrder,
        PlacedOrder,
        _later,
        201,
        "orders",
        {"customer_id": "cust-alice", "items": [{"sku": "PROD-001", "quantity": 2, "price": "29.99"}]},
        takes_key=True,
    )
    read = from_body(route)

    async def handle(request: Request) -> Answer:
        asked = read(request)
        placed = _placed((await app.orders.place(PlaceRequest([asked]))).orders[0])
        if isinstance(placed, RestockError):
            raise placed
        return Answer(201, wire.encode(placed))

    return replace(route, handler=handle)


def _order_batch(app: Served) -> Route:
    read = wire.Reader(PlaceRequest).read

    async def handle(request: Request) -> Answer:
        asked = read(request.body)
        if request.key:
            asked = PlaceRequest(_each_keyed(asked.orders, request.key))
        placements = await app.orders.place(asked)
        return Answer(200, wire.encode(PlacedOrders([_placed(one) for one in placements.orders])))

    return Route(
        "orders.place_batch",
        "POST",
        "/api/v1/orders/batch",
        "Accept many orders; each gets its reply or its error",
        PlaceRequest,
        PlacedOrders,
        handle,
        tag="orders",
        takes_key=True,
        examples={
            "orders": [{"customer_id": "cust-bob", "items": [{"sku": "PROD-002", "quantity": "1.5", "price": 49.99}]}]
        },
    )


def _each_keyed(orders: list[NewOrder], key: str) -> list[NewOrder]:
    """Give every order without a key one of its own, so that a batch which is sent again is accepted once."""
    stem = hashlib.sha256(key.encode()).hexdigest()
    return [
        one if one.idempotency_key else replace(one, idempotency_key=f"batch:{stem}:{place}")
        for place, one in enumerate(orders)
    ]


def _placed(placement: Placement) -> PlacedOrder | RestockError:
    if placement.error is not None:
        return Refusal(placement.error)
    return PlacedOrder(placement.order_id, placement.status, placement.total_amount, placement.created_at)


def _stock(app: Served) -> Route:
    route = Route(
        "inventory.stock",
        "GET",
        "/api/v1/stock/{product_id}",
        "Stock of one product",
        StockRequest,
        PositionFrame,
        _later,
        tag="inventory",
        as_row=True,
    )
    read = from_query(route)

    async def handle(request: Request) -> Answer:
        asked: StockRequest = read(request)
        positions = await app.inventory.positions(PositionsRequest([asked.product_id], asked.warehouse_id))
        for row in positions.rows():
            return Answer(200, wire.encode(row))
        raise NotFound(
            f"{asked.product_id} has no stock on file in {asked.warehouse_id}.",
            field="product_id",
            remedy="Check the name, or count it with POST /api/v1/stock.",
        )

    return replace(route, handler=handle)


def _stock_page(app: Served) -> Route:
    route = Route(
        "inventory.stock_page",
        "GET",
        "/api/v1/stock",
        "Stock, in the order of products",
        StockPageRequest,
        PositionFrame,
        _later,
        tag="inventory",
        page=Page("after", "product_id"),
    )
    read = from_query(route)

    async def handle(request: Request) -> Answer:
        asked: StockPageRequest = read(request)
        known = await app.inventory.catalogue(CatalogueRequest(asked.after, asked.limit))
        positions = await app.inventory.positions(PositionsRequest(list(known.product_id), asked.warehouse_id))
        following = known.product_id[-1] if len(known) >= asked.limit else ""
        return Answer(200, wire.encode({"items": positions, "next": following}, rows=True))

    return replace(route, handler=handle)


async def _later(request: Request) -> Answer:
    raise NotImplementedError(request.path)
