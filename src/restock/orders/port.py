"""What the orders context promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Protocol

from restock.core.frame import Frame
from restock.core.operation import Operation, Permission
from restock.core.reply import Stored
from restock.orders.model import Demand, NewOrder, OrderItem

DEFAULT_WINDOW_DAYS = 90
"""Days of history that demand is computed from: a season, and long enough for products sold once a week."""

MAX_ORDERS = 1000
"""Orders in one request, and orders in one page."""


TOPIC = "orders"
"""Where accepted orders are told, by their customer."""

FIRST_VERSION, VERSION = 1, 2
"""The published order interfaces: the first, and the one that everybody gets who names none."""


@dataclass(frozen=True)
class PlaceRequest:
    """Orders to accept. `schema_version` is the published interface they come by, 1 or 2: it is counted, nothing else."""

    orders: list[NewOrder]
    schema_version: int = VERSION


@dataclass(frozen=True)
class Failure:
    """Why one of many was refused: the members of a problem document."""

    code: str
    detail: str
    field: str = ""
    remedy: str = ""
    status: int = 422


@dataclass(frozen=True)
class Placement:
    """An accepted order as published, or, when `error` is set, the reason why there is none."""

    order_id: str
    status: str
    total_amount: Decimal
    created_at: str
    error: Failure | None = None


@dataclass(frozen=True)
class Placements:
    """An answer for each order of the request, in its order."""

    orders: list[Placement]


@dataclass(frozen=True)
class Order:
    """An accepted order."""

    order_id: str
    customer_id: str
    items: list[OrderItem]
    total_amount: Decimal
    shipping_address: str | None
    status: str
    created_at: str


@dataclass(frozen=True)
class CountsRequest:
    """How many orders there are; nothing to choose."""


@dataclass(frozen=True)
class OrderCounts:
    """Orders accepted since ever, and how many of them came by each published interface."""

    orders: int
    v1: int
    v2: int


@dataclass(frozen=True)
class OrderRequest:
    """Which order."""

    order_id: str


@dataclass(frozen=True)
class OrdersRequest:
    """A page of orders, newest first; `after` is the last order of the page before."""

    limit: int = 50
    after: str = ""


@dataclass(frozen=True)
class OrderPage:
    """Orders, newest first; `next` is what to give as `after` for the next page, empty at the end."""

    orders: list[Order]
    next: str = ""


@dataclass(frozen=True)
class DemandRequest:
    """Which products' demand."""

    products: list[str]


@dataclass(frozen=True)
class DemandFrame(Frame):
    """Demand in stock units, a row per product for which it is known."""

    product_id: Sequence[str]
    demand_per_day: Sequence[Decimal]
    trend: Sequence[str]
    window_days: Sequence[int]
    as_of: Sequence[str]
    source: Sequence[str]


@dataclass(frozen=True)
class PutDemandRequest:
    """Demand that somebody states; that of the same product is replaced."""

    demand: list[Demand]


@dataclass(frozen=True)
class AddHistoryRequest(Frame):
    """Lines of sales and returns from a file, in columns (`restock.orders.history`).

    `key` says which line it is: the same key again is the same line and changes nothing. Quantities are above 0 for both
    kinds. `reference` is the invoice or order, `customer_id` may be empty.
    """

    key: Sequence[str]
    kind: Sequence[str]
    day: Sequence[str]
    product_id: Sequence[str]
    quantity: Sequence[Decimal]
    price: Sequence[Decimal]
    reference: Sequence[str]
    customer_id: Sequence[str]


@dataclass(frozen=True)
class FinishImportRequest:
    """What became of a file that was read to its end. `digest` is the SHA-256 of its bytes."""

    digest: str
    file: str
    lines: int
    sales: int
    returns: int
    rejected: int


@dataclass(frozen=True)
class HistoryImport:
    """A file that was imported to its end."""

    digest: str
    file: str
    lines: int
    sales: int
    returns: int
    rejected: int
    at: str


@dataclass(frozen=True)
class ImportsRequest:
    """The files that were imported to their end; nothing to choose."""


@dataclass(frozen=True)
class HistoryImports:
    """Imported files, oldest first."""

    imports: list[HistoryImport] = field(default_factory=list)


@dataclass(frozen=True)
class RecomputeDemandRequest:
    """Compute demand from history: the `window_days` days before the stock date, which itself is not among them."""

    stock_date: date
    window_days: int = DEFAULT_WINDOW_DAYS


@dataclass(frozen=True)
class Recomputed:
    """Products with history, how many got another demand, how many kept the one that somebody stated."""

    products: int
    changed: int
    kept_stated: int


class Orders(Protocol):
    """Accepts customer orders and knows what is sold per day."""

    async def place(self, request: PlaceRequest) -> Placements:
        """Accept each order that is right: durable, with its OrderPlaced event, before the answer."""
        ...

    async def order(self, request: OrderRequest) -> Order:
        """Give an order. Raises NotFound."""
        ...

    async def orders(self, request: OrdersRequest) -> OrderPage:
        """Give a page of orders, newest first."""
        ...

    async def counts(self, request: CountsRequest) -> OrderCounts:
        """Give how many orders were accepted: what is stored, so it is right after a restart too."""
        ...

    async def demand(self, request: DemandRequest) -> DemandFrame:
        """Give the demand of the products for which it is known; what is missing is unknown, never 0."""
        ...

    async def put_demand(self, request: PutDemandRequest) -> Stored:
        """Store stated demand; the same again changes nothing."""
        ...

    async def add_history(self, request: AddHistoryRequest) -> Stored:
        """Store lines of the past, which are demand only: no event, no reservation. Known lines change nothing."""
        ...

    async def finish_import(self, request: FinishImportRequest) -> Stored:
        """Write down what became of a file."""
        ...

    async def imports(self, request: ImportsRequest) -> HistoryImports:
        """Give the files that were imported to their end."""
        ...

    async def recompute_demand(self, request: RecomputeDemandRequest) -> Recomputed:
        """Compute the demand of every product with history; what somebody stated stays."""
        ...

    async def revision(self) -> int:
        """Give a number that grows whenever demand changes."""
        ...


_BASE = "/api/v1/orders"

OPERATIONS = (
    Operation(
        "orders.place",
        PlaceRequest,
        Placements,
        "POST",
        _BASE,
        "Accept orders",
        Permission.BUY,
        writes=True,
        status=201,
    ),
    Operation("orders.orders", OrdersRequest, OrderPage, "GET", _BASE, "Orders, newest first"),
    Operation("orders.counts", CountsRequest, OrderCounts, "GET", f"{_BASE}/counts", "How many orders there are"),
    Operation("orders.order", OrderRequest, Order, "GET", f"{_BASE}/{{order_id}}", "One order"),
    Operation("orders.demand", DemandRequest, DemandFrame, "POST", f"{_BASE}/demand/query", "Demand of many products"),
    Operation(
        "orders.put_demand",
        PutDemandRequest,
        Stored,
        "POST",
        f"{_BASE}/demand",
        "State the demand of products",
        Permission.BUY,
        writes=True,
    ),
    Operation(
        "orders.recompute_demand",
        RecomputeDemandRequest,
        Recomputed,
        "POST",
        f"{_BASE}/demand/recompute",
        "Compute demand from imported history",
        Permission.BUY,
        writes=True,
    ),
    Operation(
        "orders.add_history",
        AddHistoryRequest,
        Stored,
        "POST",
        f"{_BASE}/history",
        "Store lines of the past",
        Permission.ADMINISTER,
        writes=True,
    ),
    Operation(
        "orders.finish_import",
        FinishImportRequest,
        Stored,
        "POST",
        f"{_BASE}/history/imports",
        "Write down what became of a file",
        Permission.ADMINISTER,
        writes=True,
    ),
    Operation("orders.imports", ImportsRequest, HistoryImports, "GET", f"{_BASE}/history/imports", "Imported files"),
)
