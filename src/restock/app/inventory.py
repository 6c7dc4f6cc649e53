"""Stock in this process, and the events it follows."""

from __future__ import annotations

from restock.app.wiring import Given, Part
from restock.engine.stream import Subscriber
from restock.inventory import store
from restock.inventory.consumer import ORDERS_AT_ONCE, ORDERS_BATCH, InventoryConsumer, order_in
from restock.inventory.service import InventoryService
from restock.orders import port as orders_port
from restock.purchasing import model as purchasing_model


def made(given: Given) -> Part:
    """Wire the context."""
    database = given.databases["inventory"]
    service = InventoryService(database, given.clock, given.ids)
    stock = InventoryConsumer(service, given.clock)
    orders = Subscriber(
        given.stream,
        "inventory.orders",
        [orders_port.TOPIC],
        stock.on_orders,
        database,
        store.ORDERS_INBOX,
        batch=ORDERS_BATCH,
        at_once=ORDERS_AT_ONCE,
        reading=order_in,
        on_bad=given.letters.of("inventory.orders"),
    )
    receipts = Subscriber(
        given.stream,
        "inventory.receipts",
        [purchasing_model.TOPIC],
        stock.on_receipts,
        database,
        store.RECEIPTS_INBOX,
        types=["GoodsReceived"],
        aside=True,
        on_bad=given.letters.of("inventory.receipts"),
    )
    return Part(service, relays=[given.relay(database, store.OUTBOX)], subscribers=[orders, receipts])
