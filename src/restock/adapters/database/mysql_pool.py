"""The connections of one database that read: lent one at a time, kept while they live, counted for whoever watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from asyncmy.connection import Connection

from restock.adapters.database.mysql_driver import alive
from restock.engine.database.port import Pool

Connect = Callable[[], Awaitable[Connection]]


class Readers:
    """At most `size` connections. Use it from one event loop."""

    def __init__(self, size: int, connect: Connect) -> None:
        self._size = size
        self._connect = connect
        self._free: list[Connection] = []
        self._room = asyncio.Semaphore(size)
        self._in_use = self._waiting = self._waits = self._wait_us = 0

    @property
    def state(self) -> Pool:
        """How it stands."""
        return Pool(self._size, self._in_use, len(self._free), self._waiting, self._waits, self._wait_us)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Connection]:
        """Lend a connection. One that failed, or whose query was cancelled, is not used again."""
        if self._room.locked():
            await self._wait()
        else:
            await self._room.acquire()
        self._in_use += 1
        try:
            connection = await self._usable(self._free.pop() if self._free else None)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._free.append(connection)
        finally:
            self._in_use -= 1
            self._room.release()

    async def _usable(self, connection: Connection | None) -> Connection:
        """Give a connection that the server has not ended: this one, or a new one."""
        if connection is not None:
            if alive(connection):
                return connection
            connection.close()
        return await self._connect()

    def taken(self) -> list[Connection]:
        """Give the idle connections away, to be closed."""
        free, self._free = self._free, []
        return free

    async def _wait(self) -> None:
        began = time.perf_counter_ns()
        self._waiting += 1
        self._waits += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
            self._wait_us += (time.perf_counter_ns() - began) // 1000
