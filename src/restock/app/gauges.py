"""What parts of a process tell whoever watches it: the pools of its databases, the breakers before its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from restock.core.metric import forget, gauge
from restock.engine.database import Database

if TYPE_CHECKING:  # an extra
    from restock.edge.grpc.client import Neighbour

POOL, BREAKER, SHED = "restock_pool_connections", "restock_breaker_state", "restock_shed_total"

BREAKER_STATES = {"closed": 0, "half-open": 1, "open": 2}


def tell_pools(databases: Iterable[Database]) -> None:
    """Tell of the databases that have a pool."""
    for database in databases:
        if database.pool is not None:
            gauge(POOL, _of_pool(database, "in_use"), database.name, "used")
            gauge(POOL, _of_pool(database, "idle"), database.name, "idle")


def _of_pool(database: Database, part: str) -> Callable[[], int]:
    return lambda: getattr(database.pool, part, 0)


def tell_neighbour(neighbour: Neighbour) -> Callable[[], None]:
    """Tell of a neighbour; give what ends it."""
    guard, name = neighbour.guard, neighbour.service
    gauge(BREAKER, lambda: BREAKER_STATES[guard.state], name)
    gauge(SHED, lambda: guard.refused, name)

    def ended() -> None:
        forget(BREAKER, name)
        forget(SHED, name)

    return ended
