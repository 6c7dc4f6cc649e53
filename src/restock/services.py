"""The table of services: published name, context, database, ports; which ports there are, and all operations.

The names are those of the command line (`restock serve inventory`), of deployments and of dashboards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from restock.analytics import port as analytics
from restock.analytics import store as analytics_store
from restock.core.operation import Operation
from restock.decisions import port as decisions
from restock.decisions import store as decisions_store
from restock.dlq import port as dlq
from restock.engine.database.migrate import Schema
from restock.engine.database.replies import SCHEMA as REPLIES_SCHEMA
from restock.engine.stream import SCHEMA as STREAM_SCHEMA
from restock.engine.stream.registry import SCHEMA as REGISTRY_SCHEMA
from restock.inventory import port as inventory
from restock.inventory import store as inventory_store
from restock.orders import port as orders
from restock.orders import tables as orders_tables
from restock.purchasing import port as purchasing
from restock.purchasing import tables as purchasing_tables
from restock.replenishment import port as replenishment
from restock.replenishment import tables as replenishment_tables
from restock.streams import port as streams
from restock.suppliers import port as suppliers
from restock.suppliers import store as suppliers_store
from restock.units import port as units
from restock.units import store as units_store


@dataclass(frozen=True)
class Service:
    """A service as people start it: its context, its database, its ports when it runs alone."""

    name: str
    context: str
    database: str
    rest_port: int
    grpc_port: int = 0
    """The published port of its gRPC interface; 0 for none."""
    beside_port: int = 0
    """The port of its gRPC interface where all services share a machine, if the published one is another's there."""


SERVICES = (
    Service("order", "orders", "oms", 3001),
    Service("oms", "orders", "oms", 8081, 50051),
    Service("inventory", "inventory", "inventory", 8082, 50052),
    Service("supplier", "suppliers", "supplier", 8083, 50053),
    Service("uom", "units", "uom", 8084, 50054),
    Service("rule-engine", "decisions", "decisions", 8085, 50055),
    Service("po", "purchasing", "po", 8086, 50056),
    Service("orchestrator", "replenishment", "decisions", 8080, 9090),
    Service("analytics", "analytics", "analytics", 8087, 50057),
    Service("stream", "streams", "stream", 8090, 50051, 50060),
)

PORTS: Mapping[str, type] = {
    "orders": orders.Orders,
    "inventory": inventory.Inventory,
    "suppliers": suppliers.Suppliers,
    "units": units.Units,
    "decisions": decisions.Decisions,
    "purchasing": purchasing.Purchasing,
    "replenishment": replenishment.Replenishment,
    "analytics": analytics.Analytics,
}
"""The ports that a process may ask another one for; the stream is met by every process itself."""

ASKED: Mapping[str, Service] = {one.context: one for one in SERVICES if one.grpc_port and one.context in PORTS}
"""The service that is asked for a context's port."""

SCHEMAS: Mapping[str, tuple[Schema, ...]] = {
    "oms": (orders_tables.SCHEMA, REPLIES_SCHEMA),
    "inventory": (inventory_store.SCHEMA, REPLIES_SCHEMA),
    "supplier": (suppliers_store.SCHEMA, REPLIES_SCHEMA),
    "uom": (units_store.SCHEMA, REPLIES_SCHEMA),
    "po": (purchasing_tables.SCHEMA, REPLIES_SCHEMA),
    "decisions": (decisions_store.SCHEMA, replenishment_tables.SCHEMA, REPLIES_SCHEMA),
    "analytics": (analytics_store.SCHEMA, REPLIES_SCHEMA),
    "stream": (STREAM_SCHEMA, REGISTRY_SCHEMA, REPLIES_SCHEMA),
}
"""Which contexts keep tables in which database. Each has room for the replies of a service that is served alone."""


def contexts_of(names: Collection[str]) -> frozenset[str]:
    """Give the contexts of services by their names; of no names, all."""
    return frozenset(one.context for one in SERVICES if not names or one.name in names)


def schemas_of(contexts: Collection[str]) -> Mapping[str, tuple[Schema, ...]]:
    """Give the databases that a process with these contexts opens: their own, and that of the stream they share."""
    owned = {one.database for one in SERVICES if one.context in contexts} | {"stream"}
    return {name: schemas for name, schemas in SCHEMAS.items() if name in owned}


EVENT_SCHEMAS = tuple(
    schema.folder.parent / "schemas"
    for schema in (orders_tables.SCHEMA, inventory_store.SCHEMA, purchasing_tables.SCHEMA)
)
"""Folders with the Avro schemas of the events that contexts publish."""

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for port in (orders, inventory, suppliers, units, decisions, purchasing, replenishment, analytics, streams, dlq)
    for operation in port.OPERATIONS
}
"""Every operation by name."""
