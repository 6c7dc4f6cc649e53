"""Is what a program produces what the schema of the topic's values says? Asked where a topic has a subject `{topic}-value`.

A framed value (a zero byte, the number of its schema in four bytes) must name a schema that the subject holds and be written
with it. Another value must be JSON that the newest version accepts, which a version in Avro never does: Avro is framed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from restock.core.errors import InvalidInput
from restock.engine.stream.framing import HEAD_BYTES, MAGIC
from restock.engine.stream.registry.avro_schemas import AvroSchema
from restock.engine.stream.registry.json_documents import faults
from restock.engine.stream.registry.json_schemas import JsonSchema
from restock.engine.stream.registry.model import AVRO, Stored, SubjectUnknown, Version
from restock.engine.stream.registry.registry import Registry

MAX_KNOWN = 256
"""Schemas that are kept ready; a topic has a handful."""

Check = Callable[[bytes], None]
"""Raises ValueError for bytes that the schema did not write."""


class Conforming:
    """Checks values against the schemas of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._ready: dict[int, Check] = {}

    async def check(self, topic: str, values: Sequence[bytes | None], *, is_event: Check | None = None) -> None:
        """Let values pass that the topic's schema accepts, and tombstones. Raises InvalidInput that names the first other.

        On Restock's own topics events are JSON or framed: `is_event` says whether one that is not framed is an event.
        """
        try:
            versions = await self._registry.versions(f"{topic}-value")
        except SubjectUnknown:
            return
        numbers = {one.schema.id: one.schema for one in versions}
        for place, value in enumerate(values):
            if value is None:
                continue
            try:
                if value[:1] == MAGIC and len(value) >= HEAD_BYTES:
                    await self._check_framed(value, versions[-1], numbers)
                elif is_event is not None:
                    is_event(value)
                elif versions[-1].schema.kind == AVRO:
                    raise ValueError("it is not framed: a zero byte, the schema's number in four bytes, then Avro")
                else:
                    (await self._checked(versions[-1].schema))(value)
            except (ValueError, RecursionError) as error:
                raise InvalidInput(
                    f"Record {place} is not what {topic}-value says: {str(error)[:500]}.",
                    field="value",
                    remedy=f"See `restock schemas show {topic}-value`.",
                ) from None

    async def _check_framed(self, value: bytes, newest: Version, numbers: dict[int, Stored]) -> None:
        number = int.from_bytes(value[len(MAGIC) : HEAD_BYTES], "big")
        if number not in numbers:
            raise ValueError(f"it names schema {number}; the newest is {newest.schema.id}")
        (await self._checked(numbers[number]))(value[HEAD_BYTES:])

    async def _checked(self, schema: Stored) -> Check:
        known = self._ready.get(schema.id)
        if known is None:
            used = await self._registry.used(schema.given)
            known = _avro(AvroSchema(schema.text, used)) if schema.kind == AVRO else _json(JsonSchema(schema.text))
            if len(self._ready) >= MAX_KNOWN:
                self._ready.clear()
            self._ready[schema.id] = known
        return known


def _avro(schema: AvroSchema) -> Check:
    from fastavro import schemaless_reader  # noqa: PLC0415 - 30 ms that a start without Avro does not pay

    def check(value: bytes) -> None:
        source = BytesIO(value)
        try:
            schemaless_reader(source, schema.parsed, None)
        except Exception as error:  # whatever the library meets in foreign bytes
            raise ValueError(f"it is not written with its schema: {error or type(error).__name__}") from None
        if source.tell() != len(value):
            raise ValueError("it goes on after what its schema describes")

    return check


def _json(schema: JsonSchema) -> Check:
    def check(value: bytes) -> None:
        fault = next(faults(schema, json.loads(value, parse_constant=_no_number)), None)
        if fault is not None:
            raise ValueError(fault)

    return check


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")
