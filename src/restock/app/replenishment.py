"""Flows, plans and proposals in this process, and the stock changes that wake flows."""

from __future__ import annotations

from restock.app.wiring import Given, Part
from restock.engine.stream import Subscriber
from restock.inventory import news as inventory_news
from restock.replenishment import tables
from restock.replenishment.consumer import ReplenishmentConsumer
from restock.replenishment.operations import Neighbours
from restock.replenishment.service import ReplenishmentService
from restock.services import PORTS


def made(given: Given) -> Part:
    """Wire the context."""
    ports, settings = given.ports, given.settings
    neighbours = Neighbours(
        ports.orders, ports.inventory, ports.suppliers, ports.units, ports.decisions, ports.purchasing
    )
    database = given.databases["decisions"]
    away = PORTS.keys() - given.parts.keys()
    service = ReplenishmentService(
        database, neighbours, given.clock, given.ids, settings.flow, settings.queue_limit, away
    )
    waker = ReplenishmentConsumer(service)
    subscriber = Subscriber(
        given.stream,
        "replenishment",
        [inventory_news.TOPIC],
        waker.seen,
        database,
        tables.INBOX,
        after=waker.wake,
        on_bad=given.letters.of("replenishment"),
    )
    return Part(
        service, subscribers=[subscriber], waker=waker, busy=service.busy, drain=service.drain, finish=service.close
    )
