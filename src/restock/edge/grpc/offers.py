"""Which published services a process offers over gRPC: all of them, or those that it serves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from restock.core.clock import Clock
from restock.edge.grpc.producing import Producing
from restock.edge.grpc.purchasing import Inventory, Oms, Po, RuleEngine, Supplier, Uom
from restock.edge.grpc.server import Offer
from restock.edge.grpc.streamhouse import StreamHouse
from restock.edge.published_orders import PublishedOrders
from restock.edge.purchasing_services import Asked, PurchasingServices
from restock.streams.port import Streams


class Offering(Asked, Protocol):
    """The running program."""

    clock: Clock

    @property
    def streams(self) -> Streams:
        """The stream as other programs see it."""
        ...

    @property
    def producing(self) -> Producing | None:
        """Producers with epochs; none on Kafka."""
        ...


def offers(app: Offering, alone: Collection[str] = ()) -> list[Offer]:
    """Give what the services named offer, or all."""
    services = PurchasingServices(app)
    all_of_them = {
        "stream": Offer("streamhouse.StreamHouse", StreamHouse(app.streams, app.clock, app.producing)),
        "oms": Offer("oms.OmsService", Oms("oms", "oms", services)),
        "inventory": Offer("inventory.InventoryService", Inventory("inventory", "inventory", services)),
        "supplier": Offer("supplier.SupplierService", Supplier("supplier", "supplier", services)),
        "uom": Offer("uom.UomService", Uom("uom", "uom", services)),
        "rule-engine": Offer("rule_engine.RuleEngineService", RuleEngine("rule_engine", "rule-engine", services)),
        "po": Offer("po.PoService", Po(services, PublishedOrders(app))),
    }
    return [offer for name, offer in all_of_them.items() if not alone or name in alone]
