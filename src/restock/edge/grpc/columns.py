"""What ports take and give, on the wire: columns in MessagePack, made from the types alone and exact in both directions.

A column holds the values of one type. A dataclass becomes a column per field, a list its lengths and one column of all its
parts, so that names are written once and rows are never walked in Python more than once. Fields that the reader does not
know are passed over, those that the writer did not know get their default: versions side by side understand each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import chain, islice
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from restock.core.errors import InvalidInput, RestockError
from restock.edge.grpc import refusals

Values = Sequence[Any]

_PLAIN = frozenset({str, int, bool, NoneType, float, bytes})
_DECIMAL, _DATE, _ERROR = 1, 2, 3
"""The extension types of values whose type is known only when they are met."""


class Column(NamedTuple):
    """How the values of a type are written, and how so many of them are read."""

    pack: Callable[[Values], Any]
    unpack: Callable[[Any, int], Values]


def encoded(packed: object) -> bytes:
    """Write packed columns. Raises InvalidInput for what has no form there."""
    try:
        return _encode(packed)
    except UnicodeEncodeError as error:
        raise InvalidInput(f"A text is not Unicode: {error.reason}.") from None
    except OverflowError:
        raise InvalidInput("A whole number has more than 64 bits.", remedy="Write it as a decimal.") from None


def decoded(data: bytes) -> Any:
    """Read packed columns. Raises msgspec.DecodeError."""
    return _decode(data)


@cache
def column(hint: Any) -> Column:
    """Give how a type is written. Raises TypeError for one that ports do not use."""
    if hint in _PLAIN or hint is None:
        return Column(_as_is, lambda wire, _: wire)
    if hint is date:
        return Column(_as_is, lambda wire, _: list(map(date.fromisoformat, wire)))
    if hint in (object, Any, Decimal):  # a port is given what the caller gave, and refuses what is no decimal by itself
        return Column(_pack_any, _unpack_any)
    if isinstance(hint, type) and issubclass(hint, RestockError):
        return Column(lambda values: list(map(_told, values)), lambda wire, _: list(map(_understood, wire)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Column(lambda values: [one.value for one in values], lambda wire, _: list(map(hint, wire)))
    return _built(hint)


def _built(hint: Any) -> Column:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _either(parts)
    if origin in (list, Sequence) or (origin is tuple and parts[1:] == (...,)):
        return _many(column(parts[0]), tuple if origin is tuple else list)
    if origin is tuple:
        return _row([column(part) for part in parts])
    if origin in (dict, Mapping):
        return _mapping(column(parts[0]), column(parts[1]))
    if isinstance(hint, type) and is_dataclass(hint):
        return _fields(hint)
    raise TypeError(f"{hint} has no form on the wire")


def _as_is(values: Values) -> Values:
    return values


def _fields(kind: Any) -> Column:
    hints = get_type_hints(kind)
    names = [one.name for one in fields(kind)]
    columns = [column(hints[name]) for name in names]
    absent = [_default_of(one) for one in fields(kind)]
    taken = attrgetter(*names) if len(names) > 1 else None

    def pack(values: Values) -> Any:
        if taken is not None:
            whole: Sequence[Values] = list(zip(*map(taken, values), strict=True)) or [()] * len(names)
        else:
            whole = [[getattr(one, name) for one in values] for name in names]
        return {name: each.pack(part) for name, each, part in zip(names, columns, whole, strict=True)}

    def unpack(wire: Any, count: int) -> Values:
        if not names:
            return [kind() for _ in range(count)]
        return list(
            map(
                kind,
                *(
                    each.unpack(wire[name], count) if name in wire else [default(name) for _ in range(count)]
                    for name, each, default in zip(names, columns, absent, strict=True)
                ),
            )
        )

    return Column(pack, unpack)


def _default_of(one: Field[Any]) -> Callable[[str], Any]:
    """Give what makes the value of a field that the writer did not know."""
    if one.default is not MISSING:
        return lambda _: one.default
    if one.default_factory is not MISSING:
        made = one.default_factory
        return lambda _: made()

    def missing(name: str) -> Any:
        raise KeyError(name)

    return missing


def _many(inner: Column, kind: type) -> Column:
    def pack(values: Values) -> Any:
        if len(values) == 1:
            return [[len(values[0])], inner.pack(values[0])]
        return [list(map(len, values)), inner.pack(list(chain.from_iterable(values)))]

    def unpack(wire: Any, count: int) -> Values:
        lengths, flat = wire
        if count == 1:
            return [kind(inner.unpack(flat, lengths[0]))]
        rest = iter(inner.unpack(flat, sum(lengths)))
        return [kind(islice(rest, length)) for length in lengths]

    return Column(pack, unpack)


def _row(columns: Sequence[Column]) -> Column:
    def pack(values: Values) -> Any:
        return [each.pack([one[place] for one in values]) for place, each in enumerate(columns)]

    def unpack(wire: Any, count: int) -> Values:
        return list(zip(*(each.unpack(part, count) for each, part in zip(columns, wire, strict=True)), strict=True))

    return Column(pack, unpack)


def _mapping(keys: Column, inner: Column) -> Column:
    """Mappings with the same keys, as facts of a batch have, become a column per key."""

    def pack(values: Values) -> Any:
        names = list(values[0]) if values else []
        if all(list(one) == names for one in values):
            whole = zip(*(one.values() for one in values), strict=True)
            return [keys.pack(names), [inner.pack(part) for part in whole]]
        flat = list(chain.from_iterable(values))
        held = list(chain.from_iterable(one.values() for one in values))
        return [keys.pack(flat), inner.pack(held), list(map(len, values))]

    def unpack(wire: Any, count: int) -> Values:
        if len(wire) == 2:
            names = keys.unpack(wire[0], len(wire[0]))
            if not names:
                return [{} for _ in range(count)]
            parts = [inner.unpack(part, count) for part in wire[1]]
            return [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]
        size = sum(wire[2])
        rest = iter(zip(keys.unpack(wire[0], size), inner.unpack(wire[1], size), strict=True))
        return [dict(islice(rest, length)) for length in wire[2]]

    return Column(pack, unpack)


def _either(parts: tuple[Any, ...]) -> Column:
    """Of several kinds: which of them each value is, then a column of each kind. Only one of them may be a usual value."""
    others = [one for one in parts if one is NoneType or (isinstance(one, type) and issubclass(one, RestockError))]
    usual = [one for one in parts if one not in others]
    if len(usual) != 1:
        raise TypeError(f"{parts} have no form on the wire")
    kinds = [usual[0], *others]
    columns = [column(one) for one in kinds]
    if NoneType in others and len(others) == 1 and usual[0] in _PLAIN:
        return column(usual[0])

    def which(value: object) -> int:
        return next((place for place, kind in enumerate(others, 1) if isinstance(value, kind)), 0)

    def pack(values: Values) -> Any:
        places = list(map(which, values))
        if not any(places):
            return [0, [columns[0].pack(values)]]
        split = [[one for one, at in zip(values, places, strict=True) if at == place] for place in range(len(kinds))]
        return [places, [each.pack(part) for each, part in zip(columns, split, strict=True)]]

    def unpack(wire: Any, count: int) -> Values:
        places, packed = wire
        if places == 0:
            return columns[0].unpack(packed[0], count)
        rest = [
            iter(each.unpack(part, places.count(place)))
            for place, (each, part) in enumerate(zip(columns, packed, strict=True))
        ]
        return [next(rest[place]) for place in places]

    return Column(pack, unpack)


def _pack_any(values: Values) -> Any:
    """Values of any plain kind: mostly all decimals, or all of what MessagePack has."""
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return [0, values]
    if kinds == {Decimal}:
        return [1, values]
    return [2, list(map(_marked, values))]


def _unpack_any(wire: Any, _: int) -> Values:
    form, values = wire
    return list(map(Decimal, values)) if form == 1 else values


def _marked(value: object) -> object:
    """Give a value with the marks by which the reader knows its kind. Raises TypeError for what is no plain value."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is Decimal:
        return msgspec.msgpack.Ext(_DECIMAL, str(value).encode())
    if isinstance(value, Mapping):
        return {name: _marked(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_marked, value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return msgspec.msgpack.Ext(_DATE, value.isoformat().encode())
    if isinstance(value, RestockError):
        return msgspec.msgpack.Ext(_ERROR, _encode(_told(value)))
    raise TypeError(f"{kind.__name__} has no form on the wire")


def _unmarked(code: int, data: memoryview) -> object:
    if code == _DECIMAL:
        return Decimal(bytes(data).decode())
    if code == _DATE:
        return date.fromisoformat(bytes(data).decode())
    if code == _ERROR:
        return _understood(_decode(bytes(data)))
    raise ValueError(f"there is no kind of value {code}")


def _told(error: RestockError) -> Any:
    return {name: _marked(value) for name, value in refusals.told(error).items()}


def _understood(wire: Any) -> RestockError:
    return refusals.understood(wire)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ext_hook=_unmarked).decode


def error_out(error: RestockError) -> bytes:
    """Write an error by itself."""
    return _encode(_told(error))


def error_in(data: bytes) -> RestockError:
    """Read an error that was written by itself."""
    return _understood(_decode(data))
