"""A thread that commits, so that the event loop serves others while the disk works.

A plain queue and one call back into the loop: an executor's futures would cost as much again as the commit itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from queue import SimpleQueue
from typing import NamedTuple


class _Job(NamedTuple):
    connection: sqlite3.Connection
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class Committer:
    """One thread for one database; it starts with the first commit."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def commit(self, connection: sqlite3.Connection) -> None:
        """Commit on the thread; return when it is durable. Raises what the driver raised."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"commit {self._name}", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._jobs.put(_Job(connection, loop, done))
        await asyncio.shield(done)

    def close(self) -> None:
        """End the thread once what was asked is done."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            problem: sqlite3.Error | None = None
            try:
                job.connection.execute("COMMIT")
            except sqlite3.Error as error:
                problem = error
            job.loop.call_soon_threadsafe(_settle, job.done, problem)


def _settle(done: asyncio.Future[None], problem: sqlite3.Error | None) -> None:
    if done.cancelled():
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem)
