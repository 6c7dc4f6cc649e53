"""What is wrong with a request, in words that name the field or the byte."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, get_args, get_type_hints

import msgspec

from restock.core.errors import InvalidInput


class BrokenJson(InvalidInput):
    """The text is not JSON, so no field can be named."""

    status, code = 400, "broken-json"

    def __init__(self, what: str, *, remedy: str = "Send JSON in UTF-8.", position: int | None = None) -> None:
        super().__init__(what, remedy=remedy)
        self.position = position

    def problem(self) -> dict[str, object]:
        """Give the members, with the position of the first wrong byte."""
        position = {} if self.position is None else {"position": self.position}
        return {**super().problem(), **position}


def broken(error: Exception, body: bytes) -> BrokenJson:
    """Say why a text is not JSON, and where."""
    if isinstance(error, UnicodeDecodeError):
        return BrokenJson("The text is not UTF-8.", position=_wrong_byte(body))
    if isinstance(error, RecursionError):
        return BrokenJson("The JSON is nested too deeply.", remedy="Send it flatter.")
    text = str(error)
    found = re.search(r"^JSON is malformed: (.*) \(byte (\d+)\)$", text)
    if found is None:
        if "truncated" in text:
            return BrokenJson("The JSON ends too early.", remedy="Send all of it.", position=len(body))
        return BrokenJson(f"The text is not JSON: {text}.")
    position = int(found[2])
    return BrokenJson(f"The text is not JSON: {found[1]} at byte {position}.", position=position)


def _wrong_byte(body: bytes) -> int | None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a decimal number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "date": "a date like 2026-01-31",
}


def refusal(text: str, kind: type[msgspec.Struct]) -> InvalidInput:
    """Say in plain words what msgspec found wrong."""
    what, _, place = text.partition(" - at `")
    path = place.rstrip("`").removeprefix("$").removeprefix(".")
    if found := re.fullmatch(r"Object missing required field `(.*)`", what):
        return InvalidInput("is missing.", field=_joined(path, found[1]))
    if found := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        return unknown_field(found[1], _known_at(kind, path), path)
    if found := re.fullmatch(r"Expected `(.*)`, got `(.*)`", what):
        wanted, got = (_in_words(part) for part in found.groups())
        if not path:
            return InvalidInput(f"The body is {got}, not {wanted}.", remedy=f"Send {wanted}.")
        return InvalidInput(f"is {got}, not {wanted}.", field=path, remedy=f"Give {wanted}.")
    if found := re.fullmatch(r"Expected `int` (>=|<=) (-?\d+)", what):
        side = "at least" if found[1] == ">=" else "at most"
        return InvalidInput(f"is not {side} {found[2]}.", field=path, remedy=f"Give {side} {found[2]}.")
    if what == "Invalid decimal string":
        return InvalidInput("is not a decimal number.", field=path, remedy="Write it like 12 or 12.5.")
    if what == "Number out of range":
        return InvalidInput("is too large.", field=path)
    if what.startswith("Invalid RFC3339"):
        return InvalidInput("is not a date.", field=path, remedy="Write it like 2026-01-31.")
    return InvalidInput(f"{what.replace('`', '')}.", field=path)


def unknown_field(name: str, known: Iterable[str], path: str = "") -> InvalidInput:
    """Refuse a field that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    remedy = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known) or 'none'}."
    return InvalidInput("There is no such field.", field=_joined(path, name), remedy=remedy)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _in_words(kinds: str) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds.split(" | "))


def _known_at(kind: Any, path: str) -> list[str]:
    """Give the fields of the struct at a path like `orders[0].items[2]`."""
    for name in re.findall(r"[^.\[\]]+(?=\.|\[|$)", re.sub(r"\[.*?\]", "", path)):
        hint = get_type_hints(kind)[name]
        inner = [part for part in (hint, *parts(hint)) if isinstance(part, type) and issubclass(part, msgspec.Struct)]
        if not inner:
            return []
        kind = inner[0]
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def parts(hint: Any) -> list[Any]:
    """Give everything that a type hint is made of."""
    return [each for part in get_args(hint) for each in (part, *parts(part))]
