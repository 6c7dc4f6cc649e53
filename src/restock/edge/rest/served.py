"""What REST asks of the running program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from restock.analytics.port import Analytics
from restock.core.clock import Clock
from restock.core.ids import Ids
from restock.edge.purchasing_services import Asked
from restock.engine.database import Database, Databases
from restock.engine.stream.dead_letters import DeadLetters
from restock.engine.stream.outbox import Backlog
from restock.engine.stream.registry import Registry
from restock.replenishment.port import Replenishment, RunTold


class RelayLike(Protocol):
    """Publishes an outbox."""

    @property
    def name(self) -> str:
        """The database of the outbox."""
        ...

    async def backlog(self) -> Backlog:
        """Give what waits to be published."""
        ...


class SubscriberLike(Protocol):
    """Consumes topics."""

    @property
    def group(self) -> str:
        """Who consumes."""
        ...

    async def lag(self) -> int:
        """Give the records still to be consumed."""
        ...


class Delivery(Protocol):
    """What waits to be delivered to suppliers."""

    @property
    def orders(self) -> int:
        """Orders that wait."""
        ...

    @property
    def failing(self) -> int:
        """How many of them failed before."""
        ...


class DispatcherLike(Protocol):
    """Delivers orders."""

    async def backlog(self) -> Delivery:
        """Give what waits to be delivered."""
        ...


@runtime_checkable
class WatchedFlows(Protocol):
    """Flows that run in this process: who watches is told of each."""

    observers: list[Callable[[RunTold], None]]
    queue_limit: int

    @property
    def waiting(self) -> int:
        """How many callers wait at the door."""
        ...

    @property
    def refused(self) -> int:
        """How many callers were sent away because too many waited."""
        ...


class Served(Asked, Protocol):
    """The running program."""

    clock: Clock
    ids: Ids
    tasks: list[asyncio.Task[None]]

    @property
    def ports(self) -> Mapping[str, object]:
        """The ports by the name that operations use."""
        ...

    @property
    def databases(self) -> Databases:
        """The databases."""
        ...

    @property
    def replies(self) -> Database:
        """The database that remembers what was answered to idempotency keys."""
        ...

    @property
    def contexts(self) -> Collection[str]:
        """The contexts that are in this process."""
        ...

    @property
    def registry(self) -> Registry:
        """The schema registry."""
        ...

    @property
    def replenishment(self) -> Replenishment:
        """Flows."""
        ...

    @property
    def analytics(self) -> Analytics:
        """Figures."""
        ...

    @property
    def relays(self) -> Sequence[RelayLike]:
        """The relays."""
        ...

    @property
    def subscribers(self) -> Sequence[SubscriberLike]:
        """The subscribers."""
        ...

    dead_letters: DeadLetters

    @property
    def dispatcher(self) -> DispatcherLike | None:
        """The dispatcher, if orders are delivered here."""
        ...

    async def drain(self) -> None:
        """Wait until what is done on the side is stored."""
        ...

    def start(self) -> None:
        """Run the background work in `tasks`."""
        ...

    @property
    def disk_low(self) -> bool:
        """Tell whether nothing new is taken in because the disk is nearly full."""
        ...

    def problems(self) -> list[str]:
        """Say what stands still and needs a person."""
        ...
