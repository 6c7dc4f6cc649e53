"""Statements over demand and the history it is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, select

from restock.core.quantity import from_scaled, to_scaled
from restock.engine.database import Database, Row, Statement, Transaction
from restock.engine.database.statement import Upsert
from restock.orders.model import Demand, Source
from restock.orders.port import DemandFrame
from restock.orders.tables import DEMAND, REVISION

_D = DEMAND.c
_FIELDS = (_D.product_id, _D.demand_per_day, _D.trend, _D.window_days, _D.as_of, _D.source)
_DEMAND = Statement(
    select(*_FIELDS).where(_D.product_id.in_(bindparam("products", expanding=True))).order_by(_D.product_id)
)
_PUT = Upsert(DEMAND, ("product_id",))


async def demand(database: Database, products: Sequence[str]) -> DemandFrame:
    """Give the demand of the products for which it is known, a row per product."""
    wanted = sorted(set(products))
    rows = await database.read(_DEMAND, {"products": wanted}) if wanted else []
    return DemandFrame.of([(row[0], from_scaled(row[1]), *row[2:]) for row in rows])


class Change(NamedTuple):
    """What came of storing demand: products that changed, products whose stated demand was kept."""

    changed: int
    kept_stated: int


async def put_demand(tx: Transaction, demand: Sequence[Demand], at: str, *, keep_stated: bool = False) -> Change:
    """Store the demand that differs from what is there; what somebody stated is kept when asked for."""
    latest = {one.product_id: one for one in demand}
    known: dict[str, Row] = {row[0]: row for row in await tx.read(_DEMAND, {"products": list(latest)})}
    kept = {product for product, row in known.items() if row[-1] == Source.STATED} if keep_stated else set()
    changed = [row for row in map(_row, latest.values()) if row[0] not in kept and known.get(row[0]) != row]
    names = [*(column.name for column in _FIELDS), "last_updated"]
    await tx.write_many(_PUT, [dict(zip(names, (*row, at), strict=True)) for row in changed])
    if changed:
        await REVISION.bump(tx)
    return Change(len(changed), len(kept))


def _row(one: Demand) -> Row:
    return (
        one.product_id,
        to_scaled(one.demand_per_day),
        str(one.trend),
        one.window_days,
        one.as_of,
        str(one.source),
    )
