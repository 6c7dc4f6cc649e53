"""What stands before the neighbours of a process, told to whoever watches it: breakers, and calls not let through."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from restock.core.metric import forget, gauge

if TYPE_CHECKING:  # an extra
    from restock.edge.grpc.client import Neighbour

BREAKER, SHED = "restock_breaker_state", "restock_shed_total"

BREAKER_STATES = {"closed": 0, "half-open": 1, "open": 2}


def tell_neighbour(neighbour: Neighbour) -> Callable[[], None]:
    """Tell of a neighbour; give what ends it."""
    guard, name = neighbour.guard, neighbour.service
    gauge(BREAKER, lambda: BREAKER_STATES[guard.state], name)
    gauge(SHED, lambda: guard.refused, name)

    def ended() -> None:
        forget(BREAKER, name)
        forget(SHED, name)

    return ended
