"""The registry: numbers that mean one schema for ever, versions that are never given twice, modes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.errors import Conflict
from restock.engine.stream.framing import EventSchema
from restock.engine.stream.registry import SCHEMA, Given, Reference, Registry
from restock.engine.stream.registry.model import (
    DIRECTIONS,
    Incompatible,
    ModeInvalid,
    ModeUnset,
    SchemaInvalid,
    SubjectUnknown,
    VersionUnknown,
)
from restock.engine.stream.registry.registry import FIRST_FREE


@pytest.fixture
async def registry(home: Path) -> AsyncIterator[Registry]:
    databases = EmbeddedDatabases(home, {"stream": [SCHEMA]})
    yield Registry(databases["stream"], SystemClock())
    await databases.close()


def record(*names: str, needed: tuple[str, ...] = ()) -> Given:
    fields: list[object] = [{"name": name, "type": "string", "default": ""} for name in names]
    fields += [{"name": name, "type": "string"} for name in needed]
    return Given(json.dumps({"type": "record", "name": "R", "fields": fields}))


async def test_the_same_schema_is_the_same_number_however_it_is_written(registry: Registry) -> None:
    number = await registry.register("a", Given('{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}'))
    again = Given('{"name": "R",\n "fields": [{"type": "int", "name": "x"}], "type": "record"}')
    assert await registry.register("b", again) == number == FIRST_FREE
    assert await registry.places(number) == [("a", 1), ("b", 1)]
    number_and_text = [Given(json.dumps({"type": "int", "note": note})) for note in (1.5, "1.5")]
    assert len({await registry.register(f"c{i}", one) for i, one in enumerate(number_and_text)}) == 2


async def test_many_who_register_at_once_get_each_number_once(registry: Registry) -> None:
    await registry.set_mode("NONE")
    given = [Given(json.dumps({"type": "int", "n": n // 2})) for n in range(16)]
    numbers = await asyncio.gather(*(registry.register("s", one) for one in given))
    assert numbers[::2] == numbers[1::2] and sorted(set(numbers)) == list(range(FIRST_FREE, FIRST_FREE + 8))
    assert [one.version for one in await registry.versions("s")] == list(range(1, 9))


@pytest.mark.parametrize("mode", sorted(DIRECTIONS))
async def test_a_mode_asks_what_its_name_says(registry: Registry, mode: str) -> None:
    """The first version writes and needs x and y, the second y alone."""
    await registry.set_mode("NONE")
    for one in (record(needed=("x", "y")), record(needed=("y",))):
        await registry.register("s", one)
    await registry.set_mode(mode, "s")
    asked = {
        "reads both, and the second reads it": (
            record("z", needed=("y",)),
            {"BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FULL"},
        ),
        "reads neither, and the second reads it": (record(needed=("y", "z")), {"FORWARD"}),
        "reads both, and neither reads it": (record("z"), {"BACKWARD", "BACKWARD_TRANSITIVE"}),
        "reads the first, and both read it": (record(needed=("x", "y")), {"FORWARD", "FORWARD_TRANSITIVE"}),
        "reads both, and both read it": (record("x", "y"), set(DIRECTIONS)),
    }
    for told, (given, allowed) in asked.items():
        problems = await registry.test("s", "", given)
        assert (not problems) == (mode == "NONE" or mode in allowed), (told, problems)


async def test_a_refusal_gives_every_reason_and_changes_nothing(registry: Registry) -> None:
    await registry.register("s", record("a"))
    with pytest.raises(Incompatible) as refused:
        await registry.register("s", record("a", needed=("b", "c")))
    assert "version 1: b: is not written" in str(refused.value) and "version 1: c: is not written" in str(refused.value)
    assert [one.version for one in await registry.versions("s")] == [1]


async def test_a_subject_does_not_change_its_kind(registry: Registry) -> None:
    await registry.register("s", record("a"))
    with pytest.raises(Incompatible, match="is AVRO, not JSON"):
        await registry.register("s", Given('{"type":"string"}', "JSON"))


async def test_a_subject_follows_all_until_it_has_a_mode_of_its_own(registry: Registry) -> None:
    assert await registry.mode() == "BACKWARD_TRANSITIVE"
    with pytest.raises(ModeUnset):
        await registry.mode("s")
    assert await registry.set_mode("full") == "FULL"
    assert await registry.mode("s", inherited=True) == "FULL"
    await registry.set_mode("NONE", "s")
    assert await registry.mode("s") == "NONE"
    assert await registry.unset_mode("s") == "NONE"
    assert await registry.mode("s", inherited=True) == "FULL"
    with pytest.raises(ModeInvalid):
        await registry.set_mode("SIDEWAYS")


async def test_a_deleted_version_no_longer_limits_what_follows(registry: Registry) -> None:
    await registry.register("s", record("a"))
    await registry.delete_version("s", "latest")
    with pytest.raises(SubjectUnknown):
        await registry.versions("s")
    await registry.register("s", record(needed=("b",)))
    assert [one.version for one in await registry.versions("s", deleted=True)] == [1, 2]


async def test_a_reference_must_be_there(registry: Registry) -> None:
    given = Given('{"type":"array","items":"R"}', "AVRO", (Reference("R", "r", 1),))
    with pytest.raises(SubjectUnknown):
        await registry.register("s", given)
    await registry.register("r", record("a"))
    await registry.register("s", given)
    with pytest.raises(VersionUnknown):
        await registry.register("s", given._replace(references=(Reference("R", "r", 2),)))


@pytest.mark.parametrize("subject", ["", "x" * 129, "a\nb"])
async def test_a_subject_has_a_name_that_can_be_kept(registry: Registry, subject: str) -> None:
    with pytest.raises(SchemaInvalid):
        await registry.register(subject, record("a"))


OWN = [EventSchema(1, "orders-value", record("a").text), EventSchema(2, "orders-value", record("a", "b").text)]


async def test_the_programs_own_schemas_have_the_same_numbers_in_every_home(registry: Registry) -> None:
    await registry.register("mine", record("q"))
    assert await registry.publish(OWN[:1]) == OWN[:1]
    assert await registry.publish(OWN) == OWN
    assert await registry.publish(OWN[:1]) == OWN, "an older program learns what a newer one published"
    assert [one.schema.id for one in await registry.versions("orders-value")] == [1, 2]
    assert await registry.mode("orders-value") == "FULL_TRANSITIVE"
    assert await registry.register("next", record("r")) == FIRST_FREE + 1


async def test_a_published_schema_never_changes(registry: Registry) -> None:
    await registry.publish(OWN[:1])
    with pytest.raises(Conflict, match="Schema 1 of orders-value"):
        await registry.publish([EventSchema(1, "orders-value", record("other").text)])
