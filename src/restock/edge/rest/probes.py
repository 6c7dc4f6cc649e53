"""Routes for whoever watches the server: health, liveness, readiness, metrics."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version

from restock.core.errors import RestockError
from restock.edge import wire
from restock.edge.rest.measured import metrics_text
from restock.edge.rest.message import Answer, Request
from restock.edge.rest.meters import CONTENT_TYPE, Meters
from restock.edge.rest.routes import Handler, Route
from restock.edge.rest.served import Served

VERSION = version("restock")


@dataclass(frozen=True)
class Nothing:
    """Nothing to give."""


@dataclass(frozen=True)
class Health:
    """The published answer; `problems` says what is unhealthy."""

    service: str
    status: str
    version: str


@dataclass(frozen=True)
class Alive:
    """The event loop turns."""

    status: str = "alive"


@dataclass(frozen=True)
class Ready:
    """Whether requests are welcome, and if not, why."""

    status: str
    problems: list[str] = field(default_factory=list)


class Condition:
    """Whether the server takes requests: until it leaves, while its stores answer and nothing stands still."""

    def __init__(self, app: Served) -> None:
        self._leaving = asyncio.Event()
        self._app = app

    @property
    def draining(self) -> bool:
        """Tell whether the server stops."""
        return self._leaving.is_set()

    def leave(self) -> None:
        """Take nobody in any more."""
        self._leaving.set()

    async def left(self, seconds: float) -> None:
        """Wait so long, or until the server stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._leaving.wait()

    async def problems(self) -> list[str]:
        """Say what is in the way: stopping, stores that do not answer, work that stands still."""
        found = ["The server is stopping."] if self.draining else []
        for database in self._app.databases:
            try:
                await database.changes()
            except RestockError as error:
                found.append(str(error))
            except Exception as error:
                found.append(f"{database.name}.db does not answer: {error}.")
        return found + self._app.problems()


def routes(app: Served, condition: Condition, meters: Meters, service: str = "") -> list[Route]:
    """Give the routes of probes; `service` is the one that is served alone."""
    name = f"{service}-service" if service else "restock"

    async def health(_request: Request) -> Answer:
        problems = await condition.problems()
        status = "unhealthy" if problems else "healthy"
        return Answer(503 if problems else 200, wire.encode(Health(name, status, VERSION)))

    async def alive(_request: Request) -> Answer:
        return Answer(200, wire.encode(Alive()))

    async def ready(_request: Request) -> Answer:
        problems = await condition.problems()
        return Answer(503 if problems else 200, wire.encode(Ready("not ready" if problems else "ready", problems)))

    async def metrics(_request: Request) -> Answer:
        return Answer(200, await metrics_text(app, meters, draining=condition.draining), CONTENT_TYPE)

    return [
        shown("health", "The published health", Health, health),
        shown("livez", "Whether the process turns", Alive, alive),
        shown("readyz", "Whether requests are welcome", Ready, ready),
        shown("metrics", "Metrics for Prometheus", str, metrics, "text/plain"),
    ]


def shown(name: str, summary: str, reply: object, handler: Handler, media: str = "application/json") -> Route:
    """Make a route that shows something and asks nothing."""
    return Route(f"server.{name}", "GET", f"/{name}", summary, Nothing, reply, handler, tag="server", media=media)
