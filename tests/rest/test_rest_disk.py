"""A disk that fills under load: orders are refused in time, and nothing acknowledged is missing."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rest_world import Rest, copied_home, server, stocked

from restock.adapters.database.ballast import Ballast

ORDER = {"customer_id": "cust-alice", "items": [{"sku": "PROD-001", "quantity": 1, "price": "29.99"}]}

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=80m", "restock-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def check_refused(answer: httpx.Response) -> None:
    assert answer.status_code == 507, answer.text
    assert answer.json()["title"] == "storage full" and "Free disk space" in answer.json()["remedy"]


def all_orders(client: httpx.Client) -> set[str]:
    found: set[str] = set()
    after = ""
    while True:
        page = client.get("/api/v1/orders", params={"limit": 1000, "after": after}).json()
        found |= {one["order_id"] for one in page["items"]}
        after = page["next"]
        if not after:
            return found


def waiting(client: httpx.Client) -> int:
    lag = client.get("/api/v1/streams/lag").json()
    return sum(one["events"] for one in lag["outboxes"]) + sum(one["lag"] for one in lag["groups"])


def until(what: str, true: object, seconds: float = 40) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_disk_that_fills_under_load_is_left_by_the_ballast(small_disk: Path) -> None:
    home = copied_home(small_disk / "home")
    stocked(home)
    with server(home, RESTOCK_BALLAST_MIB="24") as (_, address), httpx.Client(base_url=address, timeout=30) as client:
        acknowledged = {client.post("/orders", json=ORDER).json()["order_id"]}
        ballast = home / "ballast"
        until("the ballast is there", lambda: ballast.exists() and ballast.stat().st_size == 24 * MIB)
        filler = small_disk / "filler"
        filler.write_bytes(b"0" * (shutil.disk_usage(small_disk).free - 9 * MIB))
        refused = 0
        while refused < 10:
            for answer in (
                client.post("/orders", json=ORDER),
                client.post("/orders/batch", json={"orders": [ORDER] * 100}),
            ):
                if answer.is_success:
                    acknowledged |= {one["order_id"] for one in answer.json().get("results", [answer.json()])}
                else:
                    check_refused(answer)
                    refused += 1
        assert ballast.stat().st_size == 0
        check_refused(client.post("/api/v1/produce", json={"topic": "orders", "key": "k", "value": "v"}))
        until("what was accepted is carried to its end", lambda: waiting(client) == 0)
        check_refused(client.post("/orders", json=ORDER))
        assert client.get("/health").status_code == 200, "reads are welcome"
        assert "restock_disk_low 1" in client.get("/metrics").text
        assert all_orders(client) == acknowledged
        filler.unlink()
        until("there is room again", lambda: client.post("/orders", json=ORDER).status_code == 201)
        until("and it is kept again", lambda: ballast.stat().st_size == 24 * MIB)
        assert len(all_orders(client)) == len(acknowledged) + 1
        until("all is done", lambda: waiting(client) == 0)
        assert client.get("/api/v1/figures").json()["orders"] == len(acknowledged) + 1


async def test_while_the_ballast_is_gone_orders_are_refused_and_the_rest_goes_on(rest: Rest) -> None:
    """The same without a disk to mount: what is free is what the test says."""
    left = 10 * MIB
    ballast = Ballast(rest.app.settings.home, MIB, lambda _: left)
    ballast.watch()
    accepted = await rest.client.post("/orders/batch", json={"orders": [ORDER] * 3})
    assert accepted.status_code == 200, accepted.text
    left = 0
    ballast.watch()
    check_refused(await rest.client.post("/orders", json=ORDER))
    check_refused(await rest.client.post("/orders/batch", json={"orders": [ORDER]}))
    check_refused(await rest.client.post("/api/v1/produce", json={"topic": "orders", "key": "k", "value": "v"}))
    await asyncio.wait_for(rest.app.settle(), 20)
    assert (await rest.client.get("/api/v1/figures")).json()["orders"] == 3
    left = 10 * MIB
    ballast.watch()
    assert (await rest.client.post("/orders", json=ORDER)).status_code == 201
