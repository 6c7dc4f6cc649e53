"""Keeps the promise of the purchasing port on a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import sha256

from restock.core import trace
from restock.core.clock import Clock, timestamp
from restock.core.errors import InvalidInput, NotFound, Refused
from restock.core.event import Event
from restock.core.ids import Ids
from restock.core.quantity import plain, positive
from restock.core.text import MAX_NAME
from restock.engine.database import Database, Transaction
from restock.engine.database.once import MAX_KEY, Effect, same_request
from restock.purchasing import creation, store
from restock.purchasing.model import TOPIC, OrderEvent, PurchaseOrder, State, allowed, apply, rebuilt, supply_change
from restock.purchasing.port import (
    ByKeyRequest,
    ChangeRequest,
    CoverFrame,
    CoverRequest,
    Created,
    CreateRequest,
    OrderRequest,
    OrdersRequest,
    PlanFrame,
    PlansRequest,
    ReceiveRequest,
)
from restock.purchasing.tables import ONCE, OUTBOX, REVISION

MAX_PAGE = 1000
"""Orders in one page."""

MAX_REASON = 1000
"""Characters of a reason; the column is as wide."""

Data = Mapping[str, object]


class PurchasingService:
    """The purchasing context over po_db."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def plans(self, request: PlansRequest) -> PlanFrame:
        """Give the plan rows of the products that were ever ordered."""
        return await store.plans(self._database, request.products, request.warehouse_id)

    async def create(self, request: CreateRequest) -> Created:
        """Create orders; one that is Stale does not stop the others."""

        async def unit(tx: Transaction) -> creation.Results:
            return await creation.create(tx, request, self._clock.now(), self._ids)

        return Created(await self._database.write("create", unit))

    async def covering(self, request: CoverRequest) -> CoverFrame:
        """Give the newest open order of each product that has one."""
        return await store.covering(self._database, request.products, request.warehouse_id)

    async def approve(self, request: ChangeRequest) -> PurchaseOrder:
        """Approve a waiting order and send it."""

        def approved(order: PurchaseOrder) -> Data:
            if order.created_by == request.actor:
                raise Refused(
                    f"{request.actor} created {order.po_id} and may not approve it.",
                    field="actor",
                    remedy="Another person must approve it.",
                )
            return {}

        return await self._change(
            request, [("PurchaseOrderApproved", approved), ("PurchaseOrderSent", lambda _: {"send_method": "file"})]
        )

    async def reject(self, request: ChangeRequest) -> PurchaseOrder:
        """Reject a waiting order."""
        return await self._change(request, [("PurchaseOrderRejected", _no_data)])

    async def cancel(self, request: ChangeRequest) -> PurchaseOrder:
        """Cancel an order of which nothing came."""
        return await self._change(request, [("PurchaseOrderCancelled", _no_data)])

    async def send(self, request: ChangeRequest) -> PurchaseOrder:
        """Send an approved order."""
        return await self._change(request, [("PurchaseOrderSent", lambda _: {"send_method": "file"})])

    async def acknowledge(self, request: ChangeRequest) -> PurchaseOrder:
        """Record that the supplier confirmed."""
        return await self._change(request, [("PurchaseOrderAcknowledged", _no_data)])

    async def close(self, request: ChangeRequest) -> PurchaseOrder:
        """Close an order."""
        return await self._change(request, [("PurchaseOrderClosed", _no_data)])

    async def receive(self, request: ReceiveRequest) -> PurchaseOrder:
        """Record goods that arrived."""
        change = ChangeRequest(request.po_id, request.actor, request.reason, request.idempotency_key)
        wanted = ",".join(f"{one.line_no}:{one.quantity}" for one in request.lines)
        return await self._change(change, [("GoodsReceived", lambda order: _arrived(order, request))], wanted)

    async def order(self, request: OrderRequest) -> PurchaseOrder:
        """Give one order."""
        return await store.order(self._database, request.po_id)

    async def order_by_key(self, request: ByKeyRequest) -> PurchaseOrder | None:
        """Give the order that an idempotency key made."""
        found = (await ONCE.found(self._database, [request.key])).get(request.key)
        return None if found is None else await store.order(self._database, found.result)

    async def orders(self, request: OrdersRequest) -> list[PurchaseOrder]:
        """Give a page of orders."""
        if not 1 <= request.limit <= MAX_PAGE:
            raise InvalidInput(f"{request.limit} is not 1 to {MAX_PAGE}.", field="limit")
        if request.state and request.state not in set(State):
            raise InvalidInput(f"{request.state!r} is no state.", field="state", remedy=f"One of: {', '.join(State)}.")
        return await store.orders(self._database, request)

    async def history(self, request: OrderRequest) -> list[OrderEvent]:
        """Give everything that happened to an order."""
        events = await store.history(self._database, request.po_id)
        if not events:
            raise NotFound(f"There is no purchase order {request.po_id}.", field="po_id")
        return events

    async def revision(self) -> int:
        """Give a number that grows whenever supply changes."""
        return await REVISION.read(self._database)

    async def rebuild(self, po_id: str) -> PurchaseOrder:
        """Give the order as its events make it; equals the stored one."""
        events = await store.history(self._database, po_id)
        return rebuilt(await store.as_created(self._database, po_id), events[1:])

    async def _change(
        self, request: ChangeRequest, moves: list[tuple[str, Callable[[PurchaseOrder], Data]]], wanted: str = ""
    ) -> PurchaseOrder:
        """Apply one or two moves to an order in one transaction, once per idempotency key; `wanted` tells requests apart."""
        _check_length(request.reason, "reason", MAX_REASON)
        _check_length(request.actor, "actor", MAX_NAME)
        key = request.idempotency_key and f"{request.po_id}:{request.idempotency_key}"
        _check_length(key, "idempotency_key", MAX_KEY)
        name = moves[0][0]
        fingerprint = f"{name} {sha256(wanted.encode()).hexdigest()}" if wanted else name
        asked_in = trace.current()  # the unit runs elsewhere

        async def unit(tx: Transaction) -> PurchaseOrder:
            before = await store.order(tx, request.po_id)
            effect = (await ONCE.found(tx, [key])).get(key) if key else None
            if effect is not None:
                same_request(request.idempotency_key, effect, fingerprint)
                return before
            at = timestamp(self._clock.now())
            for event_type, data in moves:
                allowed(before, event_type)
                event = OrderEvent(
                    request.po_id, before.version + 1, event_type, at, request.actor, request.reason, data(before)
                )
                before = await self._apply(tx, before, event, asked_in)
            if key:
                await ONCE.store(tx, [(key, Effect(fingerprint, before.po_id))], at)
            return before

        return await self._database.write(f"change.{name}", unit)

    async def _apply(
        self, tx: Transaction, before: PurchaseOrder, event: OrderEvent, traceparent: str
    ) -> PurchaseOrder:
        after = apply(before, event)
        await store.add_events(tx, [(event, None)])
        await store.change_order(tx, before, after)
        await store.change_supply(tx, supply_change(before, after, event.type))
        if event.type == "PurchaseOrderSent":
            await store.add_dispatch(tx, [after], store.FILE_CHANNEL, event.at)
        told = Event(self._ids.new(), event.type, TOPIC, event.po_id, event.at, _told(after, event))
        await OUTBOX.add(tx, [told], traceparent)
        await store.bump(tx)
        return after


def _check_length(text: str, field: str, most: int) -> None:
    if len(text) > most:
        raise InvalidInput(f"has more than {most} characters.", field=field)


def _no_data(_order: PurchaseOrder) -> Data:
    return {}


def _told(order: PurchaseOrder, event: OrderEvent) -> dict[str, object]:
    """Give what neighbours hear: for a receipt the products and quantities that arrived."""
    told: dict[str, object] = {"po_id": order.po_id, "state": order.state.value, "actor": event.actor, **event.data}
    if event.type == "PurchaseOrderSent":
        told["grand_total"] = plain(order.grand_total)
    return told


def _arrived(order: PurchaseOrder, request: ReceiveRequest) -> Data:
    lines = {line.line_no: line for line in order.lines}
    receipts: dict[int, Decimal] = {}
    for place, one in enumerate(request.lines):
        field = f"lines[{place}].quantity"
        if one.line_no not in lines:
            known = ", ".join(map(str, lines))
            what = f"{order.po_id} has no line {one.line_no}."
            raise InvalidInput(what, field=f"lines[{place}].line_no", remedy=f"It has {known}.")
        arrived = positive(one.quantity, field) + receipts.get(one.line_no, Decimal(0))  # two pallets of one line
        receipts[one.line_no] = positive(arrived, field)
    if not request.lines:
        receipts = {line.line_no: line.to_come for line in order.lines if line.to_come}
    return {
        "lines": [
            {
                "line_no": number,
                "product_id": lines[number].product_id,
                "warehouse_id": lines[number].warehouse_id,
                "quantity": plain(quantity),
            }
            for number, quantity in receipts.items()
        ]
    }
