"""The whole loop on a real broker ends where it ends on the embedded log; so does one that moves there in its middle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from scenario_world import FIRST_ORDERS, business_state, check_supply, life, load, order, run_loop, unlooped

from restock.__main__ import Program
from restock.app import TOPICS
from restock.edge.cli.root import root
from restock.engine.stream import framing
from restock.orders.port import PlaceRequest

on_a_broker = pytest.mark.server("kafka")


def moved(home: Path, prefix: str, *arguments: str) -> dict[str, object]:
    flags = {"home": home, "kafka_servers": os.environ["RESTOCK_KAFKA"], "kafka_prefix": prefix}
    done = CliRunner().invoke(root, ["stream", "move", *arguments, "--json"], obj=Program(flags))
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


@on_a_broker
async def test_the_loop_on_kafka_ends_as_on_the_embedded_log(fresh: Path, undisturbed: dict[str, object]) -> None:
    async with life(fresh, rough=False, kafka_prefix=f"{uuid4().hex}.") as app:
        await run_loop(app)
        await check_supply(app)
        assert await business_state(app) == undisturbed
        records = [
            one
            for partition in range(TOPICS["purchase-orders"])
            for one in await app.stream.read("purchase-orders", partition, 0, 10_000)
        ]
        assert records and {one.value[:1] for one in records if one.value} == {framing.MAGIC}, "as Kafka's tools read"


@pytest.mark.slow
@on_a_broker
def test_a_loop_that_moves_to_kafka_and_back_in_its_middle_does_not_notice(
    fresh: Path, undisturbed: dict[str, object]
) -> None:
    prefix = f"{uuid4().hex}."

    async def begun() -> None:
        async with life(fresh) as app:
            await load(app)
            wanted = [order(f"first-{number}", *one) for number, one in enumerate(FIRST_ORDERS)]
            await app.orders.place(PlaceRequest(wanted))
            for relay in app.relays:
                await relay.drain()  # published, and not yet consumed

    async def ended(on_kafka: bool, seed: int) -> None:
        async with life(fresh, seed, kafka_prefix=prefix if on_kafka else "") as app:
            await run_loop(app)
            await check_supply(app)
            assert await business_state(app) == undisturbed

    unlooped(begun())
    there = moved(fresh, prefix, "--to", "kafka")
    assert there["records"]["orders"] == len(FIRST_ORDERS)  # type: ignore[index]
    unlooped(ended(True, 2))
    moved(fresh, prefix, "--to", "embedded", "--replace")
    unlooped(ended(False, 3))


def test_a_move_needs_a_cluster(home: Path) -> None:
    refused = CliRunner().invoke(root, ["stream", "move", "--to", "kafka"], obj=Program({"home": home}))
    assert refused.exit_code == 2
    assert "kafka_servers" in refused.output
