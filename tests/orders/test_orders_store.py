"""The orders database: tables as declared, and a kill at any moment leaves an order with its event or nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.failpoint import KILLED
from restock.orders.tables import METADATA, SCHEMA


async def test_the_migrations_make_the_declared_tables(tmp_path: Path) -> None:
    databases = EmbeddedDatabases(tmp_path, {"oms": [SCHEMA]})
    await databases.close()
    with closing(sqlite3.connect(databases.folder / "oms.db")) as connection:
        for table in METADATA.sorted_tables:
            made = {
                name: (kind, bool(required or key))
                for _, name, kind, required, _, key in connection.execute(f"PRAGMA table_info({table.name})")
            }
            declared = {
                column.name: (
                    "INTEGER" if column.name == "seq" else str(column.type.compile()),
                    not column.nullable,
                )
                for column in table.columns
            }
            assert {name: required for name, (_, required) in made.items()} == {
                name: required for name, (_, required) in declared.items()
            }, table.name
            assert {name: kind for name, (kind, _) in made.items() if kind != "BLOB"} == {
                name: kind for name, (kind, _) in declared.items() if kind != "BLOB"
            }, table.name


PLACE = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.ids import Ids
from restock.orders.model import NewOrder, OrderItem
from restock.orders.port import PlaceRequest
from restock.orders.service import OrdersService
from restock.orders.tables import SCHEMA

async def run():
    databases = EmbeddedDatabases(Path(sys.argv[1]), {"oms": [SCHEMA]})
    clock = SystemClock()
    service = OrdersService(databases["oms"], clock, Ids(clock))
    orders = [NewOrder("c", [OrderItem("A", Decimal(1), Decimal(2))], None, f"key-{n}") for n in range(3)]
    for placed in (await service.place(PlaceRequest(orders))).orders:
        print(placed.order_id)
    await databases.close()

asyncio.run(run())
"""


@pytest.mark.parametrize(("failpoint", "there"), [("oms.place_orders.before", 0), ("oms.place_orders.after", 3)])
def test_an_order_and_its_event_are_there_together_once(tmp_path: Path, failpoint: str, there: int) -> None:
    command = [sys.executable, "-c", PLACE, str(tmp_path)]
    killed = subprocess.run(
        command, env={**os.environ, "RESTOCK_FAILPOINT": failpoint}, check=False, capture_output=True
    )
    assert (killed.returncode, killed.stdout) == (KILLED, b"")
    assert stored(tmp_path) == (there, there, there)
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert stored(tmp_path) == (3, 3, 3)
    with closing(sqlite3.connect(tmp_path / "stores" / "oms.db")) as connection:
        ids = {row[0] for row in connection.execute("SELECT order_id FROM customer_order")}
    assert set(again.stdout.split()) == ids


def stored(home: Path) -> tuple[int, ...]:
    """Count orders, events and effects."""
    with closing(sqlite3.connect(home / "stores" / "oms.db")) as connection:
        counts = ("count(*) FROM customer_order", "ifnull(sum(events), 0) FROM outbox_batch", "count(*) FROM effect")
        return tuple(connection.execute(f"SELECT {count}").fetchone()[0] for count in counts)
