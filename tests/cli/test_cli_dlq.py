"""Dead letters through the real command and over REST: what cannot be handled is shown with its reason and decided once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.adapters.database.presence import FilePresence
from restock.core.clock import SystemClock
from restock.engine.stream import EmbeddedLog, Message
from restock.services import SCHEMAS


def restock(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "restock", "--home", str(home), *arguments], capture_output=True, text=True, check=False
    )


async def poison(home: Path, value: bytes = b"{not an order") -> None:
    databases = EmbeddedDatabases(home, SCHEMAS)
    log = EmbeddedLog(databases["stream"], SystemClock(), FilePresence(home))
    await log.publish([Message("orders", "cust-eve", value)])
    await databases.close()


@pytest.mark.slow
def test_a_bad_record_is_listed_with_its_reason_and_discarded_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert restock(home, "setup", "demo").returncode == 0
    asyncio.run(poison(home))
    order = '[{"customer_id": "cust-eve", "items": [{"sku": "PROD-001", "quantity": 1, "price": "2"}]}]'
    assert restock(home, "orders", "place", "--orders", order).returncode == 0
    letters = json.loads(restock(home, "dlq", "list", "--json").stdout)
    (one,) = letters
    assert (one["group"], one["value"], "not an event" in one["reason"]) == ("inventory.orders", "{not an order", True)
    name = one["letter"]
    without = restock(home, "dlq", "discard", "--letter", name)
    assert (without.returncode, "Say why" in without.stderr) == (2, True)
    told = json.loads(restock(home, "dlq", "discard", "--letter", name, "--note", "a test", "--json").stdout)
    assert (told["verdict"], told["note"]) == ("discarded", "a test")
    again = restock(home, "dlq", "replay", "--letter", name)
    assert (again.returncode, "was discarded" in again.stderr) == (5, True)
    assert json.loads(restock(home, "dlq", "list", "--json").stdout) == []
    assert len(json.loads(restock(home, "dlq", "list", "--decided", "true", "--json").stdout)) == 1
    assert restock(home, "dlq", "replay", "--letter", "nothing").returncode == 4
    assert json.loads(restock(home, "analytics", "figures", "--json").stdout)["orders"] == 1


def test_a_long_value_leaves_the_reason_in_sight(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert restock(home, "setup", "demo").returncode == 0
    asyncio.run(poison(home, b"x" * 5_000))
    order = '[{"customer_id": "cust-eve", "items": [{"sku": "PROD-001", "quantity": 1, "price": "2"}]}]'
    assert restock(home, "orders", "place", "--orders", order).returncode == 0
    told = restock(home, "dlq", "list").stdout
    assert "not an event" in told
    assert max(map(len, told.splitlines())) < 1_000
