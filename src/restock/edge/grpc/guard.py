"""What stands before a neighbour: a breaker, so that one that is away costs nobody time, and a bulkhead, so that one that is
slow does not hold every caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from restock.core.breaker import Breaker, BreakerRule
from restock.core.errors import DeadlinePassed, Unavailable

MOST_CALLS = 512
"""Calls of one neighbour that may be under way: twice what flows and callers of a process keep up at its full rate."""

RULE = BreakerRule(failures=5, reset_s=1.0)
"""After five calls in a row without an answer nothing is asked; each second one call looks whether it is back."""


class Away(Unavailable):
    """The neighbour did not answer, or nothing in between let the call through."""


class Late(Away, DeadlinePassed):
    """The neighbour did not answer in time."""


class Busy(Unavailable):
    """Too many calls of the neighbour are under way; nothing was asked."""

    code = "busy"
    retry_after_s = 1


class Guard:
    """Lets calls of one neighbour through, and counts how they end."""

    def __init__(self, neighbour: str, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._neighbour = neighbour
        self._breaker = Breaker(neighbour, RULE, monotonic)
        self.under_way = 0
        self.refused = 0
        """Calls that were not let through because too many were under way."""

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        return self._breaker.state

    @contextmanager
    def call(self) -> Iterator[None]:
        """Stand around one call, which raises Away when there is no answer. Raises Busy or BreakerOpen without asking."""
        if self.under_way >= MOST_CALLS:
            self.refused += 1
            raise Busy(f"{MOST_CALLS} calls of {self._neighbour} are under way.", remedy="Try again in a second.")
        self._breaker.enter()
        self.under_way += 1
        try:
            yield
        except Away:
            self._breaker.leave(ok=False)
            raise
        except Exception:
            self._breaker.leave(ok=True)
            raise
        except BaseException:
            self._breaker.abandon()
            raise
        else:
            self._breaker.leave(ok=True)
        finally:
            self.under_way -= 1
