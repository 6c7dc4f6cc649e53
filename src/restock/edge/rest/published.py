"""Routes whose form is published, or that ask several ports: they stand beside or in place of the derived ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from restock.core.defaults import DEFAULT_WAREHOUSE
from restock.core.errors import InvalidInput, NotFound
from restock.edge import wire
from restock.edge.rest.message import Answer, Request
from restock.edge.rest.routes import Page, Route, from_query, keyed
from restock.edge.rest.served import Served
from restock.inventory.port import CatalogueRequest, PositionFrame, PositionsRequest
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


def routes(app: Served) -> list[Route]:
    """Give the routes."""
    return [
        _flow(app),
        _flow_batch(app),
        _stock(app),
        _stock_page(app),
    ]


def _flow(app: Served) -> Route:
    run, encode = app.replenishment.flow, wire.encode
    read = wire.Reader(FlowRequest).read

    async def handle(request: Request) -> Answer:
        asked = read(request.body)
        if request.key:
            asked = keyed(asked, request.key)
        reply = await run(asked)
        request.about = {"run_id": reply.run_id, "po_id": reply.po.po_id if reply.po else ""}
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


def _flow_batch(app: Served) -> Route:
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
