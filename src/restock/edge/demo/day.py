"""A day of customer orders at the demo company, from a seed: simulated time, the same ports, the same events as ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from restock.core.clock import SimulatedClock
from restock.core.errors import RestockError
from restock.core.quantity import plain
from restock.edge.demo.company import CUSTOMERS, PIPELINE, STANDARD, load
from restock.edge.running import Running
from restock.inventory.port import PositionFrame, PositionsRequest
from restock.orders.model import NewOrder, OrderItem
from restock.orders.port import Placement, PlaceRequest
from restock.purchasing.model import PurchaseOrder, State
from restock.purchasing.port import ChangeRequest, OrderRequest, OrdersRequest, ReceiveRequest
from restock.replenishment.port import FlowBatchRequest, FlowReply, FlowRequest

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""A Monday at eight."""

ORDERS = 150
"""Enough for several products to fall below their reorder point, and to run out of one that cannot be bought."""

NOON = 75
"""After so many orders the first delivery arrives and a buyer asks again."""

LOW = Decimal(10)
"""Below this many available, stock is called low, as published."""

LAST_DELAY_SECONDS = 420

Say = Callable[[str], None]


@dataclass
class Counts:
    """What a day came to."""

    orders: int = 0
    items: int = 0
    sold: Decimal = Decimal(0)
    low: int = 0
    short: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)


class Day:
    """Plays the day; `say` takes each line that is told."""

    def __init__(self, app: Running, clock: SimulatedClock, seed: int, say: Say) -> None:
        self.counts = Counts()
        self._app = app
        self._clock = clock
        self._random = Random(seed)  # noqa: S311 - a made-up day, repeatable
        self._say = say
        self._told: set[tuple[str, str]] = set()

    async def play(self) -> None:
        """Load the company, then play from the morning to the evening."""
        self._app.waker.keep_replies = True
        await load(self._app, self._app.settle)
        await self._morning()
        self._heading("Customer orders")
        for number in range(1, ORDERS + 1):
            self._clock.advance(timedelta(seconds=self._random.randint(20, LAST_DELAY_SECONDS)))
            await self._order()
            if number == NOON:
                await self._noon()

    async def _morning(self) -> None:
        self._heading("The three standard products")
        replies = await self._app.replenishment.flow_batch(FlowBatchRequest(list(STANDARD)))
        for product, reply in zip(STANDARD, replies.results, strict=True):
            await self._decided(product, reply)
        await self._app.settle()

    async def _noon(self) -> None:
        self._heading("Noon")
        again = await self._app.replenishment.flow(FlowRequest(STANDARD[1]))
        self._line("ask again", f"{STANDARD[1]}: {again.message}")
        for product in PIPELINE:
            for order in await self._app.purchasing.orders(
                OrdersRequest(state=State.SENT.value, product_id=product, limit=1)
            ):
                await self._deliver(order)
                return

    async def _deliver(self, order: PurchaseOrder) -> None:
        change = ChangeRequest(order.po_id, order.supplier_name, "order confirmation")
        await self._app.purchasing.acknowledge(change)
        await self._app.purchasing.receive(ReceiveRequest(order.po_id, [], "warehouse", "delivery note 4711"))
        await self._app.settle()
        goods = ", ".join(f"{plain(line.quantity):f} {line.product_id}" for line in order.lines)
        self._line("delivery", f"{order.po_id}: {goods} from {order.supplier_name}")
        after = await self._positions([line.product_id for line in order.lines])
        self._line("stock", "; ".join(text for text, _ in self._stock(after)))
        await self._woken()
        self._heading("Afternoon")

    async def _order(self) -> None:
        skus = self._random.sample(sorted(PIPELINE), self._random.randint(1, 3))
        items = [OrderItem(sku, *PIPELINE[sku]) for sku in skus]
        order = NewOrder(self._random.choice(CUSTOMERS), items)
        placed = (await self._app.orders.place(PlaceRequest([order]))).orders[0]
        self._count(placed, items)
        what = ", ".join(f"{item.quantity} {item.sku}" for item in items)
        self._line("order", f"{placed.order_id}  {order.customer_id:<12}  {placed.total_amount:>7.2f}  {what}")
        await self._app.settle()
        marked = list(self._stock(await self._positions(skus)))
        self.counts.low += sum(mark == "LOW" for _, mark in marked)
        self.counts.short += sum(mark == "OUT" for _, mark in marked)
        self._line("reserved", "; ".join(text for text, _ in marked))
        await self._woken()

    def _count(self, placed: Placement, items: list[OrderItem]) -> None:
        self.counts.orders += 1
        self.counts.items += len(items)
        self.counts.sold += placed.total_amount

    async def _positions(self, products: list[str]) -> PositionFrame:
        return await self._app.inventory.positions(PositionsRequest(sorted(products)))

    def _stock(self, frame: PositionFrame) -> Iterator[tuple[str, str]]:
        """Give a text and a mark per product."""
        for row in frame.rows():
            available, backordered = row["available"], row["backordered"]
            assert isinstance(available, Decimal) and isinstance(backordered, Decimal)
            mark = "OUT" if available == 0 else "LOW" if available < LOW else ""
            words = {"OUT": " OUT OF STOCK", "LOW": " LOW STOCK", "": ""}[mark]
            waiting = f", {plain(backordered):f} backordered" if backordered else ""
            yield f"{row['product_id']} {plain(available):f} left{words}{waiting}", mark

    async def _woken(self) -> None:
        replies = self._app.waker.replies
        for event, reply in replies:
            await self._decided(str(event.data["sku"]), reply)
        replies.clear()

    async def _decided(self, product: str, reply: FlowReply | RestockError) -> None:
        """Tell a decision; the same answer to the same product again is only counted."""
        outcome = "error" if isinstance(reply, RestockError) else reply.outcome
        self.counts.outcomes[outcome] = self.counts.outcomes.get(outcome, 0) + 1
        if isinstance(reply, RestockError):
            self._line("decision", f"{product}: {reply}")
            return
        if reply.po is None:
            if (product, reply.message) not in self._told:
                self._told.add((product, reply.message))
                self._line("decision", f"{product}: {reply.message}")
            return
        was, order = reply.calculation, await self._app.purchasing.order(OrderRequest(reply.po.po_id))
        need = f"short of {plain(was.shortage):f}, order {plain(was.order_qty):f}"
        if reply.po.purchase_qty != reply.po.qty:
            need += f" = {plain(reply.po.purchase_qty):f} {reply.po.purchase_unit}"
        approval = "needs approval (above 10,000)" if was.requires_approval else "approved automatically"
        self._line("decision", f"{product}: {need}, {plain(was.total_amount):,.2f} {order.currency}, {approval}")
        state = order.state.replace("_", " ")
        self._line(
            "purchase",
            f"{order.po_id} to {order.supplier_name}, {order.grand_total:,.2f} {order.currency} with tax, {state}",
        )

    def _heading(self, text: str) -> None:
        self._say("")
        self._say(f"{text}, {self._clock.now():%A %H:%M}")

    def _line(self, kind: str, text: str) -> None:
        self._say(f"{self._clock.now():%H:%M}  {kind:<9}  {text}")
