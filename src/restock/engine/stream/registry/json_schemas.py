"""JSON Schema: is a text a schema, and does a reader's schema accept every document that a writer's accepts?

The answer is exact or careful: compared are `type`, `enum`, `const`, bounds, lengths, `required`, `properties`,
`additionalProperties`, `items` and `$ref` to a definition of the same text. Any other word that limits a document
(`oneOf`, `pattern`, `if`, …) may go away or stay as it is; a change of it counts as incompatible, as it might be.
Annotations (`title`, `description`, `default`, `format`, …) limit nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from restock.engine.stream.registry.model import SchemaInvalid

Json = Mapping[str, Any]

TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})

ANNOTATIONS = frozenset(
    {
        *("$schema", "$id", "$comment", "$anchor", "title", "description", "default", "examples", "deprecated"),
        *("readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "definitions", "$defs"),
    }
)
"""Words that limit no document; definitions do where they are referred to."""

DEFINITIONS = ("$defs", "definitions")

LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")

COMPARED = frozenset(
    {"type", "enum", "const", "required", "properties", "additionalProperties", "items", *LEAST, *MOST}
)

ENTANGLED = ("patternProperties", "prefixItems", "additionalItems", "unevaluatedProperties", "unevaluatedItems")
"""Words that change what their neighbours mean, so that not even leaving one out is known to be harmless."""

MAX_DEPTH = 64
"""Levels of a schema: people's have ten."""

MAX_COMPARED = 20_000
"""Pairs in one comparison, some 50 ms."""


class JsonSchema:
    """A schema that is well formed where it is compared."""

    def __init__(self, text: str) -> None:
        try:
            self.root: Any = json.loads(text, parse_constant=_no_number)
            _check(self.root, "#", MAX_DEPTH)
        except (ValueError, RecursionError) as error:
            raise SchemaInvalid(f"The text is no JSON Schema: {error}.", remedy="Correct the schema.") from None

    def at(self, schema: Any) -> Any:
        """Give the definition behind a `$ref` that stands alone, or the schema itself; True is {}."""
        for _ in range(MAX_DEPTH):
            if schema is True:
                return {}
            if schema is False or "$ref" not in schema or set(schema) - ANNOTATIONS - {"$ref"}:
                return schema
            found = self._definition(schema["$ref"])
            if found is None:
                return schema
            schema = found
        return schema

    def _definition(self, pointer: object) -> Any:
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            return None
        found: Any = self.root
        for part in pointer[1:].split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                return None
            found = found[name]
        return found if isinstance(found, dict | bool) else None


def obstacles(reader: JsonSchema, writer: JsonSchema) -> list[str]:
    """Say which documents of the writer's schema the reader's may refuse; nothing when it accepts them all."""
    return _Accepting(reader, writer).accept(reader.root, writer.root, "#")


class _Accepting:
    """One comparison. Two definitions that are being compared are taken to fit: a recursive one would never end."""

    def __init__(self, reader: JsonSchema, writer: JsonSchema) -> None:
        self._reader, self._writer = reader, writer
        self._open: set[tuple[int, int]] = set()
        self._compared = 0

    def accept(self, reader: Any, writer: Any, path: str) -> list[str]:
        """Say why not. Raises SchemaInvalid when it would take too long to find out."""
        reader, writer = self._reader.at(reader), self._writer.at(writer)
        if reader == {} or writer is False:
            return []
        if reader is False:
            return [f"{path}: nothing is accepted any more"]
        pair = (id(reader), id(writer))
        if pair in self._open:
            return []
        self._compared += 1
        if self._compared > MAX_COMPARED:
            raise SchemaInvalid(
                f"More than {MAX_COMPARED} pairs of schemas are to be compared.", remedy="Nest it less."
            )
        self._open.add(pair)
        try:
            return [
                *_types(reader, writer, path),
                *_values(reader, writer, path),
                *_bounds(reader, writer, path),
                *self._others(reader, writer, path),
                *self._members(reader, writer, path),
                *self._items(reader, writer, path),
            ]
        finally:
            self._open.discard(pair)

    def _others(self, reader: Json, writer: Json, path: str) -> list[str]:
        """Words that are not understood here must be what they were."""
        words = {*(reader.keys() - ANNOTATIONS - COMPARED), *(word for word in ENTANGLED if word in writer)}
        if isinstance(reader.get("items"), list) or isinstance(writer.get("items"), list):
            words.add("items")
        changed = [word for word in sorted(words) if not _equal(reader.get(word), writer.get(word))]
        if changed:
            return [f"{path}: {word} differs, and what that means is not looked into" for word in changed]
        if not _references({word: reader[word] for word in words if word in reader}):
            return []
        roots = self._reader.root, self._writer.root
        wanted, given = ({name: root.get(name) for name in DEFINITIONS} for root in roots)
        pointers = [*_references({word: reader[word] for word in words if word in reader}), *_references(wanted)]
        if _equal(wanted, given) and all(pointer.startswith(("#/$defs/", "#/definitions/")) for pointer in pointers):
            return []
        return [f"{path}: it refers to definitions that differ, and that is not looked into"]

    def _members(self, reader: Json, writer: Json, path: str) -> list[str]:
        if "object" not in _types_of(writer):
            return []
        found = [
            f"{path}/{name}: is required now"
            for name in reader.get("required", ())
            if name not in writer.get("required", ())
        ]
        wanted, given = reader.get("properties", {}), writer.get("properties", {})
        more_wanted, more_given = reader.get("additionalProperties", True), writer.get("additionalProperties", True)
        for name in sorted({*wanted, *given}):
            found += self.accept(wanted.get(name, more_wanted), given.get(name, more_given), f"{path}/{name}")
        return found + self.accept(more_wanted, more_given, f"{path}/*")

    def _items(self, reader: Json, writer: Json, path: str) -> list[str]:
        wanted, given = reader.get("items", True), writer.get("items", True)
        if "array" not in _types_of(writer) or isinstance(wanted, list) or isinstance(given, list):
            return []
        return self.accept(wanted, given, f"{path}[]")


def _types(reader: Json, writer: Json, path: str) -> list[str]:
    accepted = _types_of(reader)
    return [
        f"{path}: {kind} is not accepted"
        for kind in sorted(_types_of(writer))
        if kind not in accepted and not (kind == "integer" and "number" in accepted)
    ]


def _types_of(schema: Json) -> set[str]:
    kinds = schema.get("type")
    if kinds is None:
        return set(TYPES)
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _values(reader: Json, writer: Json, path: str) -> list[str]:
    accepted, written = _listed(reader), _listed(writer)
    if accepted is None:
        return []
    if written is None:
        return [f"{path}: only some values are accepted now"]
    return [f"{path}: {value} is not accepted" for value in sorted(written - accepted)]


def _listed(schema: Json) -> set[str] | None:
    """Give the values, as texts, since 1 equals True in Python and not in JSON; None for any."""
    lists = [schema["enum"]] if "enum" in schema else []
    lists += [[schema["const"]]] if "const" in schema else []
    values = [{_text(value) for value in each} for each in lists]
    return set.intersection(*values) if values else None


def _bounds(reader: Json, writer: Json, path: str) -> list[str]:
    found = []
    for words, sign in ((LEAST, 1), (MOST, -1)):
        for word in words:
            if word in reader and (word not in writer or sign * writer[word] < sign * reader[word]):
                found.append(f"{path}: {word} is {reader[word]} and was {writer.get(word, 'not set')}")
    return found


def _references(value: Any) -> list[str]:
    """Give every pointer in a part of a schema."""
    if isinstance(value, list):
        return [pointer for each in value for pointer in _references(each)]
    if not isinstance(value, dict):
        return []
    own = [str(value[word]) for word in ("$ref", "$dynamicRef", "$recursiveRef") if word in value]
    return own + [pointer for each in value.values() for pointer in _references(each)]


def _equal(one: Any, other: Any) -> bool:
    return _text(one) == _text(other)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _check(schema: Any, path: str, depth: int) -> None:
    """Refuse what would not be understood where it is compared. Raises ValueError."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ValueError(f"{path} is neither an object nor true or false")
    if depth == 0:
        raise ValueError(f"{path} lies deeper than {MAX_DEPTH} levels")
    _check_words(schema, path)
    for word in ("properties", *DEFINITIONS):
        for name, each in schema.get(word, {}).items():
            _check(each, f"{path}/{word}/{name}", depth - 1)
    if "additionalProperties" in schema:
        _check(schema["additionalProperties"], f"{path}/additionalProperties", depth - 1)
    if "items" in schema and not isinstance(schema["items"], list):
        _check(schema["items"], f"{path}/items", depth - 1)


def _check_words(schema: dict[str, Any], path: str) -> None:
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not all(isinstance(kind, str) and kind in TYPES for kind in kinds):
        raise ValueError(f"{path}/type names no type of JSON: {kinds}")
    for word in ("properties", *DEFINITIONS):
        if not isinstance(schema.get(word, {}), dict):
            raise ValueError(f"{path}/{word} is no object")
    for word in ("required", "enum"):
        if not isinstance(schema.get(word, []), list):
            raise ValueError(f"{path}/{word} is no list")
    if not all(isinstance(name, str) for name in schema.get("required", [])):
        raise ValueError(f"{path}/required holds what is no name")
    for word in (*LEAST, *MOST):
        bound = schema.get(word, 0)
        if isinstance(bound, bool) or not isinstance(bound, int | float):  # float: a bound as JSON knows numbers
            raise ValueError(f"{path}/{word} is no number")
