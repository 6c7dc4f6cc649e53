"""A small shop in a folder: every context that files go into, and what its tables hold."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.ids import Ids
from restock.edge.files.exports import ExportPorts
from restock.edge.files.retail import RetailPorts
from restock.edge.files.settings import ImportSettings
from restock.inventory import store as inventory_store
from restock.inventory.service import InventoryService
from restock.orders import tables as orders_tables
from restock.orders.service import OrdersService
from restock.suppliers import store as suppliers_store
from restock.suppliers.service import SuppliersService
from restock.units import store as units_store
from restock.units.service import UnitsService

SCHEMAS = {
    "oms": [orders_tables.SCHEMA],
    "inventory": [inventory_store.SCHEMA],
    "supplier": [suppliers_store.SCHEMA],
    "uom": [units_store.SCHEMA],
}


class Shop:
    """All contexts over one folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.databases = EmbeddedDatabases(home, SCHEMAS)
        clock = SystemClock()
        ids = Ids(clock)
        self.orders = OrdersService(self.databases["oms"], clock, ids)
        self.inventory = InventoryService(self.databases["inventory"], clock, ids)
        self.suppliers = SuppliersService(self.databases["supplier"], clock)
        self.units = UnitsService(self.databases["uom"], clock)
        self.settings = ImportSettings(home / "rejects", clock)
        self.retail = RetailPorts(self.orders, self.inventory, self.suppliers, self.units)
        self.exports = ExportPorts(self.orders, self.inventory, self.suppliers, self.units)

    async def close(self) -> None:
        await self.databases.close()


def contents(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """Give every row of every table, but for moments and identifiers that differ from run to run."""
    moments = {"last_updated", "at", "created_at", "event_id", "seq"}
    found: dict[str, list[tuple[object, ...]]] = {}
    for name in SCHEMAS:
        with closing(sqlite3.connect(home / "stores" / f"{name}.db")) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                if table == "outbox_batch":
                    rows = connection.execute(f"SELECT batch FROM {table}")
                    found[f"{name}.events"] = sorted(
                        (one.topic, one.key) for (row,) in rows for one in inventory_store.OUTBOX.events_in(row)
                    )
                    continue
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                kept = ", ".join(f'"{column}"' for column in columns if column not in moments)
                found[f"{name}.{table}"] = sorted(
                    connection.execute(f"SELECT {kept} FROM {table}").fetchall(), key=repr
                )
    return found


def retail_folder() -> Path:
    """Give the folder of the real data set: where RESTOCK_RETAIL_DATA says, or beside the checkout."""
    beside = Path(__file__).parents[2].parent / "shared" / "data" / "online-retail"
    return Path(os.environ.get("RESTOCK_RETAIL_DATA", beside))
