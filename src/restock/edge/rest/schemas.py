"""JSON schemas of requests and replies, from the dataclasses that ports declare."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from restock.core.errors import RestockError
from restock.core.frame import Frame
from restock.edge import wire

Json = dict[str, Any]

PROBLEM_REF: Json = {"$ref": "#/components/schemas/Problem"}

_SIMPLE: Mapping[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    NoneType: {"type": "null"},
    None: {"type": "null"},
    date: {"type": "string", "format": "date"},
    object: {},
    Any: {},
}


class Schemas:
    """Gathers schemas by name. What is asked knows no further members; what is answered always has all of its members."""

    def __init__(self) -> None:
        self.named: dict[str, Json] = {}
        self._names: dict[tuple[type, bool], str] = {}

    def of(self, hint: Any, *, asked: bool) -> Json:
        """Give the schema of a type, or a reference to it."""
        if hint is Decimal:
            return {"type": ["number", "string"], "format": "decimal"} if asked else {"type": "number"}
        if hint in _SIMPLE:
            return dict(_SIMPLE[hint])
        origin, parts = get_origin(hint), get_args(hint)
        if origin in (Union, UnionType):
            return {"anyOf": [self.of(part, asked=asked) for part in parts]}
        if origin in (list, Sequence, tuple):
            return {"type": "array", "items": self.of(parts[0], asked=asked)}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(parts[1], asked=asked) or True}
        if isinstance(hint, type):
            if issubclass(hint, StrEnum):
                return {"type": "string", "enum": [str(member) for member in hint]}
            if issubclass(hint, RestockError):
                return self._error()
            if is_dataclass(hint):
                return self._reference(hint, asked)
        raise NotImplementedError(f"a schema for {hint}")

    def members(self, kind: Any, without: Collection[str] = (), *, asked: bool) -> Json:
        """Give the schema of a dataclass in place, without some of its fields."""
        hints = get_type_hints(kind)
        shown = [field for field in fields(kind) if field.name not in without]
        made: Json = {
            "type": "object",
            "description": (kind.__doc__ or "").strip(),
            "properties": {wire.spoken(field.name): self._member(field, hints[field.name], asked) for field in shown},
        }
        required = [wire.spoken(field.name) for field in shown if not asked or _required(field)]
        if required:
            made["required"] = required
        if asked:
            made["additionalProperties"] = False
        return made

    def row(self, kind: type[Frame]) -> Json:
        """Give the schema of one row of a frame."""
        hints = get_type_hints(kind)
        columns = {field.name: self.of(get_args(hints[field.name])[0], asked=False) for field in fields(kind)}
        return {"type": "object", "required": list(columns), "properties": columns}

    def _member(self, field: Field[Any], hint: Any, asked: bool) -> Json:
        schema = self.of(hint, asked=asked)
        if asked and field.name in wire.PAGED:
            schema |= {"minimum": 1, "maximum": wire.MAX_PAGE}
        if asked and field.default is not MISSING:
            schema["default"] = int(field.default) if isinstance(field.default, Decimal) else field.default
        return schema

    def _reference(self, kind: type, asked: bool) -> Json:
        name = self._names.get((kind, asked))
        if name is None:
            name = self._names[(kind, asked)] = self._free_name(kind, asked)
            self.named[name] = {}  # taken, should it refer to itself
            self.named[name] = self.members(kind, asked=asked)
        return {"$ref": f"#/components/schemas/{name}"}

    def _free_name(self, kind: type, asked: bool) -> str:
        context = kind.__module__.removeprefix("restock.").partition(".")[0].capitalize()
        ending = "Given" if asked else "Reply"
        names = (kind.__name__, kind.__name__ + ending, context + kind.__name__, context + kind.__name__ + ending)
        return next(name for name in names if name not in self.named)

    def _error(self) -> Json:
        self.named.setdefault(
            "Error",
            {
                "type": "object",
                "description": "In the place of what could not be done.",
                "required": ["error"],
                "properties": {"error": PROBLEM_REF},
            },
        )
        return {"$ref": "#/components/schemas/Error"}


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
