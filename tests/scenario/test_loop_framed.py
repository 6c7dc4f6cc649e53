"""The loop in Avro ends where the loop in JSON ends, and nothing of it stays JSON."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from scenario_world import START, business_state, check_supply, run_loop

from restock.app import TOPICS, App, opened
from restock.core.clock import SimulatedClock
from restock.core.ids import Ids
from restock.engine.stream import Record, decode, encode, framing
from restock.settings import Settings


async def records(app: App) -> list[Record]:
    return [
        one
        for topic, partitions in TOPICS.items()
        for partition in range(partitions)
        for one in await app.stream.read(topic, partition, 0, 10_000)
    ]


async def test_the_loop_in_avro_ends_where_the_loop_in_json_ends(fresh: Path, undisturbed: dict[str, object]) -> None:
    clock = SimulatedClock(START + timedelta(hours=1))
    settings = Settings(home=fresh, dispatch_process=False, event_format="avro")
    async with opened(settings, clock, Ids.seeded(clock, 1)) as app:
        await run_loop(app)
        assert await business_state(app) == undisturbed
        await check_supply(app)
        found = await records(app)
    assert len(found) > 20
    assert {one.topic for one in found} == set(TOPICS)
    for one in found:
        assert one.value is not None and one.value[:1] == framing.MAGIC, "every event has a schema that holds it"
        again = framing.framed(one.topic, encode(decode(one)))
        assert again == one.value, "there and back"


def test_events_are_in_avro_where_tools_of_others_read_them() -> None:
    broker = "127.0.0.1:9092"
    assert not Settings().in_avro, "nobody else reads the embedded log"
    assert Settings(kafka_servers=broker).in_avro
    assert Settings(event_format="avro").in_avro
    assert not Settings(kafka_servers=broker, event_format="json").in_avro
