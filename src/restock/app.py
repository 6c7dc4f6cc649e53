"""The composition root: settings to a running App. The only file that knows everyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import cast

from restock.adapters.database.ballast import Ballast
from restock.adapters.database.embedded import exclusive
from restock.adapters.dispatch.files import OrderFiles
from restock.adapters.stores import stores_of
from restock.adapters.streams import stream_of
from restock.analytics.consumer import FiguresConsumer
from restock.analytics.service import AnalyticsService
from restock.core.clock import Clock, SystemClock
from restock.core.errors import Unavailable
from restock.core.ids import Ids
from restock.decisions.library import Library
from restock.decisions.model import Known
from restock.decisions.service import DecisionsService
from restock.dlq.service import DlqService
from restock.engine.database import Databases
from restock.engine.stream import DeadLetters, EmbeddedLog, Relay, Retainer, RoughLog, Stream, Subscriber, framing
from restock.engine.stream.producers import Producers
from restock.engine.stream.registry import Conforming, Registry
from restock.inventory import news as inventory_news
from restock.inventory import store as inventory_store
from restock.inventory.consumer import ORDERS_AT_ONCE, ORDERS_BATCH, InventoryConsumer, order_in
from restock.inventory.service import InventoryService
from restock.orders import port as orders_port
from restock.orders import store as orders_store
from restock.orders.service import OrdersService
from restock.purchasing import model as purchasing_model
from restock.purchasing import tables as purchasing_tables
from restock.purchasing.dispatch import Dispatcher
from restock.purchasing.port import OrdersRequest
from restock.purchasing.service import PurchasingService
from restock.replenishment import tables as replenishment_tables
from restock.replenishment.consumer import ReplenishmentConsumer
from restock.replenishment.operations import Neighbours
from restock.replenishment.port import ProposalsRequest
from restock.replenishment.service import ReplenishmentService
from restock.services import EVENT_SCHEMAS, SCHEMAS
from restock.settings import Settings
from restock.streams.producing import ProducingService
from restock.streams.service import StreamsService
from restock.suppliers.service import SuppliersService
from restock.units.service import UnitsService

TOPICS = {
    orders_port.TOPIC: 6,
    inventory_news.TOPIC: inventory_news.PARTITIONS,
    purchasing_model.TOPIC: purchasing_model.PARTITIONS,
}
"""Every topic with its number of partitions, which never changes."""

MAX_PAGE = 1000
"""Orders or proposals asked for at once: a megabyte or two."""


def _no_disk() -> None:
    """Stand for the look at the disk where records go elsewhere."""


@dataclass
class App:
    """Every service of one process, wired to embedded stores. Make it with `opened`."""

    settings: Settings
    clock: Clock
    ids: Ids
    databases: Databases
    stream: Stream
    registry: Registry
    producers: Producers | None
    orders: OrdersService
    inventory: InventoryService
    suppliers: SuppliersService
    units: UnitsService
    decisions: DecisionsService
    purchasing: PurchasingService
    replenishment: ReplenishmentService
    analytics: AnalyticsService
    waker: ReplenishmentConsumer
    relays: list[Relay]
    dead_letters: DeadLetters
    subscribers: list[Subscriber | FiguresConsumer]
    dispatcher: Dispatcher
    retainer: Retainer
    ballast: Ballast
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def ports(self) -> dict[str, object]:
        """Give the ports by the name that operations use."""
        return {
            "orders": self.orders,
            "inventory": self.inventory,
            "suppliers": self.suppliers,
            "units": self.units,
            "decisions": self.decisions,
            "purchasing": self.purchasing,
            "replenishment": self.replenishment,
            "analytics": self.analytics,
            "streams": self.streams,
            "dlq": self.dlq,
        }

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

    def start(self) -> None:
        """Run relays, subscribers, the dispatcher, retention and the ballast until `close`."""
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
        await self.dispatcher.drain()
        await self.replenishment.drain()

    async def backlog(self) -> dict[str, int]:
        """Give what still waits: events to publish and to consume by who does it, and orders to hand over."""
        outboxes = {
            "oms": orders_store.OUTBOX_EVENTS,
            "inventory": inventory_store.OUTBOX,
            "po": purchasing_tables.OUTBOX,
        }
        waiting = {
            f"publish {name}": (await box.backlog(self.databases[name])).events for name, box in outboxes.items()
        }
        waiting |= {f"consume {one.group}": await one.lag() for one in self.subscribers}
        return waiting | {"dispatch": (await self.dispatcher.backlog()).orders}

    @property
    def disk_low(self) -> bool:
        """Tell whether nothing new is taken in because the disk is nearly full."""
        return self.ballast.is_gone

    def problems(self) -> list[str]:
        """Say what stands still and needs a person; empty when all is well."""
        return [str(worker.problem) for worker in self._workers() if worker.problem is not None]

    def _workers(self) -> list[Relay | Subscriber | FiguresConsumer | Dispatcher | Retainer | Ballast]:
        return [*self.relays, *self.subscribers, self.dispatcher, self.retainer, self.ballast]


@asynccontextmanager
async def opened(settings: Settings, clock: Clock | None = None, ids: Ids | None = None) -> AsyncIterator[App]:
    """Open every store, migrating what must be, and wire every service; close all of it at the end."""
    clock = clock or SystemClock()
    databases = await stores_of(settings, SCHEMAS)
    files = OrderFiles(settings.home / "outbox", not settings.dispatch_process, settings.company)
    try:
        app = await _wired(settings, databases, files, clock, ids or Ids(clock))
        try:
            yield app
        finally:
            await app.replenishment.close()
            for task in app.tasks:
                task.cancel()
            await asyncio.gather(*app.tasks, return_exceptions=True)
            for subscriber in app.subscribers:
                await subscriber.close()
            await app.stream.close()
    finally:
        await files.close()
        await databases.close()


async def _wired(settings: Settings, databases: Databases, files: OrderFiles, clock: Clock, ids: Ids) -> App:
    log = stream_of(databases["stream"], clock, settings)
    stream = cast("Stream", RoughLog(log, settings.rough_seed)) if settings.rough_seed else log
    for topic, partitions in TOPICS.items():
        await stream.create_topic(topic, partitions)
    letters = DeadLetters(stream, clock)
    registry = Registry(databases["stream"], clock)
    events = [each for folder in EVENT_SCHEMAS for each in framing.schemas_in(folder)]
    framing.learn(events, await registry.publish(events))
    framed = framing.framed if settings.in_avro else None
    ballast = Ballast(settings.home, 0 if settings.db_host else settings.ballast_mib << 20)
    for name in SCHEMAS:
        databases[name].on_full.append(ballast.let_go)
    orders = OrdersService(databases["oms"], clock, ids, room=ballast.check)
    inventory = InventoryService(databases["inventory"], clock, ids)
    suppliers = SuppliersService(databases["supplier"], clock)
    units = UnitsService(databases["uom"], clock)
    decisions = DecisionsService(databases["decisions"], Library(settings.home / "rulebooks"), clock, ids)
    purchasing = PurchasingService(databases["po"], clock, ids)
    neighbours = Neighbours(orders, inventory, suppliers, units, decisions, purchasing)
    replenishment = ReplenishmentService(
        databases["decisions"], neighbours, clock, ids, settings.flow, settings.queue_limit
    )
    decisions.life.known = partial(_known, replenishment, purchasing)
    waker = ReplenishmentConsumer(replenishment)
    relays = [
        Relay(databases["oms"], orders_store.OUTBOX_EVENTS, stream, framed),
        Relay(databases["inventory"], inventory_store.OUTBOX, stream, framed),
        Relay(databases["po"], purchasing_tables.OUTBOX, stream, framed, aside=True),
    ]
    dispatcher = Dispatcher(databases["po"], files, clock, replenishment.busy)
    for database, relay in zip(("oms", "inventory", "po"), relays, strict=True):
        databases[database].on_commit.append(relay.notify)
    databases["po"].on_commit.append(dispatcher.notify)
    return App(
        settings=settings,
        clock=clock,
        ids=ids,
        databases=databases,
        stream=stream,
        registry=registry,
        producers=Producers(log, databases["stream"], clock, ids) if isinstance(log, EmbeddedLog) else None,
        orders=orders,
        inventory=inventory,
        suppliers=suppliers,
        units=units,
        decisions=decisions,
        purchasing=purchasing,
        replenishment=replenishment,
        analytics=AnalyticsService(databases["analytics"]),
        waker=waker,
        relays=relays,
        dead_letters=letters,
        subscribers=_subscribers(databases, stream, letters, InventoryConsumer(inventory, clock), waker),
        dispatcher=dispatcher,
        retainer=Retainer(stream),
        ballast=ballast,
    )


async def _known(replenishment: ReplenishmentService, purchasing: PurchasingService) -> Known:
    """Give what a new rulebook is tried on: the decisions of the newest plan, and the currency where an order says it."""
    found: dict[str, str] = {}
    before = ""
    while orders := await purchasing.orders(OrdersRequest(before, MAX_PAGE)):
        for order in orders:
            found |= dict.fromkeys([order.decision_id, *(line.decision_id for line in order.lines)], order.currency)
        before = orders[-1].po_id
    planned: list[str] = []
    after = ""
    while page := await replenishment.proposals(ProposalsRequest(0, after, MAX_PAGE)):
        planned += [one.decision_id for one in page]
        found |= {one.decision_id: one.currency for one in page}
        after = page[-1].product_id
    return Known(planned, found)


def _subscribers(
    databases: Databases,
    stream: Stream,
    letters: DeadLetters,
    stock: InventoryConsumer,
    waker: ReplenishmentConsumer,
) -> list[Subscriber | FiguresConsumer]:
    inventory = databases["inventory"]
    return [
        Subscriber(
            stream,
            "inventory.orders",
            [orders_port.TOPIC],
            stock.on_orders,
            inventory,
            inventory_store.ORDERS_INBOX,
            batch=ORDERS_BATCH,
            at_once=ORDERS_AT_ONCE,
            reading=order_in,
            on_bad=letters.of("inventory.orders"),
        ),
        Subscriber(
            stream,
            "inventory.receipts",
            [purchasing_model.TOPIC],
            stock.on_receipts,
            inventory,
            inventory_store.RECEIPTS_INBOX,
            types=["GoodsReceived"],
            aside=True,
            on_bad=letters.of("inventory.receipts"),
        ),
        Subscriber(
            stream,
            "replenishment",
            [inventory_news.TOPIC],
            waker.seen,
            databases["decisions"],
            replenishment_tables.INBOX,
            after=waker.wake,
            on_bad=letters.of("replenishment"),
        ),
        FiguresConsumer(stream, list(TOPICS), databases["analytics"], on_bad=letters.of("analytics")),
    ]


@asynccontextmanager
async def background(app: App) -> AsyncIterator[bool]:
    """Own the background work of this home if nobody else does; say whether. The kernel frees it with the process.

    A command beside a running server leaves events to the server, which looks for those of other processes.
    """
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(exclusive(app.settings.home, "background", "Another process does the background work."))
        except Unavailable:
            yield False
        else:
            yield True
