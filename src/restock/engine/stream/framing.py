"""Framed events: a zero byte, the number of an Avro schema in 4 bytes, the event in Avro; any Kafka tool decodes it.

Events are JSON in every outbox; a relay that is told to frames them on their way out, so that accepting an order costs the
same in both formats. Whoever reads looks at the first byte. Numbers of schemas belong to the program (below 1000), never to
one home (decision 0030), so a process has one book of them and needs no registry to read.

A frame says exactly what the JSON says, save that a member which may be missing is null. What no schema holds exactly (an
unknown member, a seventh decimal) stays JSON: an event is never lost or rounded for its format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from restock.core.quantity import ONE, SCALE, from_scaled

MAGIC = b"\0"
"""The first byte of a frame; no JSON text begins with it."""

HEAD_BYTES = 5
"""The first byte and the number of the schema."""

_FILE = re.compile(r"(?P<number>\d{4})-(?P<topic>[\w.-]+)\.avsc")

_PLAIN: Mapping[str, type] = {"string": str, "long": int, "boolean": bool}


class EventSchema(NamedTuple):
    """The Avro schema of a topic's events: its number for ever, the subject (`orders-value`), the text."""

    number: int
    subject: str
    text: str


def schemas_in(folder: Path) -> list[EventSchema]:
    """Give the schemas of a folder, oldest first: files named `0001-orders.avsc`, the number and the topic."""
    found = []
    for path in sorted(folder.glob("*.avsc")):
        name = _FILE.fullmatch(path.name)
        assert name, f"{path.name} is not named like 0001-orders.avsc"
        found.append(EventSchema(int(name["number"]), f"{name['topic']}-value", path.read_text("utf-8")))
    return found


class Book:
    """The schemas of events that a program can write and read."""

    def __init__(self) -> None:
        self._forms: dict[int, _Form] = {}
        self._own: dict[str, _Form] = {}

    def learn(self, own: Iterable[EventSchema], others: Iterable[EventSchema] = ()) -> None:
        """Take in schemas: the newest `own` of a subject is written and read with, all others are read.

        A program that is older than what it finds thus reads a newer one's events as its own.
        """
        mine = sorted(own)
        for one in (*mine, *others):
            self._forms.setdefault(one.number, _Form(one))
        self._own |= {one.subject: self._forms[one.number] for one in mine}

    def framed(self, topic: str, value: bytes) -> bytes:
        """Give the frame of an event that `restock.engine.stream.encode` wrote; the same bytes where no schema fits."""
        form = self._own.get(f"{topic}-value")
        return value if form is None else form.write(value)

    def unframed(self, value: bytes) -> dict[str, Any]:
        """Give the members of a framed event. Raises ValueError when it is none, or its schema is not known here."""
        number = int.from_bytes(value[1:HEAD_BYTES], "big")
        form = self._forms.get(number)
        if form is None:
            raise ValueError(f"nobody here knows schema {number}")
        return form.read(value, self._own.get(form.schema.subject, form))


class _Form:
    """One schema at work. The library is imported with the first event, not with the program."""

    def __init__(self, schema: EventSchema) -> None:
        self.schema = schema
        self._head = MAGIC + schema.number.to_bytes(HEAD_BYTES - 1, "big")

    @cached_property
    def avro(self) -> Any:
        """The schema as the library is given it: decimals as the bytes that they are, which `_unscaled` makes."""
        from fastavro.schema import parse_schema  # noqa: PLC0415 - 30 ms that JSON does not pay

        return parse_schema(_bare(json.loads(self.schema.text)))

    @cached_property
    def _decode(self) -> Any:
        return msgspec.json.Decoder(_type(json.loads(self.schema.text))).decode

    def write(self, value: bytes) -> bytes:
        """Give the frame of an event in JSON, or the same bytes when the schema does not hold it exactly."""
        from fastavro import schemaless_writer  # noqa: PLC0415 - as above

        try:
            event = _as_written(msgspec.to_builtins(self._decode(value), builtin_types=(Decimal,)))
            out = BytesIO()
            out.write(self._head)
            schemaless_writer(out, self.avro, event)
        except (msgspec.MsgspecError, ValueError, OverflowError):
            return value
        return out.getvalue()

    def read(self, value: bytes, reader: _Form) -> dict[str, Any]:
        """Give the event as the reader's schema says. Raises ValueError."""
        from fastavro import schemaless_reader  # noqa: PLC0415 - as above

        source = BytesIO(value)
        source.seek(HEAD_BYTES)
        try:
            found = schemaless_reader(source, self.avro, None if reader is self else reader.avro)
        except Exception as error:  # whatever the library meets in foreign bytes
            told = str(error) or type(error).__name__
            raise ValueError(f"it is not written with schema {self.schema.number}: {told}") from None
        if source.tell() != len(value):
            raise ValueError(f"it goes on after what schema {self.schema.number} describes")
        members: dict[str, Any] = _as_read(found)
        return members


def _as_written(value: Any) -> Any:
    """Give an event with numbers as bytes. Raises ValueError for one with more decimals than the schema."""
    kind = type(value)
    if kind is dict:
        return {name: each if type(each) is str else _as_written(each) for name, each in value.items()}
    if kind is list:
        return [_as_written(each) for each in value]
    return _unscaled(value) if kind is Decimal else value


def _as_read(value: Any) -> Any:
    """Give an event with bytes as numbers, like the JSON codec without trailing zeros."""
    kind = type(value)
    if kind is dict:
        return {name: each if type(each) is str else _as_read(each) for name, each in value.items()}
    if kind is list:
        return [_as_read(each) for each in value]
    return from_scaled(int.from_bytes(value, "big", signed=True)) if kind is bytes else value


@lru_cache(maxsize=1 << 16)  # prices and quantities repeat, and the arithmetic costs more than the rest of an event
def _unscaled(number: Decimal) -> bytes:
    """Give the whole millionths as Avro has them: two's complement, the high byte first."""
    top, below = number.as_integer_ratio()
    whole, rest = divmod(top * ONE, below)
    if rest:
        raise ValueError(f"{number} has more than {SCALE} decimals")
    size = (whole.bit_length() + 8) // 8
    return int(whole).to_bytes(size, "big", signed=True)


def _bare(schema: Any) -> Any:
    """Give a schema without logical types: the library's own arithmetic with them costs three times the rest."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _bare(each) for name, each in schema.items() if name not in {"logicalType", "precision", "scale"}}


def _type(schema: Any) -> Any:
    """Give the type of the JSON that a schema holds exactly. Raises NotImplementedError for what events do not use."""
    if isinstance(schema, list) and len(schema) == 2 and schema[0] == "null":
        return _type(schema[1]) | None
    kind = schema if isinstance(schema, str) else schema["type"]
    if isinstance(kind, dict):
        return _type(kind)
    if kind == "record":
        members = [(one["name"], _type(one["type"]), *_default(one)) for one in schema["fields"]]
        name = schema["name"].replace(".", "_")
        return msgspec.defstruct(name, members, forbid_unknown_fields=True, kw_only=True, gc=False)
    if kind == "array":
        return list[_type(schema["items"])]  # type: ignore[misc]  # made here
    if kind == "bytes" and (schema.get("logicalType"), schema.get("scale")) == ("decimal", SCALE):
        return Decimal
    if kind in _PLAIN:
        return _PLAIN[kind]
    raise NotImplementedError(f"{kind} in the schema of an event")


def _default(field: Mapping[str, Any]) -> tuple[Any, ...]:
    return (field["default"],) if "default" in field else ()


_BOOK = Book()
learn, framed, unframed = _BOOK.learn, _BOOK.framed, _BOOK.unframed
"""The book of this process: `restock.app` fills it, relays and the codec use it."""
