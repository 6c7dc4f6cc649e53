"""What the registry asks of every kind of schema: read it, compare it, tell whether two texts are the same schema."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from restock.engine.stream.registry import avro_schemas, json_schemas
from restock.engine.stream.registry.model import AVRO, KINDS, MAX_SCHEMA_BYTES, Given, SchemaInvalid

Parsed = avro_schemas.AvroSchema | json_schemas.JsonSchema


def parsed(given: Given, used: Sequence[str]) -> Parsed:
    """Read a schema. Raises SchemaInvalid."""
    if given.kind == AVRO:
        return avro_schemas.AvroSchema(given.text, used)
    return json_schemas.JsonSchema(given.text)


def obstacles(reader: Parsed, writer: Parsed) -> list[str]:
    """Say why a reader cannot take what the writer gives. Raises SchemaInvalid when that takes too long to find out."""
    if isinstance(reader, avro_schemas.AvroSchema) and isinstance(writer, avro_schemas.AvroSchema):
        return avro_schemas.obstacles(reader, writer)
    assert isinstance(reader, json_schemas.JsonSchema) and isinstance(writer, json_schemas.JsonSchema)
    return json_schemas.obstacles(reader, writer)


def fingerprint(given: Given) -> str:
    """Give the same for the same schema, however its text is spaced and its members are ordered. Raises SchemaInvalid."""
    if given.kind not in KINDS:
        raise SchemaInvalid(f"{given.kind[:50]!r} is no kind of schema.", remedy=f"Known: {', '.join(KINDS)}.")
    if len(given.text) > MAX_SCHEMA_BYTES:
        raise SchemaInvalid(f"The schema has more than {MAX_SCHEMA_BYTES} characters.", remedy="Divide it.")
    head = _sorted([given.kind, *map(list, given.references)])
    return hashlib.sha256(head + canonical(given.text)).hexdigest()


def canonical(text: str) -> bytes:
    """Give the same bytes for the same JSON. Raises SchemaInvalid."""
    try:
        return _sorted(_any(text))  # a number stays apart from a text
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SchemaInvalid(f"The schema is not JSON: {error}.", remedy="Correct the text.") from None


_any = msgspec.json.Decoder(float_hook="\0".__add__).decode
_sorted = msgspec.json.Encoder(order="sorted").encode
