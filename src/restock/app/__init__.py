"""The composition root: settings to a running App. The only package that knows everyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, cast

from restock.adapters.database.ballast import Ballast
from restock.adapters.database.embedded import exclusive
from restock.adapters.stores import stores_of
from restock.adapters.streams import stream_of
from restock.app.topics import TOPICS
from restock.app.wiring import Given, Part, Ports
from restock.core.clock import Clock, SystemClock
from restock.core.errors import Unavailable
from restock.core.ids import Ids
from restock.dlq.service import DlqService
from restock.edge.tls import Identity, identity_of
from restock.engine.database import Database, Databases
from restock.engine.stream import DeadLetters, EmbeddedLog, Relay, Retainer, RoughLog, Stream, Subscriber, framing
from restock.engine.stream.producers import Producers
from restock.engine.stream.registry import Conforming, Registry
from restock.services import ASKED, EVENT_SCHEMAS, PORTS, SCHEMAS, SERVICES, contexts_of, schemas_of
from restock.settings import Settings
from restock.streams.producing import ProducingService
from restock.streams.service import StreamsService

if TYPE_CHECKING:
    from restock.analytics.consumer import FiguresConsumer
    from restock.analytics.port import Analytics
    from restock.decisions.port import Decisions
    from restock.inventory.port import Inventory
    from restock.orders.port import Orders
    from restock.purchasing.dispatch import Dispatcher
    from restock.purchasing.port import Purchasing
    from restock.replenishment.consumer import ReplenishmentConsumer
    from restock.replenishment.port import Replenishment
    from restock.suppliers.port import Suppliers
    from restock.units.port import Units

__all__ = ["SCHEMAS", "TOPICS", "App", "background", "opened"]

WIRED = ("orders", "inventory", "suppliers", "units", "purchasing", "decisions", "replenishment", "analytics")
"""The contexts in the order in which they are wired: who asks comes after those who are asked."""


def _no_disk() -> None:
    """Stand for the look at the disk where records go elsewhere."""


@dataclass
class App:
    """The services of one process, wired to its stores and its neighbours. Make it with `opened`."""

    settings: Settings
    clock: Clock
    ids: Ids
    databases: Databases
    stream: Stream
    registry: Registry
    producers: Producers | None
    contexts: frozenset[str]
    """The contexts that are here; the others are asked over gRPC."""
    known: Ports
    parts: Mapping[str, Part]
    dead_letters: DeadLetters
    retainer: Retainer
    ballast: Ballast
    identity: Identity | None
    """Who the process is to others; None where plain text is spoken."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def ports(self) -> dict[str, object]:
        """Give the ports by the name that operations use."""
        return {**{name: getattr(self.known, name) for name in PORTS}, "streams": self.streams, "dlq": self.dlq}

    @property
    def own_ports(self) -> dict[str, object]:
        """Give the ports that this process answers for."""
        return {name: part.port for name, part in self.parts.items()}

    @cached_property
    def orders(self) -> Orders:
        """Customer orders and demand."""
        return self.known.orders

    @cached_property
    def inventory(self) -> Inventory:
        """Stock."""
        return self.known.inventory

    @cached_property
    def suppliers(self) -> Suppliers:
        """Terms."""
        return self.known.suppliers

    @cached_property
    def units(self) -> Units:
        """Conversions."""
        return self.known.units

    @cached_property
    def decisions(self) -> Decisions:
        """Rulebooks and decisions."""
        return self.known.decisions

    @cached_property
    def purchasing(self) -> Purchasing:
        """Purchase orders."""
        return self.known.purchasing

    @cached_property
    def replenishment(self) -> Replenishment:
        """Flows, plans, proposals."""
        return self.known.replenishment

    @cached_property
    def analytics(self) -> Analytics:
        """Figures."""
        return self.known.analytics

    @cached_property
    def streams(self) -> StreamsService:
        """What the stream shows to people and to other programs."""
        room = _no_disk if self.settings.kafka_servers else self.ballast.check
        return StreamsService(self.stream, self.clock, self.relays, TOPICS, room, Conforming(self.registry))

    @cached_property
    def producing(self) -> ProducingService | None:
        """Producers with epochs and transactions, which the embedded log has."""
        return ProducingService(self.streams, self.producers) if self.producers else None

    @cached_property
    def dlq(self) -> DlqService:
        """Where people decide on dead letters."""
        return DlqService(self.dead_letters)

    @cached_property
    def relays(self) -> list[Relay]:
        """What publishes the events of this process."""
        return [relay for part in self.parts.values() for relay in part.relays]

    @cached_property
    def subscribers(self) -> list[Subscriber | FiguresConsumer]:
        """What consumes events in this process."""
        return [subscriber for part in self.parts.values() for subscriber in part.subscribers]

    @cached_property
    def dispatcher(self) -> Dispatcher | None:
        """What hands orders over to suppliers, if that is done here."""
        return next((part.dispatcher for part in self.parts.values() if part.dispatcher), None)

    @cached_property
    def waker(self) -> ReplenishmentConsumer | None:
        """What wakes flows, if that is done here."""
        return next((part.waker for part in self.parts.values() if part.waker), None)

    @property
    def replies(self) -> Database:
        """The database that remembers what this process answered to idempotency keys."""
        own = next(one.database for one in SERVICES if one.context in self.contexts)
        return self.databases["decisions" if self.is_whole else own]

    @property
    def is_whole(self) -> bool:
        """Tell whether every context is here."""
        return self.contexts == contexts_of(())

    def start(self) -> None:
        """Run relays, subscribers, the dispatcher, retention and the ballast until `opened` ends."""
        self.tasks = [asyncio.create_task(worker.run()) for worker in self._workers()]

    async def settle(self) -> None:
        """Carry every event to its last effect: publish, consume, dispatch, until nothing moves."""
        moved = 1
        while moved:
            moved = 0
            for relay in self.relays:
                moved += await relay.drain()
            for subscriber in self.subscribers:
                moved += await subscriber.drain()
        if self.dispatcher is not None:
            await self.dispatcher.drain()
        await self.drain()

    async def drain(self) -> None:
        """Wait until everything that is done on the side is stored."""
        for part in self.parts.values():
            await part.drain()

    async def backlog(self) -> dict[str, int]:
        """Give what still waits: events to publish and to consume by who does it, and orders to hand over."""
        waiting = {f"publish {relay.name}": (await relay.backlog()).events for relay in self.relays}
        waiting |= {f"consume {one.group}": await one.lag() for one in self.subscribers}
        return waiting | ({"dispatch": (await self.dispatcher.backlog()).orders} if self.dispatcher else {})

    @property
    def disk_low(self) -> bool:
        """Tell whether nothing new is taken in because the disk is nearly full."""
        return self.ballast.is_gone

    def problems(self) -> list[str]:
        """Say what stands still and needs a person; empty when all is well."""
        return [str(worker.problem) for worker in self._workers() if worker.problem is not None]

    def _workers(self) -> list[Relay | Subscriber | FiguresConsumer | Dispatcher | Retainer | Ballast]:
        dispatchers = [self.dispatcher] if self.dispatcher else []
        retainers = [self.retainer] if "streams" in self.contexts else []
        return [*self.relays, *self.subscribers, *dispatchers, *retainers, self.ballast]


@asynccontextmanager
async def opened(
    settings: Settings, clock: Clock | None = None, ids: Ids | None = None, services: Collection[str] = ()
) -> AsyncIterator[App]:
    """Open the stores of these services, or of all, migrating what must be, and wire them; close all of it at the end."""
    clock = clock or SystemClock()
    contexts = contexts_of(services)
    async with AsyncExitStack() as stack:
        databases = await stores_of(settings, schemas_of(contexts))
        stack.push_async_callback(databases.close)
        app = await _wired(settings, databases, contexts, clock, ids or Ids(clock), stack)
        try:
            yield app
        finally:
            for part in app.parts.values():
                await part.finish()
            for task in app.tasks:
                task.cancel()
            await asyncio.gather(*app.tasks, return_exceptions=True)
            for subscriber in app.subscribers:
                await subscriber.close()


async def _wired(
    settings: Settings,
    databases: Databases,
    contexts: frozenset[str],
    clock: Clock,
    ids: Ids,
    stack: AsyncExitStack,
) -> App:
    log = stream_of(databases["stream"], clock, settings)
    stream = cast("Stream", RoughLog(log, settings.rough_seed)) if settings.rough_seed else log
    stack.push_async_callback(stream.close)
    for topic, partitions in TOPICS.items():
        await stream.create_topic(topic, partitions)
    registry = Registry(databases["stream"], clock)
    events = [each for folder in EVENT_SCHEMAS for each in framing.schemas_in(folder)]
    framing.learn(events, await registry.publish(events))
    ballast = Ballast(settings.home, 0 if settings.db_host else settings.ballast_mib << 20)
    for database in databases:
        database.on_full.append(ballast.let_go)
    framed = framing.framed if settings.in_avro else None
    letters = DeadLetters(stream, clock)
    given = Given(settings, clock, ids, databases, stream, letters, framed, ballast.check, Ports())
    identity = identity_of(settings.tls)
    _ask_others(given, contexts, stack, identity)
    for name in WIRED:
        if name in contexts:
            part: Part = import_module(f"restock.app.{name}").made(given)
            given.parts[name] = part
            setattr(given.ports, name, part.port)
            stack.push_async_callback(part.close)
    producers = Producers(log, databases["stream"], clock, ids) if isinstance(log, EmbeddedLog) else None
    return App(
        settings=settings,
        clock=clock,
        ids=ids,
        databases=databases,
        stream=stream,
        registry=registry,
        producers=producers,
        contexts=contexts,
        known=given.ports,
        parts=given.parts,
        dead_letters=letters,
        retainer=Retainer(stream),
        ballast=ballast,
        identity=identity,
    )


def _ask_others(given: Given, contexts: frozenset[str], stack: AsyncExitStack, identity: Identity | None) -> None:
    """Put a client in the place of each port that is not here; none connects before it is asked."""
    missing = [one for context, one in ASKED.items() if context not in contexts]
    if not missing:
        return
    from restock.edge.grpc.addresses import target_of  # noqa: PLC0415 - an extra
    from restock.edge.grpc.client import Neighbour  # noqa: PLC0415 - an extra

    for one in missing:
        setting = f"{one.name.replace('-', '_')}_grpc_url"
        urls, instead = getattr(given.settings, setting), {one.rest_port: one.grpc_port}
        target = target_of(urls, setting, secure=identity is not None, instead=instead)
        neighbour = Neighbour(one.name, target, identity)
        stack.push_async_callback(neighbour.close)
        setattr(given.ports, one.context, neighbour.port(one.context, PORTS[one.context]))


@asynccontextmanager
async def background(app: App) -> AsyncIterator[bool]:
    """Own the background work of this process' contexts in this home if nobody else does; say whether.

    The kernel frees it with the process. A command beside a running server leaves events to the server, which looks for
    those of other processes; services that are served alone keep out whoever would work for all of them.
    """
    locks = [("background", False)]
    if not app.is_whole:
        locks = [("background", True), *((f"background-{one}", False) for one in sorted(app.contexts))]
    async with AsyncExitStack() as stack:
        try:
            for what, shared in locks:
                stack.enter_context(exclusive(app.settings.home, what, "Another process does the work.", shared=shared))
        except Unavailable:
            await stack.aclose()
            yield False
        else:
            yield True
