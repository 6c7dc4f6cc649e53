"""Events as bytes and back, without losing a digit.

The value of a record is one flat JSON object::

    {"event_id": "0198…", "type": "StockChanged", "at": "2026-01-05T08:00:00.000000Z", "causation_id": "0198…",
     "key": "PROD-001", "data": {"on_hand": 25, "demand_per_day": 15.5}}

or the same framed in Avro (`restock.engine.stream.framing`): writers here give JSON, readers take both.

Numbers are written plain (no exponent, no trailing zeros) and read exactly: one with a fraction as Decimal, a whole one as
int, so `Decimal("12.0")` comes back as the equal number 12. The topic is the record's. Unknown members are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec

from restock.core.errors import InvalidInput
from restock.core.event import Event
from restock.core.quantity import plain
from restock.engine.database.columns import IDENTIFIER_LENGTH
from restock.engine.stream import framing
from restock.engine.stream.port import Record

MAX_DIGITS = 28
"""Digits before the point, and after it, of a number in an event: far beyond `restock.core.quantity`, and `plain` stays
exact up to 60 in all."""

MAX_DEPTH = 32
"""Levels of lists and objects in the data of an event; real ones have three."""

_INT64 = 1 << 63

_AS_IT_IS = frozenset({str, bool, type(None)})
"""What is written exactly whatever it holds."""


class _Envelope(msgspec.Struct):
    event_id: str
    type: str
    at: str
    causation_id: str
    key: str
    data: dict[str, Any]


class Sealed(msgspec.Struct, gc=False):
    """An event made thousands of times a second, whose data is a struct of its own with plain numbers (`plain`)."""

    event_id: str
    type: str
    at: str
    causation_id: str
    key: str
    data: msgspec.Struct


def encode(event: Event) -> bytes:
    """Give the value of the record for the event.

    Raises InvalidInput, naming the member, for a float or anything else that is not plain data, a number that is not finite
    or too long, text that is not Unicode, an identifier that is empty or longer than 36 characters.
    """
    checked_id(event.event_id)
    try:
        data = _exact(event.data, MAX_DEPTH)
    except _NotPlain as error:
        raise InvalidInput(error.what, field="data" + "".join(reversed(error.path)), remedy=error.remedy) from None
    try:
        return _encode(
            {
                "event_id": event.event_id,
                "type": event.type,
                "at": event.at,
                "causation_id": event.causation_id,
                "key": event.key,
                "data": data,
            }
        )
    except UnicodeEncodeError as error:
        raise InvalidInput(f"Event {event.event_id} holds text that is not Unicode: {error}.") from error


def encode_known(event_id: str, kind: str, key: str, at: str, data: msgspec.Struct, causation_id: str = "") -> bytes:
    """Give what `encode` would for a sealed event. Nothing is looked at twice: the identifier is one that `Ids` made."""
    return _encode(Sealed(event_id, kind, at, causation_id, key, data))


def encode_all(events: Sequence[Sealed]) -> list[bytes]:
    """Give what `encode_known` would give for each; all at once costs less than half as much.

    The data holds no JSON of others (`msgspec.Raw`), which may have line breaks.
    """
    return _encode_lines(events).split(b"\n")[:-1]


def decode(record: Record) -> Event:
    """Give the event in a record. Raises InvalidInput naming topic, partition and offset when it holds none."""
    try:
        value = record.value or b""
        found = _decode(value) if value[:1] != framing.MAGIC else _unframed(value)
        checked_id(found.event_id)
    except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError, InvalidInput) as error:
        raise InvalidInput(
            f"The record is not an event: {error}",
            field=f"{record.topic}/{record.partition}/{record.offset}",
            remedy="Find its producer; the event codec describes the format.",
        ) from error
    return Event(found.event_id, found.type, record.topic, found.key, found.at, found.data, found.causation_id)


def _unframed(value: bytes) -> _Envelope:
    members = framing.unframed(value)
    return _Envelope(*(members[name] for name in _Envelope.__struct_fields__))


def checked_id(event_id: str) -> str:
    """Give back an event identifier that an inbox can keep. Raises InvalidInput."""
    if not 0 < len(event_id) <= IDENTIFIER_LENGTH:
        raise InvalidInput(
            f"{event_id[:64]!r} is not an event identifier.",
            field="event_id",
            remedy=f"Give 1 to {IDENTIFIER_LENGTH} characters.",
        )
    return event_id


class _NotPlain(Exception):
    """A value that an event cannot carry; `path` grows on the way out, so that the common case builds no text."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.path: list[str] = []


def _exact(value: object, depth: int) -> object:
    """Give the value in a form that the encoder writes exactly and plainly."""
    kind = type(value)
    if kind in _AS_IT_IS or (kind is Decimal and _PLAIN(str(value))):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else _number(Decimal(value))
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, str):  # an enumeration with text values
        return str(value)
    if depth == 0:
        raise _NotPlain(f"The data of an event has more than {MAX_DEPTH} levels.")
    if kind is dict or isinstance(value, Mapping):
        return _exact_members(cast("Mapping[object, object]", value), depth - 1)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return _exact_items(value, depth - 1)
    raise _NotPlain(
        f"{value!r} is a {kind.__name__}, which an event cannot carry.",
        "Give text, a whole number, a Decimal, true, false, null, a list or an object.",
    )


def _exact_members(value: Mapping[object, object], depth: int) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, inner in value.items():
        if not isinstance(name, str):
            raise _NotPlain(f"{name!r} is not a member name.", "Give text.")
        kind = type(inner)
        if kind in _AS_IT_IS or (kind is Decimal and _PLAIN(str(inner))):
            members[name] = inner
            continue
        try:
            members[name] = _exact(inner, depth)
        except _NotPlain as error:
            error.path.append(f".{name}")
            raise
    return members


def _exact_items(value: Sequence[object], depth: int) -> list[object]:
    items: list[object] = []
    for index, inner in enumerate(value):
        try:
            items.append(_exact(inner, depth))
        except _NotPlain as error:
            error.path.append(f"[{index}]")
            raise
    return items


def _number(number: Decimal) -> object:
    if not number.is_finite():
        raise _NotPlain(f"{number} is not a finite number.")
    if _too_long(number):
        raise _NotPlain(f"{number} has too many digits.", f"Give at most {MAX_DIGITS} on each side of the point.")
    return msgspec.Raw(f"{plain(number):f}".encode())


def _too_long(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return number.adjusted() >= MAX_DIGITS or not isinstance(exponent, int) or exponent < -MAX_DIGITS


def _read_number(text: str) -> Decimal:
    number = Decimal(text)
    if len(text) <= MAX_DIGITS and text.isascii() and "e" not in text and "E" not in text:
        return number
    if _too_long(number):  # otherwise a short text like 1e999999 would fill the memory of whoever writes it out
        raise ValueError(f"the number {text[:64]} has too many digits")
    return number


_PLAIN = re.compile(rf"-?(?:0|[1-9]\d{{0,{MAX_DIGITS - 1}}})(?:\.\d{{0,{MAX_DIGITS - 1}}}[1-9])?(?<!-0)").fullmatch
"""Most numbers are written plainly already: no exponent, no trailing zero, not too long."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines
_decode = msgspec.json.Decoder(_Envelope, float_hook=_read_number).decode
