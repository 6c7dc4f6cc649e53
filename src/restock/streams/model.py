"""Where to begin to read, and which records are wanted: the two small languages of `restock tail`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import cast

from restock.core.clock import timestamp
from restock.core.errors import InvalidInput

MAX_LAST = 10_000
"""How many of the last records can be asked for: one read of each partition."""

STARTS = "Give earliest, latest, an offset, -N for the last N records, or a moment like 2026-01-31T08:00:00Z."


class Begin(Enum):
    """How a start is said."""

    EARLIEST = "earliest"
    LATEST = "latest"
    OFFSET = "offset"
    LAST = "last"
    MOMENT = "moment"
    PLACES = "places"


@dataclass(frozen=True)
class Start:
    """Where to begin: `number` for an offset or the last N, `moment` as RFC 3339 in UTC, `places` by partition."""

    begin: Begin
    number: int = 0
    moment: str = ""
    places: tuple[tuple[int, int], ...] = ()


def start(text: str, field: str) -> Start:
    """Read a start. Raises InvalidInput that names the field."""
    text = text.strip()
    if text in (Begin.EARLIEST.value, Begin.LATEST.value):
        return Start(Begin(text))
    if re.fullmatch(r"\d{1,18}", text):
        return Start(Begin.OFFSET, int(text))
    if re.fullmatch(r"-\d{1,18}", text):
        if int(text) < -MAX_LAST:
            raise InvalidInput(f"{text} are too many.", field=field, remedy=f"At most the last {MAX_LAST}.")
        return Start(Begin.LAST, -int(text))
    if re.fullmatch(r"\d{1,9}:\d{1,18}(,\d{1,9}:\d{1,18})*", text):
        pairs = (pair.partition(":") for pair in text.split(","))
        return Start(Begin.PLACES, places=tuple((int(part), int(offset)) for part, _, offset in pairs))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text[:64]!r} is no place to begin.", field=field, remedy=STARTS) from None
    return Start(Begin.MOMENT, moment=timestamp(found if found.tzinfo else found.replace(tzinfo=UTC)))


def places_text(places: Mapping[int, int]) -> str:
    """Write offsets by partition as `start` reads them."""
    return ",".join(f"{part}:{offset}" for part, offset in sorted(places.items()))


@dataclass(frozen=True)
class Filter:
    """A path into a record and what has to be there; without `wanted` it is enough that something is."""

    path: tuple[str | int | None, ...] = ()
    wanted: str | None = None
    other: bool = False
    """Whether anything but `wanted` is looked for."""

    def matches(self, record: object) -> bool:
        """Tell whether a record (lists, objects, plain values) is wanted."""
        found = list(_at(record, self.path))
        if self.wanted is None:
            return bool(found)
        same = any(_equal(one, self.wanted) for one in found)
        return not same if self.other else same


_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d{0,6})\]")


def filtered(text: str, field: str) -> Filter:
    """Read a filter like `.data.sku=WIDGET-1`. Raises InvalidInput that names the field."""
    path: list[str | int | None] = []
    at = 0
    while step := _STEP.match(text, at):
        name, index = step.groups()
        path.append(name if name else int(index) if index else None)
        at = step.end()
    rest = text[at:]
    if path and not rest:
        return Filter(tuple(path))
    if path and rest.startswith("!="):
        return Filter(tuple(path), rest[2:], other=True)
    if path and rest.startswith("="):
        return Filter(tuple(path), rest[1:])
    raise InvalidInput(
        f"{text[:64]!r} is no path.",
        field=field,
        remedy="Write it like .type=OrderPlaced, .data.items[].sku=WIDGET-1, .data.total_amount or .data.status!=ok.",
    )


def _at(value: object, path: Sequence[str | int | None]) -> Iterator[object]:
    """Give what stands at a path; `[]` stands for every item of a list."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        if isinstance(value, Mapping) and step in value:
            yield from _at(value[step], rest)
    elif isinstance(value, list):
        items = cast("list[object]", value)
        for item in items if step is None else items[step : step + 1]:
            yield from _at(item, rest)


def _equal(value: object, wanted: str) -> bool:
    """Compare with what was typed: numbers as numbers, the rest as JSON would be written."""
    if isinstance(value, bool) or value is None:
        return wanted == {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return value == wanted
    if isinstance(value, int | Decimal):
        try:
            return Decimal(wanted) == value
        except InvalidOperation:
            return False
    return False
