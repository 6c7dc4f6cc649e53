"""How background work leaves room for callers: after each round it rests in proportion to what the round took.

On an idle program a round takes a millisecond and the rest four, so events travel at once. On a busy one a round takes
longer, because others get their turn meanwhile; the rest grows with it, rounds carry more events each, and an event costs
less. The rest is bounded, so work never stands still: shortly where a round carried little, because then somebody waits for
single events and not for a heap of them.
"""

from __future__ import annotations

import asyncio
import time

REST_SHARE = 4
"""Rest as a multiple of the work before it: background workers take a fifth of the time at most, each."""

LONGEST_REST_SECONDS = 0.05
"""Longest rest, after a round of `FULL_ROUND` events: a heap is carried on within it, however busy the program is."""

FULL_ROUND = 500
"""Events from which on a longer rest makes no event much cheaper."""

SHORT_REST_SECONDS = 0.01
"""Longest rest after a round of few events: four services carry an order to its purchase, each rests in between."""

ASIDE_SECONDS = 0.1
"""Rest after a round of few events for who stands beside that way: it gathers what comes in a blink, and what comes after a
pause travels at once."""


class Pace:
    """Measures rounds and rests between them. Use `begin` before a round that did something, `rest` after it.

    With `aside`, nobody waits for single events: after few of them it rests for `ASIDE_SECONDS`.
    """

    def __init__(self, *, aside: bool = False) -> None:
        self._began = 0.0
        self._aside = aside

    def begin(self) -> None:
        """A round begins."""
        self._began = time.perf_counter()

    async def rest(self, events: int) -> None:
        """Leave the others their turn, after a round of so many events."""
        if self._aside and events < FULL_ROUND:
            await asyncio.sleep(ASIDE_SECONDS)
            return
        longest = max(SHORT_REST_SECONDS, LONGEST_REST_SECONDS * min(1.0, events / FULL_ROUND))
        await asyncio.sleep(min(longest, REST_SHARE * (time.perf_counter() - self._began)))
