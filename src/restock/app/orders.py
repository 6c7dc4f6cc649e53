"""Customer orders in this process."""

from __future__ import annotations

from restock.app.wiring import Given, Part
from restock.orders import store
from restock.orders.service import OrdersService


def made(given: Given) -> Part:
    """Wire the context."""
    database = given.databases["oms"]
    service = OrdersService(database, given.clock, given.ids, room=given.room)
    return Part(service, relays=[given.relay(database, store.OUTBOX_EVENTS)])
