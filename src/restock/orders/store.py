"""Statements over accepted orders and their outbox."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, func, insert, select

from restock.core.errors import NotFound
from restock.core.quantity import from_scaled
from restock.engine.database import Database, Row, Statement, Transaction
from restock.engine.database.once import Once
from restock.engine.stream.outbox import Outbox, Waiting
from restock.orders.model import OrderItem
from restock.orders.port import Order, OrderPage
from restock.orders.tables import CUSTOMER_ORDER, EFFECT, FIRST_VERSION_ORDER, OUTBOX

OUTBOX_EVENTS = Outbox(OUTBOX)

EFFECTS = Once(EFFECT)

_C = CUSTOMER_ORDER.c


def _insert(table_columns: Sequence[str]) -> dict[str, object]:
    return {name: bindparam(name) for name in table_columns if name != "seq"}


_ADD = Statement(insert(CUSTOMER_ORDER).values(_insert(CUSTOMER_ORDER.columns.keys())))
_TAKEN = Statement(select(_C.order_id).where(_C.order_id.in_(bindparam("ids", expanding=True))))
_SHOWN = (
    _C.order_id,
    _C.customer_id,
    _C["items"],
    _C.total_amount,
    _C.shipping_address,
    _C.status,
    _C.created_at,
)
_ORDER = Statement(select(*_SHOWN, _C.seq).where(_C.order_id == bindparam("order_id")))
_NEWEST = Statement(
    select(*_SHOWN).where(_C.seq < bindparam("before")).order_by(_C.seq.desc()).limit(bindparam("most"))
)
_NOTE_FIRST_VERSION = Statement(insert(FIRST_VERSION_ORDER))
_COUNT_NEWER = Statement(
    select(func.count(), func.coalesce(func.max(_C.seq), bindparam("known"))).where(_C.seq > bindparam("known"))
)
_COUNT_FIRST_VERSION = Statement(select(func.count()).select_from(FIRST_VERSION_ORDER))
_NO_BOUND = (1 << 63) - 1

_items = msgspec.json.Decoder(list[OrderItem]).decode


async def add(tx: Transaction, orders: Sequence[dict[str, object]], events: Sequence[Waiting]) -> None:
    """Write orders and their events. Raises KeyTaken when an order identifier is taken."""
    await tx.write_many(_ADD, orders)
    await OUTBOX_EVENTS.add_encoded(tx, events)


async def note_first_version(tx: Transaction, ids: Sequence[str]) -> None:
    """Write down which orders came by the first published interface; all others need no row."""
    await tx.write_many(_NOTE_FIRST_VERSION, [{"order_id": order_id} for order_id in ids])


class Counted:
    """How many orders there are: each is counted once, so that asking again costs only what came since.

    Orders are never deleted, and the embedded store has one writer at a time: a lower `seq` cannot become visible later.
    """

    def __init__(self) -> None:
        self._orders = 0
        self._upto = 0

    async def read(self, database: Database) -> tuple[int, int]:
        """Give all orders, and those of the first published interface."""
        ((newer, upto),) = await database.read(_COUNT_NEWER, {"known": self._upto})
        self._orders, self._upto = self._orders + newer, upto
        ((first,),) = await database.read(_COUNT_FIRST_VERSION)
        return self._orders, first


async def taken(tx: Transaction, ids: Sequence[str]) -> set[str]:
    """Give those of the identifiers that orders already have."""
    return {row[0] for row in await tx.read(_TAKEN, {"ids": ids})} if ids else set()


async def order(database: Database, order_id: str) -> Order:
    """Give an order. Raises NotFound."""
    return _shown(await _row(database, order_id))


async def page(database: Database, limit: int, after: str) -> OrderPage:
    """Give the newest orders before the given one."""
    before = (await _row(database, after))[-1] if after else _NO_BOUND
    rows = await database.read(_NEWEST, {"before": before, "most": limit + 1})
    found = [_shown(row) for row in rows[:limit]]
    return OrderPage(found, found[-1].order_id if len(rows) > limit else "")


async def _row(database: Database, order_id: str) -> Row:
    rows = await database.read(_ORDER, {"order_id": order_id})
    if not rows:
        raise NotFound(
            f"There is no order {order_id}.", field="order_id", remedy="List the orders for those there are."
        )
    return rows[0]


def _shown(row: Row) -> Order:
    order_id, customer_id, items, total_amount, address, status, created_at = row[:7]
    return Order(order_id, customer_id, _items(items), from_scaled(total_amount), address, status, created_at)
