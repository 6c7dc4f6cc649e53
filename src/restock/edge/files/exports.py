"""Exporting what Restock knows, page by page through the ports; the columns are those that the imports read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from restock.core.errors import InvalidInput
from restock.core.frame import Frame
from restock.edge.files.written import Rows, Value, write_rows
from restock.inventory.port import CatalogueFrame, CatalogueRequest, Inventory, PositionFrame, PositionsRequest
from restock.orders.port import DemandFrame, DemandRequest, Order, Orders, OrdersRequest
from restock.suppliers.port import OffersFrame, OffersRequest, Suppliers
from restock.units.port import ConversionFrame, ConversionsRequest, Units

PAGE = 500
"""Rows asked of a port at a time."""

ORDER_COLUMNS = (
    "order_id",
    "date",
    "customer_id",
    "product_id",
    "quantity",
    "price",
    "total_amount",
    "status",
    "shipping_address",
)
"""A row per item of an order; order_id, date, customer_id, product_id, quantity and price are what an import reads."""

KINDS = ("products", "stock", "suppliers", "units", "orders", "demand")
"""What can be exported."""


@dataclass(frozen=True)
class ExportPorts:
    """The contexts that are asked."""

    orders: Orders
    inventory: Inventory
    suppliers: Suppliers
    units: Units


async def export(kind: str, path: Path, ports: ExportPorts) -> int:
    """Write one kind to a file, .csv, .jsonl or .parquet; give the number of rows. Raises InvalidInput."""
    if kind == "orders":
        return await write_rows(path, ORDER_COLUMNS, _orders(ports.orders))
    if kind == "products":
        return await write_rows(path, _columns(CatalogueFrame), _pages(_catalogue(ports.inventory)))
    if kind not in KINDS:
        raise InvalidInput(f"{kind!r} cannot be exported.", field="kind", remedy=f"Give one of {', '.join(KINDS)}.")
    frame, ask = _asked(kind, ports)

    async def answers() -> AsyncIterator[Frame]:
        async for page in _catalogue(ports.inventory):
            yield await ask(list(page.product_id))

    return await write_rows(path, _columns(frame), _pages(answers()))


def _asked(kind: str, ports: ExportPorts) -> tuple[type[Frame], Callable[[list[str]], Awaitable[Frame]]]:
    """Give the reply of the port that knows the kind, and how to ask it about products."""
    asked: dict[str, tuple[type[Frame], Callable[[list[str]], Awaitable[Frame]]]] = {
        "stock": (PositionFrame, lambda products: ports.inventory.positions(PositionsRequest(products))),
        "suppliers": (OffersFrame, lambda products: ports.suppliers.offers(OffersRequest(products))),
        "units": (ConversionFrame, lambda products: ports.units.conversions(ConversionsRequest(products))),
        "demand": (DemandFrame, lambda products: ports.orders.demand(DemandRequest(products))),
    }
    return asked[kind]


def _columns(frame: type[Frame]) -> tuple[str, ...]:
    return tuple(column.name for column in fields(frame))


async def _pages(frames: AsyncIterator[Frame]) -> Rows:
    async for frame in frames:
        yield cast("Sequence[dict[str, Value]]", list(frame.rows()))


async def _catalogue(inventory: Inventory) -> AsyncIterator[CatalogueFrame]:
    after = ""
    while len(page := await inventory.catalogue(CatalogueRequest(after, PAGE))):
        yield page
        after = page.product_id[-1]


async def _orders(orders: Orders) -> Rows:
    after = ""
    while True:
        page = await orders.orders(OrdersRequest(PAGE, after))
        yield [row for order in page.orders for row in _items(order)]
        after = page.next
        if not after:
            return


def _items(order: Order) -> list[dict[str, Value]]:
    rest: dict[str, Value] = {
        "order_id": order.order_id,
        "date": order.created_at,
        "customer_id": order.customer_id,
        "total_amount": order.total_amount,
        "status": order.status,
        "shipping_address": order.shipping_address,
    }
    return [{**rest, "product_id": item.sku, "quantity": item.quantity, "price": item.price} for item in order.items]
