"""What consumers in the background have in common: they go on, give others their turn, and say what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from restock.core.errors import RestockError, StorageFull, Unavailable
from restock.engine.stream.pace import Pace
from restock.engine.stream.port import TopicPartition

CHECK_SECONDS = 0.25
"""How often a consumer looks without being woken: only records of another process wait for it."""

RETRY_SECONDS = 0.1
"""First pause after a transient failure; doubles up to `RETRY_MOST_SECONDS`."""

RETRY_MOST_SECONDS = 5.0
"""Longest pause: a neighbour that comes back is noticed within it."""

TRANSIENT = (Unavailable, StorageFull)
"""What is tried again: a neighbour that is away, a disk that is full."""


class KeepingUp:
    """The state of a consumer that runs for ever; `aside` as of `Pace`."""

    def __init__(self, *, aside: bool = False) -> None:
        self._aside = aside
        self.retrying: RestockError | None = None
        """The transient failure that is being tried again, while it lasts."""
        self.stopped: dict[TopicPartition, Exception] = {}
        """Partitions that stand at a record which `on_bad` refused."""
        self._failure: Exception | None = None

    @property
    def problem(self) -> Exception | None:
        """Why it or one of its partitions stands still; a person must look. None when all is well."""
        return self._failure or next(iter(self.stopped.values()), None)

    async def _keep_up(self, take: Callable[[], Awaitable[int]], wait: Callable[[float], Awaitable[object]]) -> None:
        """Take batches until cancelled. A transient failure is retried with back-off; another one ends it: `problem`."""
        self._failure = None
        pause, pace = RETRY_SECONDS, Pace(aside=self._aside)
        while True:
            pace.begin()
            try:
                done = await take()
            except TRANSIENT as error:
                self.retrying = error
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_MOST_SECONDS)
                continue
            except Exception as error:
                self._failure = error
                return
            self.retrying, pause = None, RETRY_SECONDS
            if done:
                await pace.rest(done)
            else:
                await wait(CHECK_SECONDS)
