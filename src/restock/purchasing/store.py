"""Every statement that touches po_db."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast

from sqlalchemy import and_, bindparam, func, or_, select, true

from restock.core.errors import NotFound, Stale
from restock.core.quantity import from_scaled, to_scaled
from restock.engine.database import Database, Statement, Transaction
from restock.engine.database.statement import Upsert
from restock.purchasing.model import OPEN, OrderEvent, PurchaseOrder
from restock.purchasing.port import CoverFrame, OrdersRequest, PlanFrame
from restock.purchasing.rows import (
    EVENT_FIELDS,
    LINE_FIELDS,
    ORDER_FIELDS,
    created_order,
    event_row,
    events_of,
    line_row,
    order_row,
    orders_of,
)
from restock.purchasing.tables import DISPATCH, EVENT, LINE, NUMBER, PLAN, PURCHASE_ORDER, REVISION

Place = tuple[str, str]
"""Product and warehouse."""

FILE_CHANNEL = "file"
"""The dispatch channel that writes the order file to the outbox folder."""

WAITING = "waiting"
"""The state of a dispatch row whose order is still to be handed to its channel."""

_P, _O, _L, _E, _D = PLAN.c, PURCHASE_ORDER.c, LINE.c, EVENT.c, DISPATCH.c
_PLANS = Statement(
    select(_P.product_id, _P.ordered_total, _P.version)
    .where(and_(_P.warehouse_id == bindparam("warehouse"), _P.product_id.in_(bindparam("products", expanding=True))))
    .order_by(_P.product_id)
)
_PLAN_ROWS = Statement(
    select(_P.product_id, _P.warehouse_id, _P.version).where(_P.product_id.in_(bindparam("products", expanding=True)))
)
_FIRST_PLAN = Statement(PLAN.insert())
_NEXT_PLAN = Statement(
    PLAN.update()
    .where(
        and_(
            _P.product_id == bindparam("product"),
            _P.warehouse_id == bindparam("warehouse"),
            _P.version == bindparam("seen"),
        )
    )
    .values(version=_P.version + 1, ordered_total=_P.ordered_total + bindparam("quantity"))
)
_SUPPLY = Statement(
    PLAN.update()
    .where(and_(_P.product_id == bindparam("product"), _P.warehouse_id == bindparam("warehouse")))
    .values(version=_P.version + 1, ordered_total=_P.ordered_total + bindparam("quantity"))
)
_LAST_NUMBER = Statement(select(NUMBER.c.last).where(NUMBER.c.year == bindparam("year")))
_PUT_NUMBER = Upsert(NUMBER, ("year",))
_ADD_ORDER = Statement(PURCHASE_ORDER.insert())
_ADD_LINE = Statement(LINE.insert())
_ADD_EVENT = Statement(EVENT.insert())
_ADD_DISPATCH = Statement(DISPATCH.insert())
_WAITING = Statement(
    select(_D.po_id, _D.attempts)
    .where(
        and_(
            _D.state == WAITING,
            _D.channel == bindparam("of_channel"),
            or_(_D.attempts == 0, _D.at <= bindparam("now")),
        )
    )
    .order_by(_D.po_id)
    .limit(bindparam("limit"))
)
_SETTLE_DISPATCH = Statement(
    DISPATCH.update()
    .where(and_(_D.po_id == bindparam("key"), _D.channel == bindparam("of_channel"), _D.state == WAITING))
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("new_attempts"),
        at=bindparam("new_at"),
        problem=bindparam("new_problem"),
    )
)
_DISPATCH_BACKLOG = Statement(
    select(func.count(), func.min(_O.sent_at), func.count(func.nullif(_D.attempts, 0)))
    .select_from(DISPATCH.join(PURCHASE_ORDER, _O.po_id == _D.po_id))
    .where(and_(_D.state == WAITING, _D.channel == bindparam("of_channel")))
)
_CHANGE_ORDER = Statement(
    PURCHASE_ORDER.update()
    .where(and_(_O.po_id == bindparam("key"), _O.version == bindparam("seen")))
    .values(
        state=bindparam("new_state"),
        approved_by=bindparam("new_approved_by"),
        sent_at=bindparam("new_sent_at"),
        send_method=bindparam("new_send_method"),
        version=bindparam("new_version"),
    )
)
_CHANGE_LINE = Statement(
    LINE.update()
    .where(and_(_L.po_id == bindparam("key"), _L.line_no == bindparam("number")))
    .values(received=bindparam("new_received"))
)
_ORDER_COLUMNS = tuple(_O[name] for name in ORDER_FIELDS)
_LINE_COLUMNS = (_L.po_id, *(_L[name] for name in LINE_FIELDS))
_ORDER = Statement(select(*_ORDER_COLUMNS).where(_O.po_id == bindparam("po_id")))
_ORDERS_OF = Statement(
    select(*_ORDER_COLUMNS).where(_O.po_id.in_(bindparam("orders", expanding=True))).order_by(_O.po_id)
)
_ORDER_LINES = Statement(
    select(*_LINE_COLUMNS).where(_L.po_id.in_(bindparam("orders", expanding=True))).order_by(_L.po_id, _L.line_no)
)
_EVENTS = Statement(
    select(*(_E[name] for name in EVENT_FIELDS)).where(_E.po_id == bindparam("po_id")).order_by(_E.version)
)
_FIRST_EVENT = Statement(select(_E.data).where(and_(_E.po_id == bindparam("po_id"), _E.type == "PurchaseOrderCreated")))
_COVERING = Statement(
    select(_L.product_id, _O.po_id, _O.state, _L.quantity, _L.received)
    .select_from(LINE.join(PURCHASE_ORDER, _O.po_id == _L.po_id))
    .where(
        and_(
            _L.product_id.in_(bindparam("products", expanding=True)),
            _L.warehouse_id == bindparam("warehouse"),
            or_(*(_O.state == state.value for state in OPEN)),
        )
    )
    .order_by(_L.product_id, _L.plan_version.desc())
)


async def plans(database: Database, products: Sequence[str], warehouse: str) -> PlanFrame:
    """Give the plan rows of the products that were ever ordered."""
    if not products:
        return PlanFrame.of([])
    rows = await database.read(_PLANS, {"products": products, "warehouse": warehouse})
    return PlanFrame.of([(product, from_scaled(total), version) for product, total, version in rows])


async def plan_versions(tx: Transaction, products: Sequence[str]) -> dict[Place, int]:
    """Give the versions of the plan rows to be moved on."""
    rows = await tx.read(_PLAN_ROWS, {"products": products})
    return {(product, warehouse): version for product, warehouse, version in rows}


async def order_needs(tx: Transaction, needs: Sequence[tuple[Place, int, Decimal]]) -> None:
    """Move plan rows on: each from the version that was seen, by the quantity ordered. Raises Stale.

    The caller has compared the versions in this transaction; the statements compare once more, and a first row is a key.
    """
    first = [
        {"product_id": place[0], "warehouse_id": place[1], "ordered_total": to_scaled(quantity), "version": 1}
        for place, seen, quantity in needs
        if seen == 0
    ]
    later = [
        {"product": place[0], "warehouse": place[1], "seen": seen, "quantity": to_scaled(quantity)}
        for place, seen, quantity in needs
        if seen > 0
    ]
    await tx.write_many(_FIRST_PLAN, first)
    if await tx.write_many(_NEXT_PLAN, later) != len(later):
        raise Stale("A need was satisfied by another order meanwhile.", remedy="Decide again.")


async def change_supply(tx: Transaction, changes: Mapping[Place, Decimal]) -> None:
    """Give back or add to ordered totals; each change makes older decisions on the product stale."""
    rows = [
        {"product": product, "warehouse": warehouse, "quantity": to_scaled(quantity)}
        for (product, warehouse), quantity in changes.items()
    ]
    await tx.write_many(_SUPPLY, rows)


async def next_numbers(tx: Transaction, year: int, count: int) -> int:
    """Take `count` order numbers of the year; give the first."""
    rows = await tx.read(_LAST_NUMBER, {"year": year})
    last = int(rows[0][0]) if rows else 0
    await tx.write_many(_PUT_NUMBER, [{"year": year, "last": last + count}])
    return last + 1


async def add_orders(tx: Transaction, orders: Sequence[PurchaseOrder]) -> None:
    """Store new orders with their lines."""
    await tx.write_many(_ADD_ORDER, [order_row(order) for order in orders])
    await tx.write_many(_ADD_LINE, [line_row(order.po_id, line) for order in orders for line in order.lines])


async def add_events(tx: Transaction, events: Sequence[tuple[OrderEvent, PurchaseOrder | None]]) -> None:
    """Append events; a creation comes with the order as created. Raises KeyTaken when another was faster."""
    await tx.write_many(_ADD_EVENT, [event_row(event, order) for event, order in events])


async def add_dispatch(tx: Transaction, orders: Sequence[PurchaseOrder], channel: str, at: str) -> None:
    """Say that orders are to be handed to a channel."""
    rows = [
        {"po_id": order.po_id, "channel": channel, "state": WAITING, "attempts": 0, "at": at, "problem": ""}
        for order in orders
    ]
    await tx.write_many(_ADD_DISPATCH, rows)


async def waiting(database: Database, channel: str, now: str, limit: int) -> dict[str, int]:
    """Give orders to be handed to a channel, oldest first, with the attempts that failed; not those that pause."""
    rows = await database.read(_WAITING, {"of_channel": channel, "now": now, "limit": limit})
    return dict(cast("list[tuple[str, int]]", rows))


async def settle_dispatch(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    """Store what became of attempts: key, of_channel, new_state, new_attempts, new_at, new_problem."""
    await tx.write_many(_SETTLE_DISPATCH, rows)


async def dispatch_backlog(database: Database, channel: str) -> tuple[int, str, int]:
    """Give how many orders wait for a channel, when the oldest was sent (empty for none), how many failed before."""
    ((count, oldest, failing),) = await database.read(_DISPATCH_BACKLOG, {"of_channel": channel})
    return count, oldest or "", failing


async def change_order(tx: Transaction, before: PurchaseOrder, after: PurchaseOrder) -> None:
    """Store an order as an event left it. Raises Stale when another change was faster."""
    touched = await tx.write(
        _CHANGE_ORDER,
        {
            "key": after.po_id,
            "seen": before.version,
            "new_state": after.state.value,
            "new_approved_by": after.approved_by,
            "new_sent_at": after.sent_at,
            "new_send_method": after.send_method,
            "new_version": after.version,
        },
    )
    if touched != 1:
        raise Stale(
            f"Purchase order {after.po_id} was changed by somebody else meanwhile.", remedy="Look, then decide."
        )
    received = [
        {"key": after.po_id, "number": new.line_no, "new_received": to_scaled(new.received)}
        for old, new in zip(before.lines, after.lines, strict=True)
        if old.received != new.received
    ]
    await tx.write_many(_CHANGE_LINE, received)


async def bump(tx: Transaction) -> None:
    """Say that supply changed."""
    await REVISION.bump(tx)


async def order(reader: Database | Transaction, po_id: str) -> PurchaseOrder:
    """Give one order. Raises NotFound."""
    rows = await reader.read(_ORDER, {"po_id": po_id})
    if not rows:
        raise NotFound(
            f"There is no purchase order {po_id}.", field="po_id", remedy="List them with `restock purchasing orders`."
        )
    return orders_of(rows, await reader.read(_ORDER_LINES, {"orders": [po_id]}))[0]


async def orders_of_ids(database: Database, po_ids: Sequence[str]) -> list[PurchaseOrder]:
    """Give the named orders that exist, oldest first."""
    rows = await database.read(_ORDERS_OF, {"orders": po_ids}) if po_ids else []
    return orders_of(rows, await database.read(_ORDER_LINES, {"orders": po_ids}) if rows else [])


async def orders(database: Database, request: OrdersRequest) -> list[PurchaseOrder]:
    """Give a page of orders, newest first."""
    rows = await database.read(
        _page(request),
        {
            "before": request.before or "~",
            "limit": request.limit,
            "state": request.state,
            "supplier": request.supplier_id,
            "product": request.product_id,
        },
    )
    keys = [row[0] for row in rows]
    return orders_of(rows, await database.read(_ORDER_LINES, {"orders": keys}) if keys else [])


def _page(request: OrdersRequest) -> Statement:
    wanted = (bool(request.state), bool(request.supplier_id), bool(request.product_id))
    if wanted not in _PAGES:
        of_product = _O.po_id.in_(select(_L.po_id).where(_L.product_id == bindparam("product")))
        conditions = (_O.state == bindparam("state"), _O.supplier_id == bindparam("supplier"), of_product)
        chosen = [condition for condition, want in zip(conditions, wanted, strict=True) if want]
        _PAGES[wanted] = Statement(
            select(*_ORDER_COLUMNS)
            .where(and_(true(), _O.po_id < bindparam("before"), *chosen))
            .order_by(_O.po_id.desc())
            .limit(bindparam("limit"))
        )
    return _PAGES[wanted]


_PAGES: dict[tuple[bool, bool, bool], Statement] = {}


async def covering(database: Database, products: Sequence[str], warehouse: str) -> CoverFrame:
    """Give the newest open order of each product that has one."""
    newest: dict[str, tuple[object, ...]] = {}
    parameters = {"products": products, "warehouse": warehouse}
    for product, po_id, state, quantity, received in await database.read(_COVERING, parameters) if products else []:
        if product not in newest and quantity > received:
            newest[product] = (product, po_id, state, from_scaled(quantity - received))
    return CoverFrame.of(list(newest.values()))


async def history(reader: Database | Transaction, po_id: str) -> list[OrderEvent]:
    """Give the events of an order, oldest first."""
    return events_of(await reader.read(_EVENTS, {"po_id": po_id}))


async def as_created(database: Database, po_id: str) -> PurchaseOrder:
    """Give the order as its creation left it."""
    return created_order((await database.read(_FIRST_EVENT, {"po_id": po_id}))[0][0])
