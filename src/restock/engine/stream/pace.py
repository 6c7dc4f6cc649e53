"""How background work leaves room for callers: after each round it rests in proportion to what the round took.

On an idle program a round takes a millisecond and the rest four, so events travel at once. On a busy one a round takes
longer, because others get their turn meanwhile; the rest grows with it, rounds carry more events each, and an event costs
less. The rest is bounded, so work never stands still.
"""

from __future__ import annotations

import asyncio
import time

REST_SHARE = 4
"""Rest as a multiple of the work before it: background workers take a fifth of the time at most, each."""

LONGEST_REST_SECONDS = 0.05
"""Longest rest: an order is carried from one service to the next within it, however busy the program is."""


class Pace:
    """Measures rounds and rests between them. Use `begin` before a round that did something, `rest` after it."""

    def __init__(self) -> None:
        self._began = 0.0

    def begin(self) -> None:
        """A round begins."""
        self._began = time.perf_counter()

    async def rest(self) -> None:
        """Leave the others their turn."""
        await asyncio.sleep(min(LONGEST_REST_SECONDS, REST_SHARE * (time.perf_counter() - self._began)))
