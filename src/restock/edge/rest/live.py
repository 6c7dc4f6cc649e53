"""Live figures as server-sent events: many watchers, one query, and nobody who reads slowly costs memory.

While anybody watches, the store is asked a few times a second whether it changed, which is one look at a counter and also
sees what another process counted. A change is read and encoded once. Each watcher takes the newest event when it is ready
for one, so a slow one misses what lies between, never the newest, and no queue can grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from restock.analytics.port import FiguresRequest
from restock.core.errors import RestockError, Unavailable
from restock.edge import wire
from restock.edge.rest.message import Answer, Request
from restock.edge.rest.probes import Condition, Nothing
from restock.edge.rest.routes import Route
from restock.edge.rest.served import Served

PATH = "/api/v1/figures/stream"
KIND = b"text/event-stream"

EVENTS_PER_SECOND = 4
"""Most events a second for each watcher: what a person can follow."""

HEARTBEAT_SECONDS = 15.0
"""How long a stream is silent at most: proxies close connections on which nothing comes for 30 s to 60 s."""

RECONNECT_MS = 2000
"""How long a watcher is asked to wait before it connects again."""

MAX_WATCHERS = 500
"""Streams at once: each is a socket, and one that is not read holds 64 KB of buffer at most."""

HEARTBEAT = b":\n\n"


class Live:
    """The newest figures and whoever watches them."""

    def __init__(self, app: Served, condition: Condition) -> None:
        self._app = app
        self._condition = condition
        self._watchers = 0
        self._asking: asyncio.Task[None] | None = None
        self._event = b""
        self._last_id = ""
        self._changed = asyncio.Event()
        self.queries = 0
        """How often the figures were read."""

    def route(self) -> Route:
        """Give the route of the stream."""
        return Route(
            "analytics.stream", "GET", PATH, "Live figures as server-sent events", Nothing, str, self.handle,
            tag="analytics", media=KIND.decode(),
        )  # fmt: skip

    async def handle(self, request: Request) -> Answer:
        """Answer with a stream. Raises Unavailable when too many watch."""
        if self._watchers >= MAX_WATCHERS:
            raise Unavailable(f"{MAX_WATCHERS} already watch.", remedy="Try again later, or ask for /api/v1/figures.")
        known = request.headers.get(b"last-event-id", b"").decode("latin-1")
        return Answer(200, b"", KIND, ((b"cache-control", b"no-store"),), self._parts(known))

    async def _parts(self, known: str) -> AsyncGenerator[bytes, None]:
        """Give the parts of a watcher's stream until the server stops: an event at once unless it is known, then changes."""
        self._watchers += 1
        try:
            if self._asking is None or self._asking.done():
                await self._look()
                self._asking = asyncio.create_task(self._ask(), name="live figures")
            yield b"retry: %d\n\n" % RECONNECT_MS
            while not self._condition.draining:
                if self._last_id != known:
                    known = self._last_id
                    yield self._event
                elif not await self._waited():
                    yield HEARTBEAT
        finally:
            self._watchers -= 1

    async def _waited(self) -> bool:
        """Wait for a change or for the end; tell whether there was one before the stream was silent for too long."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _ask(self) -> None:
        """Look for changes while anybody watches."""
        analytics = self._app.analytics
        version = await analytics.revision()
        while self._watchers and not self._condition.draining:
            await asyncio.sleep(1 / EVENTS_PER_SECOND)
            try:
                if (newest := await analytics.revision()) != version:
                    version = newest
                    await self._look()
            except RestockError:
                continue  # the store does not answer for now; readiness tells of it
        self._wake()
        self._last_id = ""

    async def _look(self) -> None:
        """Read the figures, and wake the watchers if they are new."""
        self.queries += 1
        figures = await self._app.analytics.figures(FiguresRequest())
        number = str(figures.events)
        if number != self._last_id:
            self._last_id = number
            self._event = b"event: figures\nid: %s\ndata: %s\n\n" % (number.encode(), wire.encode(figures))
            self._wake()

    def _wake(self) -> None:
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()
