"""Accepting orders over REST: under /api/v1, and at the paths and with the members of the published order service.

The published service has two doors, v1 and v2, that differ in the event they write: that of v1 lacks the items, so nothing
could be reserved from it. Here both take the same order and write the same event; which door was used is counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec

from restock.core.errors import InvalidInput, RestockError
from restock.edge import wire
from restock.edge.rest.message import Answer, Request
from restock.edge.rest.probes import Condition, Nothing, shown
from restock.edge.rest.routes import Route, from_body
from restock.edge.rest.served import Served
from restock.orders.model import NewOrder
from restock.orders.port import FIRST_VERSION, TOPIC, VERSION, CountsRequest, Failure, Placement, PlaceRequest

SERVICE = "order"
"""The name of the service that answers at the published paths, as `restock serve` takes it."""

SUBJECT = f"{TOPIC}-value"
"""Under which name the registry knows the schema of orders."""

EXAMPLE = {"customer_id": "cust-alice", "items": [{"sku": "PROD-001", "quantity": 2, "price": "29.99"}]}

BATCH_EXAMPLE = {
    "orders": [{"customer_id": "cust-bob", "items": [{"sku": "PROD-002", "quantity": "1.5", "price": 49.99}]}]
}


@dataclass(frozen=True)
class PlacedOrder:
    """An accepted order, in the published members."""

    order_id: str
    status: str
    total_amount: Decimal
    created_at: str


@dataclass(frozen=True)
class VersionedOrder:
    """An accepted order, in the members of the published service: with the version of the door it came by."""

    order_id: str
    status: str
    total_amount: Decimal
    created_at: str
    schema_version: int


@dataclass(frozen=True)
class PlacedOrders:
    """An accepted order or an error per order, in the order asked."""

    results: list[PlacedOrder | RestockError]


@dataclass(frozen=True)
class ServiceHealth:
    """The published health of the order service. The registry is in the store of the stream: both answer or neither does."""

    status: str
    service: str
    streamhouse_connected: bool
    schema_registry_connected: bool
    schemas_registered: list[str]


@dataclass(frozen=True)
class SchemaIds:
    """Identifiers of the registered schemas: one and the same, as both doors write the same event."""

    v1_id: int
    v2_id: int


@dataclass(frozen=True)
class Stats:
    """The published statistics, counted from what is stored: a restart forgets nothing."""

    orders_produced: int
    orders_v1: int
    orders_v2: int
    topic: str
    schemas: SchemaIds


class Refusal(InvalidInput):
    """What a port answered in the place of an order."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail, field=failure.field, remedy=failure.remedy)
        self.status = failure.status  # type: ignore[misc]  # of this one
        self.code = failure.code  # type: ignore[misc]  # of this one


def routes(app: Served) -> list[Route]:
    """Give the routes; the published ones are on every server, since no other path is theirs."""
    return [
        _place(app, "orders.place", "/api/v1/orders"),
        _place_batch(app, "orders.place_batch", "/api/v1/orders/batch"),
        _place(app, "orders.place_published", "/orders", VERSION),
        _place(app, "orders.place_v1", "/orders/v1", FIRST_VERSION),
        _place(app, "orders.place_v2", "/orders/v2", VERSION),
        _place_batch(app, "orders.place_published_batch", "/orders/batch"),
        _stats(app),
    ]


def health(app: Served, condition: Condition) -> Route:
    """Give the health that the order service has in the place of the common one."""

    async def handle(_request: Request) -> Answer:
        status = "unhealthy" if await condition.problems() else "healthy"
        answers = await _stream_answers(app)
        subjects = list(await app.registry.subjects()) if answers else []
        told = ServiceHealth(status, "order-service", answers, answers, subjects)
        return Answer(200 if status == "healthy" else 503, wire.encode(told))

    return shown("health", "The published health of the order service", ServiceHealth, handle)


async def _stream_answers(app: Served) -> bool:
    try:
        await app.databases["stream"].changes()
    except Exception:  # whatever is wrong with it, it does not answer; `problems` says what
        return False
    return True


def _place(app: Served, name: str, path: str, version: int = 0) -> Route:
    """Give the route of one order; with a version, the published one."""
    reply = VersionedOrder if version else PlacedOrder
    route = Route(
        name, "POST", path, "Accept an order", NewOrder, reply, _later, 201, "orders", EXAMPLE, takes_key=True
    )
    read = from_body(route)

    async def handle(request: Request) -> Answer:
        asked = PlaceRequest([read(request)], version or VERSION)
        (placement,) = (await app.orders.place(asked)).orders
        if placement.error is not None:
            raise Refusal(placement.error)
        request.about = {"order_id": placement.order_id}
        members = (placement.order_id, placement.status, placement.total_amount, placement.created_at)
        return Answer(201, wire.encode(VersionedOrder(*members, version) if version else PlacedOrder(*members)))

    return replace(route, handler=handle)


def _place_batch(app: Served, name: str, path: str) -> Route:
    reader = wire.Reader(PlaceRequest)

    async def handle(request: Request) -> Answer:
        if request.key:
            asked = reader.read(request.body)
            asked = replace(asked, orders=_each_keyed(asked.orders, request.key))
        else:
            found = reader.structs(request.body)  # orders as structs: the port looks at every member of them anyway
            asked = PlaceRequest(found.orders, found.schema_version)
        return Answer(200, _replies((await app.orders.place(asked)).orders))

    summary = "Accept many orders; each gets its reply or its error"
    return Route(
        name,
        "POST",
        path,
        summary,
        PlaceRequest,
        PlacedOrders,
        handle,
        tag="orders",
        takes_key=True,
        examples=BATCH_EXAMPLE,
    )


def _stats(app: Served) -> Route:
    async def handle(_request: Request) -> Answer:
        counts = await app.orders.counts(CountsRequest())
        schema = (await app.registry.version(SUBJECT, "latest")).schema.id
        ids = SchemaIds(schema, schema)
        return Answer(200, wire.encode(Stats(counts.orders, counts.v1, counts.v2, TOPIC, ids)))

    return Route("orders.stats", "GET", "/stats", "The published statistics", Nothing, Stats, handle, tag="orders")


def _each_keyed(orders: list[NewOrder], key: str) -> list[NewOrder]:
    """Give every order without a key one of its own, so that a batch which is sent again is accepted once."""
    stem = hashlib.sha256(key.encode()).hexdigest()
    return [
        one if one.idempotency_key else replace(one, idempotency_key=f"batch:{stem}:{place}")
        for place, one in enumerate(orders)
    ]


def _replies(placements: Sequence[Placement]) -> bytes:
    """Write the answer to many: `PlacedOrders`, of structs, since a port's totals are plain numbers already."""
    results = [
        _Placed(one.order_id, one.status, one.total_amount, one.created_at)
        if one.error is None
        else msgspec.Raw(wire.encode(Refusal(one.error)))
        for one in placements
    ]
    return b'{"results":%b}' % _json(results)


class _Placed(msgspec.Struct, gc=False):
    order_id: str
    status: str
    total_amount: Decimal
    created_at: str


_json = msgspec.json.Encoder(decimal_format="number").encode


async def _later(request: Request) -> Answer:
    raise NotImplementedError(request.path)
