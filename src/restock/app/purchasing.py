"""Purchase orders in this process, and their way to suppliers."""

from __future__ import annotations

from restock.adapters.dispatch.files import OrderFiles
from restock.app.wiring import Given, Part
from restock.purchasing import tables
from restock.purchasing.dispatch import Dispatcher
from restock.purchasing.service import PurchasingService


def made(given: Given) -> Part:
    """Wire the context."""
    database, settings = given.databases["po"], given.settings
    files = OrderFiles(settings.home / "outbox", not settings.dispatch_process, settings.company)
    dispatcher = Dispatcher(database, files, given.clock, given.busy)
    relay = given.relay(database, tables.OUTBOX, aside=True)
    database.on_commit.append(dispatcher.notify)
    service = PurchasingService(database, given.clock, given.ids)
    return Part(service, relays=[relay], dispatcher=dispatcher, close=files.close)
