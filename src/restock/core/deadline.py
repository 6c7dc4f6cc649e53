"""How long an answer is still wanted: set where a call comes in, shortened at each hop, read where a neighbour is asked.

It travels with the context of a task, so that nobody in between passes it on by hand.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from restock.core.errors import DeadlinePassed

Seconds = float  # float: seconds

LEAST_SECONDS = 0.01  # float: seconds
"""Work that has less time than this is not begun: its answer would come too late."""

PASSED_ON = 0.95  # float: a share of a time
"""The share of the time left that a neighbour gets; the rest is for the way back."""

_until: ContextVar[Seconds | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: Seconds | None) -> Iterator[None]:
    """Let everything in the block end within so many seconds; None sets no limit. Raises DeadlinePassed when too few."""
    if seconds is None:
        yield
        return
    _refuse_late(seconds)
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def for_neighbour(most: Seconds) -> Seconds:
    """Give the seconds that a neighbour may take, at most `most`. Raises DeadlinePassed when too few are left."""
    until = _until.get()
    if until is None:
        return most
    left = until - time.monotonic()
    _refuse_late(left)
    return min(most, left * PASSED_ON)


def _refuse_late(seconds: Seconds) -> None:
    if seconds < LEAST_SECONDS:
        raise DeadlinePassed("There was too little time left to begin.", remedy="Ask again, with a longer deadline.")
