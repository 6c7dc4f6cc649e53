"""Keeps the promise of the orders port on a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from restock.core.clock import Clock, timestamp
from restock.core.errors import InvalidInput, Unavailable
from restock.core.frame import batches
from restock.core.ids import Ids
from restock.core.once import once_each
from restock.core.reply import Stored
from restock.engine.database import Database, KeyTaken, Transaction, Unit
from restock.orders import demand_store, history_store, store
from restock.orders.history import computed, window
from restock.orders.history_store import history_lines
from restock.orders.model import Demand, stated
from restock.orders.placing import Placing
from restock.orders.port import (
    FIRST_VERSION,
    MAX_ORDERS,
    VERSION,
    AddHistoryRequest,
    CountsRequest,
    DemandFrame,
    DemandRequest,
    FinishImportRequest,
    HistoryImports,
    ImportsRequest,
    Order,
    OrderCounts,
    OrderPage,
    OrderRequest,
    OrdersRequest,
    Placement,
    Placements,
    PlaceRequest,
    PutDemandRequest,
    Recomputed,
    RecomputeDemandRequest,
)
from restock.orders.tables import REVISION

MAX_DRAWS = 8
"""Attempts at identifiers and keys that nobody else takes at the same moment; the second already asks which are free."""


def _nobody() -> None:
    """Stand for somebody who is told or asked, where nobody is."""


class OrdersService:
    """The orders context over oms_db."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        placed: Callable[[], None] = _nobody,
        room: Callable[[], None] = _nobody,
    ) -> None:
        """`placed` is told after orders were accepted: the relay of the outbox wants to know.

        `room` raises StorageFull while nothing new should be taken in.
        """
        self._database = database
        self._clock = clock
        self._ids = ids
        self._placed = placed
        self._room = room
        self._counted = store.Counted()

    async def place(self, request: PlaceRequest) -> Placements:
        """Accept each order that is right: durable, with its OrderPlaced event, before the answer."""
        if len(request.orders) > MAX_ORDERS:
            raise InvalidInput(
                f"{len(request.orders)} orders are too many at once.", field="orders", remedy=f"Send {MAX_ORDERS}."
            )
        if request.schema_version not in {FIRST_VERSION, VERSION}:
            raise InvalidInput(
                f"{request.schema_version} is no published interface.", field="schema_version", remedy="Give 1 or 2."
            )
        self._room()
        placing = Placing(request.orders, self._ids, timestamp(self._clock.now()), request.schema_version)
        if len(placing):
            await self._write(placing)
            self._placed()
        return Placements(cast("list[Placement]", placing.answers))

    async def _write(self, placing: Placing) -> None:
        async def again(tx: Transaction) -> None:
            await placing.draw_again(tx)
            await placing.unit(tx)

        for attempt in range(MAX_DRAWS):
            try:
                return await self._database.write("place_orders", again if attempt else placing.unit)
            except KeyTaken:
                continue
        raise Unavailable("Others keep taking the same order identifiers.", remedy="Try again.")

    async def counts(self, request: CountsRequest) -> OrderCounts:
        """Give how many orders were accepted."""
        orders, first = await self._counted.read(self._database)
        return OrderCounts(orders, first, orders - first)

    async def order(self, request: OrderRequest) -> Order:
        """Give an order. Raises NotFound."""
        return await store.order(self._database, request.order_id)

    async def orders(self, request: OrdersRequest) -> OrderPage:
        """Give a page of orders, newest first."""
        if not 0 < request.limit <= MAX_ORDERS:
            raise InvalidInput(f"{request.limit} is not 1 to {MAX_ORDERS}.", field="limit")
        return await store.page(self._database, request.limit, request.after)

    async def demand(self, request: DemandRequest) -> DemandFrame:
        """Give the demand of the products for which it is known."""
        return await demand_store.demand(self._database, request.products)

    async def put_demand(self, request: PutDemandRequest) -> Stored:
        """Store stated demand; the same again changes nothing."""
        changed = 0
        for batch in batches(once_each([stated(one) for one in request.demand], "demand", "product_id")):

            async def unit(tx: Transaction, batch: list[Demand] = batch) -> demand_store.Change:
                return await demand_store.put_demand(tx, batch, timestamp(self._clock.now()))

            changed += (await self._database.write("put_demand", unit)).changed
        return Stored(changed)

    async def recompute_demand(self, request: RecomputeDemandRequest) -> Recomputed:
        """Compute the demand of every product with history; what somebody stated stays."""
        over = window(request.stock_date, request.window_days)
        demand = [computed(*row, over) for row in await history_store.sold(self._database, over)]
        changed = kept = 0
        for batch in batches(demand):

            async def unit(tx: Transaction, batch: list[Demand] = batch) -> demand_store.Change:
                return await demand_store.put_demand(tx, batch, timestamp(self._clock.now()), keep_stated=True)

            change = await self._database.write("recompute_demand", unit)
            changed, kept = changed + change.changed, kept + change.kept_stated
        return Recomputed(len(demand), changed, kept)

    async def add_history(self, request: AddHistoryRequest) -> Stored:
        """Store lines of the past, which are demand only. Known lines change nothing."""
        changed = 0
        for batch in batches(history_lines(request)):

            async def unit(tx: Transaction, batch: list[dict[str, object]] = batch) -> int:
                return await history_store.add(tx, batch)

            changed += await self._insert("add_history", unit)
        return Stored(changed)

    async def finish_import(self, request: FinishImportRequest) -> Stored:
        """Write down what became of a file."""

        async def unit(tx: Transaction) -> int:
            return await history_store.finish(tx, request, timestamp(self._clock.now()))

        return Stored(await self._insert("finish_import", unit))

    async def imports(self, request: ImportsRequest) -> HistoryImports:
        """Give the files that were imported to their end."""
        return HistoryImports(await history_store.imports(self._database))

    async def _insert(self, name: str, unit: Unit[int]) -> int:
        """Run a unit that inserts what is new; somebody who imports the same at the same moment may be faster."""
        for _ in range(MAX_DRAWS):
            try:
                return await self._database.write(name, unit)
            except KeyTaken:
                continue
        raise Unavailable("Somebody else is importing the same.", remedy="Try again.")

    async def revision(self) -> int:
        """Give a number that grows whenever demand changes."""
        return await REVISION.read(self._database)
