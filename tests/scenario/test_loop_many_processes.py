"""Several processes share one home, its groups and its outboxes, and are killed and frozen: nothing is lost or doubled.

The events travel on the embedded log, and on a real broker, where a member that dies is missed only after its session.
Every process serves clients, relays, consumes and orders; each has its share of the partitions as long as it lives. The
sizes of the large run (`make crash`) are RESTOCK_CRASH_ORDERS, RESTOCK_CRASH_KILLS and RESTOCK_CRASH_FREEZES.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from loop_child import CLIENTS, acknowledged, load_needs
from nursery import Nursery
from scenario_world import life
from test_loop_random_kills import check_all

PROCESSES = 3
SESSION = 1
FREEZE_SECONDS = 1.6
"""Longer than a session: the others take over what the frozen one held, and fence it."""

DWELL_MS = 4
"""How long a process stays at most at each durable write, so that kills hit there."""

LIFE_SECONDS = {False: (0.4, 1.6), True: (1.0, 4.0)}
"""Between birth and death, on the embedded log and on a broker, where a group takes a session to settle."""

ORDERS = int(os.environ.get("RESTOCK_CRASH_ORDERS", "2000"))
KILLS = int(os.environ.get("RESTOCK_CRASH_KILLS", "40"))
FREEZES = int(os.environ.get("RESTOCK_CRASH_FREEZES", "2"))


class Storm:
    """Lives and deaths of all processes, each in a thread of its own, until enough was ordered and enough were killed."""

    def __init__(self, home: Path, seed: int, kafka_prefix: str) -> None:
        self.home = home
        self.kafka_prefix = kafka_prefix
        self.said = str(home / "said")
        self.kills = self.freezes = 0
        self._random = Random(seed)
        self._lock = threading.Lock()
        self._seed = 10

    def over(self) -> bool:
        """Tell whether the run has seen enough."""
        enough = self.kills >= KILLS and self.freezes >= FREEZES
        return enough and len(acknowledged(self.said)) >= ORDERS

    def process(self, index: int, nursery: Nursery) -> None:
        """Let one process live, die and be born again."""
        while not self.over():
            with self._lock:
                self._seed += 1
                task = {
                    "work": "serve",
                    "home": str(self.home),
                    "seed": str(self._seed),
                    "said": self.said,
                    "orders": str(ORDERS),
                    "first": str(index * CLIENTS),
                    "stride": str(PROCESSES * CLIENTS),
                    "session": str(SESSION),
                    "dwell": str(DWELL_MS),
                    "stay": "yes",
                    "rough": "yes",
                    "kafka_prefix": self.kafka_prefix,
                    "kill_after": str(self._random.uniform(*LIFE_SECONDS[bool(self.kafka_prefix)])),
                }
                if index == 0 and self.freezes < FREEZES and self.kills > 5:
                    task["freeze_for"] = str(FREEZE_SECONDS)
                    self.freezes += 1
            assert nursery.run(**task) == -signal.SIGKILL
            with self._lock:
                self.kills += 1


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("stream", ["embedded", pytest.param("kafka", marks=pytest.mark.server("kafka"))])
async def test_a_storm_of_kills_over_several_processes_loses_and_doubles_nothing(fresh: Path, stream: str) -> None:
    seed = int(os.environ.get("RESTOCK_TEST_SEED") or Random().randrange(10**6))
    print(f"RESTOCK_TEST_SEED={seed} repeats these kills")  # noqa: T201 - shown when it fails
    prefix = f"{uuid4().hex}." if stream == "kafka" else ""
    async with life(fresh, kafka_prefix=prefix) as app:
        await load_needs(app)
    storm, nurseries = Storm(fresh, seed, prefix), [Nursery() for _ in range(PROCESSES)]
    began = time.monotonic()
    try:
        threads = [threading.Thread(target=storm.process, args=pair) for pair in enumerate(nurseries)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for nursery in nurseries:
            nursery.close()
    told, over = len(acknowledged(storm.said)), time.monotonic()
    assert told >= ORDERS
    await check_all(fresh, 900, prefix)
    took, settled = over - began, time.monotonic() - over
    print(f"{storm.kills} kills, {storm.freezes} freezes, {told} orders in {took:.0f} s, {settled:.0f} s to settle")  # noqa: T201
