"""The program in its other shape, for the same tests: every service wired alone, with its own databases, asked over gRPC.

They share the process of the test, so that they share its clock; what is between them is the wire that is between processes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from socket import socket
from typing import Any

from restock.app import App, opened
from restock.core.clock import Clock
from restock.core.ids import Ids
from restock.edge.grpc.calls import calls_of
from restock.edge.grpc.client import Neighbour
from restock.edge.grpc.server import Served, serving
from restock.engine.database import Database
from restock.services import ASKED, PORTS
from restock.settings import Settings


class Over:
    """A port that is asked over gRPC; what a test asks beyond the port comes from the service itself."""

    def __init__(self, remote: object, local: object, calls: set[str]) -> None:
        self.__dict__.update({"_remote": remote, "_local": local, "_calls": calls})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote if name in self._calls else self._local, name)


class AllDatabases:
    """The databases of every service by name."""

    def __init__(self, apps: list[App]) -> None:
        self._apps = apps

    def __getitem__(self, name: str) -> Database:
        for app in self._apps:
            if any(one.name == name for one in app.databases):
                return app.databases[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[Database]:
        return (one for app in self._apps for one in app.databases)


class Apart:
    """All services, as `App` shows them."""

    def __init__(self, settings: Settings, apps: dict[str, App]) -> None:
        self.settings = settings
        self.apps = list(apps.values())
        self.by_context = apps
        self.databases = AllDatabases(self.apps)
        self.stream, self.clock = self.apps[0].stream, self.apps[0].clock
        self.registry, self.streams, self.dlq = self.apps[0].registry, self.apps[0].streams, self.apps[0].dlq
        self.waker = apps["replenishment"].waker
        self.dispatcher = apps["purchasing"].dispatcher
        self.relays = [one for app in self.apps for one in app.relays]
        self.subscribers = [one for app in self.apps for one in app.subscribers]
        self.dead_letters = self.apps[0].dead_letters

    def start(self) -> None:
        for app in self.apps:
            app.start()

    async def settle(self) -> None:
        moved = 1
        while moved:
            moved = 0
            for worker in [*self.relays, *self.subscribers]:
                moved += await worker.drain()
        for app in self.apps:
            await app.settle()

    async def backlog(self) -> dict[str, int]:
        waiting: dict[str, int] = {}
        for app in self.apps:
            waiting |= await app.backlog()
        return waiting

    def problems(self) -> list[str]:
        return [each for app in self.apps for each in app.problems()]


def _free_ports(count: int) -> list[int]:
    taken = [socket() for _ in range(count)]
    try:
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]
    finally:
        for each in taken:
            each.close()


Between = Callable[[dict[str, int]], Awaitable[dict[str, int]]]
"""Puts something between the services: takes the port of each context, gives those at which neighbours ask."""


async def _nothing(ports: dict[str, int]) -> dict[str, int]:
    return ports


@asynccontextmanager
async def apart(settings: Settings, clock: Clock, seed: int, between: Between = _nothing) -> AsyncIterator[Apart]:
    """Open every service alone."""
    ports = dict(zip(ASKED, _free_ports(len(ASKED)), strict=True))
    asked = await between(ports)
    addresses = {
        f"{one.name.replace('-', '_')}_grpc_url": f"127.0.0.1:{asked[context]}" for context, one in ASKED.items()
    }
    settings = replace(settings, **addresses)
    async with AsyncExitStack() as stack:
        apps: dict[str, App] = {}
        for number, (context, one) in enumerate(ASKED.items()):
            ids = Ids.seeded(clock, seed * 1000 + number)  # type: ignore[arg-type]
            app = await stack.enter_async_context(opened(settings, clock, ids, [one.name]))
            apps[context] = app
        for context, app in apps.items():
            served = Served((), clock, app.own_ports)
            await stack.enter_async_context(serving(served, "127.0.0.1", ports[context]))
        whole = Apart(settings, apps)
        for context, one in ASKED.items():
            neighbour = Neighbour(one.name, f"127.0.0.1:{ports[context]}")
            stack.push_async_callback(neighbour.close)
            remote = neighbour.port(context, PORTS[context])
            setattr(
                whole, context, Over(remote, getattr(apps[context], context), set(calls_of(context, PORTS[context])))
            )
        yield whole
