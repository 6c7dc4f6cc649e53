"""Processes die at the worst moment; what was acknowledged is there and no effect happens twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stream_child import ORDERS
from stream_shop import Shop

from restock.core.failpoint import KILLED
from restock.engine.stream import Retention

CHILD = Path(__file__).parent / "stream_child.py"


def child(work: str, home: Path, name: str = "a", **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), work, str(home), name],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )


def acknowledged(process: subprocess.Popen[str], count: int) -> list[str]:
    """Read so many acknowledgements, then kill -9, then read what was still said."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    return [line.strip() for line in lines + rest.splitlines(keepends=True) if line.endswith("\n")]


async def stored(home: Path) -> dict[str, tuple[int, int]]:
    shop = Shop(home)
    found = {}
    for partition, (low, high) in (await shop.log.watermarks("orders")).items():
        offset = low
        while offset < high:
            for record in await shop.log.read("orders", partition, offset, 10_000):
                assert record.headers["event-id"] == record.value.decode()
                found[record.value.decode()] = (partition, record.offset)
                assert record.offset == offset, "the embedded log leaves no gaps"
                offset += 1
    await shop.close()
    return found


async def test_an_acknowledged_publish_survives_kill_9(home: Path) -> None:
    said = acknowledged(child("publish", home), 200)
    found = await stored(home)
    assert len(said) >= 200
    for line in said:
        event_id, partition, offset = line.split()
        assert found[event_id] == (int(partition), int(offset))


async def test_two_processes_publish_at_once(home: Path) -> None:
    first, second = child("publish", home, "a"), child("publish", home, "b")
    said = acknowledged(first, 150) + acknowledged(second, 150)
    found = await stored(home)
    places = [tuple(line.split()[1:]) for line in said]
    assert len(set(places)) == len(places)
    for line in said:
        event_id, partition, offset = line.split()
        assert found[event_id] == (int(partition), int(offset))


@pytest.mark.parametrize(
    "failpoint",
    [
        "shop.place.before",
        "shop.place.after",
        "stream.publish.before",
        "stream.publish.after",
        "shop.relay.delete.before",
        "shop.relay.delete.after",
        "shop.consume.counter.before:2",
        "shop.consume.counter.after:1",
        "shop.consume.counter.after:2",
        "stream.offsets.before:1",
        "stream.offsets.before:2",
        "stream.offsets.after:2",
    ],
)
async def test_a_crash_anywhere_gives_each_effect_once(home: Path, failpoint: str) -> None:
    crashed = child("work", home, RESTOCK_FAILPOINT=failpoint)
    crashed.communicate(timeout=30)
    assert crashed.returncode == KILLED, "the failpoint exists and was reached"
    for _ in range(2):
        again = child("work", home)
        again.communicate(timeout=30)
        assert again.returncode == 0
    shop = Shop(home)
    effects = await shop.effects()
    backlog = await shop.outbox.backlog(shop.database)
    lag = await shop.log.lag("counter")
    duplicates = sum(high for _, high in (await shop.log.watermarks("orders")).values()) - ORDERS
    await shop.close()
    assert sorted(effects) == [f"event-{number:06d}" for number in range(ORDERS)]
    assert (backlog.events, set(lag.values())) == (0, {0})
    assert duplicates == (ORDERS if failpoint in {"stream.publish.after", "shop.relay.delete.before"} else 0)


@pytest.mark.parametrize("failpoint", ["stream.expire.before", "stream.expire.after", "stream.statement:2"])
async def test_a_crash_while_old_records_are_forgotten_leaves_the_rest_whole(home: Path, failpoint: str) -> None:
    """Low watermark, bytes and batches change together or not at all, and what a group has to read is there."""
    said = acknowledged(child("publish", home), 60)
    shop = Shop(home)
    ends = await shop.log.watermarks("orders")
    await shop.log.commit("reader", {("orders", part): high - high // 2 for part, (_, high) in ends.items()})
    await shop.log.retain("orders", Retention(ms=0))
    await shop.close()
    killed = child("expire", home, RESTOCK_FAILPOINT=failpoint)
    killed.communicate(timeout=30)
    assert killed.returncode == KILLED, "the failpoint exists and was reached"
    again = child("expire", home)
    again.communicate(timeout=30)
    assert again.returncode == 0
    left = await stored(home)
    for line in said:
        event_id, partition, offset = line.split()
        high = ends[int(partition)].high
        assert (event_id in left) == (int(offset) >= high - high // 2), line
    shop = Shop(home)
    reader = shop.databases["stream"]._reader
    assert (
        reader.execute("SELECT sum(bytes) FROM partition").fetchone()
        == reader.execute("SELECT sum(length(batch)) FROM record_batch").fetchone()
    )
    await shop.close()
