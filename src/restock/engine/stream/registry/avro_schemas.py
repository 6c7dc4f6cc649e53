"""Avro: is a text a schema, and can a reader with one schema read what was written with another?

The library parses (fastavro); the question of reading is answered here, after the chapter on schema resolution of the Avro
specification. The check of the `avro` package lets a decimal change its scale, which changes every number without a word;
and it cannot say where in a schema the trouble is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from restock.engine.stream.registry.model import SchemaInvalid

PROMOTED: Mapping[str, frozenset[str]] = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),  # float: the name of a type in a schema
    "double": frozenset({"int", "long", "float"}),  # float: the name of a type in a schema
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}
"""By type of the reader: the other types that it reads."""

MAX_COMPARED = 20_000
"""Pairs of types in one comparison, some 50 ms: records that hold the next one twice, thirty deep, would need years."""

Named = dict[str, Any]


class AvroSchema:
    """A parsed schema with the named types that it defines or uses."""

    def __init__(self, text: str, used: Sequence[str] = ()) -> None:
        from fastavro.schema import parse_schema  # noqa: PLC0415 - 30 ms that a start without Avro does not pay

        self.named: Named = {}
        try:
            for one in used:
                parse_schema(json.loads(one), self.named)
            given = json.loads(text)
            if isinstance(given, list):  # only inside a record does the library notice a name that is defined twice
                field = {"name": "of", "type": given}
                parse_schema({"type": "record", "name": "_Union", "fields": [field]}, dict(self.named))
            self.parsed: Any = parse_schema(given, self.named)
        except Exception as error:  # the library has no error of its own for half of what may be wrong
            told = str(error) or type(error).__name__
            raise SchemaInvalid(f"The text is no Avro schema: {told[:500]}.", remedy="Correct the schema.") from None

    def at(self, schema: Any) -> Any:
        """Give the definition behind a name, or the union or type itself."""
        while True:
            if isinstance(schema, list):
                return schema
            kind = schema if isinstance(schema, str) else schema["type"]
            if isinstance(kind, dict | list):
                schema = kind
            elif kind in self.named:
                return self.named[kind]
            else:
                return {"type": schema} if isinstance(schema, str) else schema


def obstacles(reader: AvroSchema, writer: AvroSchema) -> list[str]:
    """Say why the reader's schema cannot read what is written with the writer's; nothing when it can."""
    return _Reading(reader, writer).read(reader.parsed, writer.parsed, "")


class _Reading:
    """One comparison. Two records that are being compared are taken to fit: a recursive type would never end."""

    def __init__(self, reader: AvroSchema, writer: AvroSchema) -> None:
        self._reader, self._writer = reader, writer
        self._open: set[tuple[str, str]] = set()
        self._compared = 0

    def read(self, reader: Any, writer: Any, path: str) -> list[str]:
        """Say why not. Raises SchemaInvalid when it would take too long to find out."""
        self._compared += 1
        if self._compared > MAX_COMPARED:
            raise SchemaInvalid(f"More than {MAX_COMPARED} pairs of types are to be compared.", remedy="Nest it less.")
        reader, writer = self._reader.at(reader), self._writer.at(writer)
        if isinstance(writer, list):
            return [each for branch in writer for each in self.read(reader, branch, path)]
        if isinstance(reader, list):
            return self._any_of(reader, writer, path)
        wanted, given = reader["type"], writer["type"]
        if wanted != given:
            return [] if given in PROMOTED.get(wanted, ()) else [_at(path, f"{_name(writer)} is not {_name(reader)}")]
        if wanted in {"record", "error", "enum", "fixed"} and not _same_name(reader, writer):
            return [_at(path, f"{_name(writer)} is not {_name(reader)}")]
        if wanted in {"record", "error"}:
            return self._record(reader, writer, path)
        return self._decimals(reader, writer, path) or self._inside(reader, writer, path)

    def _any_of(self, branches: list[Any], writer: Any, path: str) -> list[str]:
        tried = [self.read(branch, writer, path) for branch in branches]
        if [] in tried:
            return []
        same = [
            found
            for branch, found in zip(branches, tried, strict=True)
            if _same_name(self._reader.at(branch), writer) and self._reader.at(branch)["type"] == writer["type"]
        ]
        return same[0] if same else [_at(path, f"no branch of the union reads {_name(writer)}")]

    def _record(self, reader: Any, writer: Any, path: str) -> list[str]:
        pair = (reader["name"], writer["name"])
        if pair in self._open:
            return []
        self._open.add(pair)
        try:
            written = {field["name"]: field for field in writer["fields"]}
            found: list[str] = []
            for field in reader["fields"]:
                names = [field["name"], *field.get("aliases", ())]
                source = next((written[name] for name in names if name in written), None)
                place = f"{path}.{field['name']}"
                if source is not None:
                    found += self.read(field["type"], source["type"], place)
                elif "default" not in field:
                    found.append(_at(place, "is not written and has no default"))
            return found
        finally:
            self._open.discard(pair)

    def _decimals(self, reader: Any, writer: Any, path: str) -> list[str]:
        """Whoever reads a decimal with another scale reads another number."""
        if reader.get("logicalType") != "decimal" or writer.get("logicalType") != "decimal":
            return []
        wanted, given = _digits(reader), _digits(writer)
        if wanted == given:
            return []
        return [_at(path, f"decimal({given[0]}, {given[1]}) is not decimal({wanted[0]}, {wanted[1]})")]

    def _inside(self, reader: Any, writer: Any, path: str) -> list[str]:
        kind = reader["type"]
        if kind == "array":
            return self.read(reader["items"], writer["items"], f"{path}[]")
        if kind == "map":
            return self.read(reader["values"], writer["values"], f"{path}{{}}")
        if kind == "fixed" and reader["size"] != writer["size"]:
            return [_at(path, f"{writer['size']} bytes are not {reader['size']}")]
        if kind == "enum" and "default" not in reader:
            lost = sorted(set(writer["symbols"]) - set(reader["symbols"]))
            return [_at(path, f"has no symbol {each} and no default") for each in lost]
        return []


def _same_name(reader: Any, writer: Any) -> bool:
    """Names match without their namespace, as the specification says, or by an alias of the reader."""
    if "name" not in reader or "name" not in writer:
        return "name" not in reader and "name" not in writer
    full, own = cast("str", writer["name"]), cast("str", reader["name"])
    aliases = [one if "." in one or "." not in own else f"{own.rpartition('.')[0]}.{one}" for one in _aliases(reader)]
    return own.rpartition(".")[2] == full.rpartition(".")[2] or full in aliases


def _aliases(schema: Any) -> Sequence[str]:
    return cast("Sequence[str]", schema.get("aliases", ()))


def _digits(schema: Any) -> tuple[object, object]:
    return schema.get("precision"), schema.get("scale", 0)


def _name(schema: Any) -> str:
    if isinstance(schema, list):
        return "a union"
    return str(schema.get("name") or schema["type"])


def _at(path: str, what: str) -> str:
    return f"{path.lstrip('.') or 'the schema'}: {what}"
