"""JSON of requests and replies, the same for REST and the command line.

Numbers are exact both ways: read from JSON numbers or texts without a binary float, written as plain decimals without
exponent or trailing zeros. A request is checked whole before anything happens, and an error names the field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from restock.core.errors import InvalidInput, RestockError
from restock.core.frame import Frame
from restock.core.quantity import decimal, plain
from restock.edge.members import refuse_twice
from restock.edge.misread import BrokenJson, broken, refusal
from restock.inventory.model import Item, StockCount, item, stock_count
from restock.orders.model import Demand, NewOrder, demand
from restock.replenishment.port import Calculation, FlowReply
from restock.suppliers.model import Terms, terms
from restock.units.model import Conversion, conversion

T = TypeVar("T")

MAX_PAGE = 1000
"""Rows in one page."""

PAGED = frozenset({"limit", "top"})
"""Fields that say how many rows; 1 to `MAX_PAGE`."""

_INT64 = (-(2**63), 2**63 - 1)

CHECKS: Mapping[type, Callable[[Mapping[str, object]], object]] = {
    Terms: terms,
    Item: item,
    StockCount: stock_count,
    Conversion: conversion,
    Demand: demand,
}
"""How a model reads its value from named values; requests are held to the same rules as files."""

CHECKED_BY_ITS_PORT = NewOrder
"""A bad order of many gets its error in its place, so it is not refused here."""


# --- reading -----------------------------------------------------------------------------------------------------------


class Reader(Generic[T]):
    """Reads one type of request. Make it once; fields in `without` come from elsewhere and are not read."""

    def __init__(self, kind: type[T], without: Collection[str] = ()) -> None:
        self.kind = kind
        self.mirror = mirror(cast("Any", kind), tuple(sorted(without)))
        self._decode = msgspec.json.Decoder(self.mirror, strict=False).decode
        self.optional = all(not field.required for field in msgspec.structs.fields(self.mirror))
        """Whether an empty object is enough."""
        hints = get_type_hints(kind)
        names = [field.name for field in _fields(kind) if field.name not in without]
        self._plain = [name for name in names if not _holds(hints[name], is_dataclass)]
        self._made = {name: hints[name] for name in names if _holds(hints[name], is_dataclass)}
        self._numbers = any(_holds(hints[name], _needs_check) for name in names)

    def read(self, body: bytes, **known: object) -> T:
        """Read a JSON object. Raises BrokenJson, or InvalidInput that names the field."""
        return self._build(self.structs(body), known)

    def structs(self, body: bytes) -> Any:
        """Read a JSON object and leave it in structs with the members of the type, for a port that checks every value."""
        if not body or body.isspace():
            raise BrokenJson("The body is empty.", remedy="Send a JSON object.")
        try:
            found = self._decode(body)
            refuse_twice(body, found)
            return found
        except msgspec.ValidationError as error:
            raise refusal(str(error), self.mirror) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise broken(error, body) from None

    def convert(self, values: Mapping[str, object], **known: object) -> T:
        """Make the request of named texts, as they come in a query or on a command line; lists are lists of texts."""
        try:
            found = msgspec.convert(values, self.mirror, strict=False)
        except msgspec.ValidationError as error:
            raise refusal(str(error), self.mirror) from None
        return self._build(found, known)

    def _build(self, found: Any, known: Mapping[str, object]) -> T:
        given = {name: getattr(found, name) for name in self._plain}
        for name, hint in self._made.items():
            given[name] = msgspec.convert(getattr(found, name), hint, from_attributes=True)
        if self._numbers:
            given = {name: _checked(value, name) for name, value in given.items()}
        return self.kind(**given, **known)


@cache
def mirror(kind: type, without: tuple[str, ...] = ()) -> type[msgspec.Struct]:
    """Give a struct with the fields of a dataclass, which refuses fields that it does not know."""
    hints = get_type_hints(kind)
    members = [_member(field, hints[field.name]) for field in _fields(kind) if field.name not in without]
    made = msgspec.defstruct(
        kind.__name__,
        members,
        forbid_unknown_fields=True,
        kw_only=True,
        omit_defaults=True,
        module=kind.__module__,
        rename=spoken,
    )
    made.__doc__ = (kind.__doc__ or "").partition("\n")[0]
    return made


def spoken(name: str) -> str:
    """Give a field's name as callers write it: one that is a word of Python (`from_`) has an underscore behind it here."""
    return name.rstrip("_")


def _member(field: Field[Any], hint: Any) -> tuple[str, Any] | tuple[str, Any, Any]:
    reflected = _reflected(hint)
    if field.name in PAGED:
        reflected = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]
    if field.default is not MISSING:
        return field.name, reflected, field.default
    if field.default_factory is not MISSING:
        return field.name, reflected, msgspec.field(default_factory=field.default_factory)
    return field.name, reflected


def _reflected(hint: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return Union[tuple(_reflected(part) for part in get_args(hint))]  # noqa: UP007 - built from parts
    if origin in (list, Sequence):
        return list[_reflected(get_args(hint)[0])]  # type: ignore[misc]  # built from parts
    if isinstance(hint, type) and is_dataclass(hint):
        return mirror(hint)
    if hint is int:
        return Annotated[int, msgspec.Meta(ge=_INT64[0], le=_INT64[1])]
    return hint


def _holds(hint: Any, wanted: Callable[[Any], object]) -> bool:
    """Tell whether a type or a part of it, fields included, is wanted."""
    if wanted(hint):
        return True
    if hint is CHECKED_BY_ITS_PORT and wanted is _needs_check:
        return False
    if any(_holds(part, wanted) for part in get_args(hint)):
        return True
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return any(_holds(hints[field.name], wanted) for field in fields(hint))
    return False


def _needs_check(part: Any) -> bool:
    return part is Decimal or part in CHECKS


def _checked(value: Any, place: str) -> Any:
    """Hold every number in a value to what a number may be, and every model to its own rules."""
    kind = type(value)
    if kind is Decimal:
        return decimal(value, place)
    if kind is list:
        return [_checked(one, f"{place}[{index}]") for index, one in enumerate(value)]
    if kind in CHECKS:
        try:
            return CHECKS[kind](asdict(value))
        except InvalidInput as error:
            raise InvalidInput(error.what, field=f"{place}.{error.field}", remedy=error.remedy) from None
    if is_dataclass(kind) and kind is not CHECKED_BY_ITS_PORT:
        for field in fields(kind):
            _checked(getattr(value, field.name), f"{place}.{field.name}")
    return value


def _fields(kind: Any) -> tuple[Field[Any], ...]:
    return fields(kind)


# --- writing -----------------------------------------------------------------------------------------------------------

_json = msgspec.json.Encoder(decimal_format="number").encode
_AS_IS = frozenset({str, int, bool, NoneType, msgspec.Raw})
_names: dict[type, tuple[str, ...]] = {}


def encode(reply: object, *, rows: bool = False) -> bytes:
    """Give the JSON of a reply. A frame is an object of columns; with `rows`, a list of objects."""
    if type(reply) is FlowReply:
        return _flow(reply)
    return _json(values(reply, rows=rows, number=_number))


def values(reply: object, *, rows: bool = False, number: Callable[[Decimal], object] = plain) -> Any:
    """Give a reply as plain lists, dicts, texts, whole numbers and decimals; an error is {"error": its problem}."""
    kind = type(reply)
    if kind in _AS_IS:
        return reply
    if kind is Decimal:
        return number(cast("Decimal", reply))
    if kind is list or kind is tuple:
        return [
            one if type(one) in _AS_IS else values(one, rows=rows, number=number)
            for one in cast("Sequence[object]", reply)
        ]
    if kind is dict:
        return {
            str(name): one if type(one) in _AS_IS else values(one, rows=rows, number=number)
            for name, one in cast("dict[object, object]", reply).items()
        }
    return _object(reply, rows, number)


def _object(reply: object, rows: bool, number: Callable[[Decimal], object]) -> Any:
    names = _names.get(type(reply))
    if names is not None or (is_dataclass(reply) and not isinstance(reply, type)):
        if names is None:
            names = _names[type(reply)] = tuple(field.name for field in fields(cast("Any", reply)))
        if rows and isinstance(reply, Frame):
            return [values(row, number=number) for row in reply.rows()]
        made = {}
        for name in names:
            value = getattr(reply, name)
            made[name] = value if type(value) in _AS_IS else values(value, rows=rows, number=number)
        return made
    if isinstance(reply, RestockError):
        return {"error": values(reply.problem(), number=number)}
    if isinstance(reply, float):  # from outside only; a number of ours never is one
        return number(Decimal(repr(reply))) if reply - reply == 0 else None
    if isinstance(reply, Mapping):
        return values(dict(reply), rows=rows, number=number)
    if isinstance(reply, str):  # StrEnum
        return str(reply)
    if isinstance(reply, Sequence | set | frozenset) and not isinstance(reply, bytes | bytearray):
        return values(list(reply), rows=rows, number=number)
    return reply


def number_text(number: Decimal) -> str:
    """Write a decimal without exponent and trailing zeros, every digit kept."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _number(number: Decimal) -> msgspec.Raw | None:
    return msgspec.Raw(number_text(number).encode()) if number.is_finite() else None


def _flow(reply: FlowReply) -> bytes:
    """Give the JSON of the hot reply: encoded as it is when all its numbers are plain, which they nearly always are."""
    was, order = reply.calculation, reply.po
    if order is None or (
        _is_plain(order.qty)
        and _is_plain(order.unit_price)
        and _is_plain(order.total_amount)
        and _is_plain(order.purchase_qty)
        and _is_plain(order.grand_total)
    ):
        if _is_plain(was.shortage) and _is_plain(was.order_qty) and _is_plain(was.total_amount):
            return _json(reply)
        shortage, quantity, total = plain(was.shortage), plain(was.order_qty), plain(was.total_amount)
        if _is_plain(shortage) and _is_plain(quantity) and _is_plain(total):
            calculation = Calculation(
                was.need_reorder, shortage, quantity, total, was.requires_approval, was.approval_status
            )
            return _json(
                FlowReply(
                    reply.success,
                    order,
                    calculation,
                    reply.message,
                    reply.outcome,
                    reply.product_id,
                    reply.decision_id,
                    reply.run_id,
                )
            )
    return _json(values(reply, number=_number))


def _is_plain(number: Decimal) -> bool:
    text = str(number)
    return text.isdigit() or ("E" not in text and text[-1] != "0" and "N" not in text and "I" not in text)
