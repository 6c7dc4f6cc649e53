"""Does a JSON document do what its schema says? Asked of the words that schemas are compared by; others are passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

from restock.engine.stream.registry.json_schemas import JsonSchema, _listed, _text, _types_of

_SIZES: tuple[tuple[str, type[Sized]], ...] = (("Length", str), ("Items", list), ("Properties", dict))


def faults(schema: JsonSchema, document: Any) -> Iterator[str]:
    """Say where a document is not what the schema accepts, the first of them at once."""
    return _faults(schema, schema.root, document, "$")


def _faults(book: JsonSchema, schema: Any, value: Any, path: str) -> Iterator[str]:
    schema = book.at(schema)
    if schema is False:
        yield f"{path} is not accepted"
        return
    kinds = _kinds_of(value)
    if not kinds & _types_of(schema):
        yield f"{path} is {'/'.join(sorted(kinds))}, not {' or '.join(sorted(_types_of(schema)))}"
        return
    accepted = _listed(schema)
    if accepted is not None and _text(value) not in accepted:
        yield f"{path} is none of the values that are accepted"
    yield from _beyond(schema, value, path)
    if isinstance(value, dict):
        yield from (f"{path} has no {name}" for name in schema.get("required", ()) if name not in value)
        members, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        if "patternProperties" in schema:
            others = True
        for name, each in value.items():
            yield from _faults(book, members.get(name, others), each, f"{path}.{name}")
    elif isinstance(value, list) and not isinstance(schema.get("items", True), list) and "prefixItems" not in schema:
        for place, each in enumerate(value):
            yield from _faults(book, schema.get("items", True), each, f"{path}[{place}]")


def _kinds_of(value: Any) -> set[str]:
    if value is None:
        return {"null"}
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int):
        return {"integer", "number"}
    if isinstance(value, float):  # float: what JSON knows of numbers
        return {"integer", "number"} if value.is_integer() else {"number"}
    return {"string"} if isinstance(value, str) else {"array"} if isinstance(value, list) else {"object"}


def _beyond(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    """Say which bounds of numbers and sizes are passed."""
    if isinstance(value, int | float) and not isinstance(value, bool):  # float: as above
        if value < schema.get("minimum", value) or value <= schema.get("exclusiveMinimum", value - 1):
            yield f"{path} is less than is accepted"
        if value > schema.get("maximum", value) or value >= schema.get("exclusiveMaximum", value + 1):
            yield f"{path} is more than is accepted"
    for word, kind in _SIZES:
        if isinstance(value, kind):
            size = len(value)
            if not schema.get(f"min{word}", size) <= size <= schema.get(f"max{word}", size):
                yield f"{path} has {size} {word.lower()}, which is not accepted"
