"""Where reading begins, what a path finds, and the order in which partitions are read together."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput
from restock.engine.stream import Record
from restock.engine.stream.port import Watermarks
from restock.streams.model import Begin, Start, filtered, places_text, start
from restock.streams.reading import READ, merged, resolved

ORDER = {
    "type": "OrderPlaced",
    "data": {
        "total": Decimal("59.90"),
        "paid": True,
        "note": None,
        "items": [{"sku": "WIDGET-1", "quantity": 2}, {"sku": "TOOL-X", "quantity": 1}],
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("earliest", Start(Begin.EARLIEST)),
        (" latest ", Start(Begin.LATEST)),
        ("20261124", Start(Begin.OFFSET, 20261124)),
        ("-5", Start(Begin.LAST, 5)),
        ("0:12,3:4", Start(Begin.PLACES, places=((0, 12), (3, 4)))),
        ("2026-01-31", Start(Begin.MOMENT, moment="2026-01-31T00:00:00.000000Z")),
        ("2026-01-31T09:00:00+01:00", Start(Begin.MOMENT, moment="2026-01-31T08:00:00.000000Z")),
    ],
)
def test_a_start_is_read(text: str, expected: Start) -> None:
    assert start(text, "start") == expected


@pytest.mark.parametrize("text", ["", "soon", "-20000", "1:2:3", "99999999999999999999", "1,2"])
def test_what_is_no_start_is_refused_with_the_field(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        start(text, "to")
    assert caught.value.field == "to"
    assert caught.value.remedy


@given(st.dictionaries(st.integers(0, 255), st.integers(0, 10**17), min_size=1))
def test_places_that_are_written_are_read_again(places: dict[int, int]) -> None:
    assert dict(start(places_text(places), "start").places) == places


@given(st.text(max_size=30))
def test_any_text_is_a_start_and_a_path_or_is_refused(text: str) -> None:
    for read in (start, filtered):
        try:
            read(text, "field")
        except InvalidInput as error:
            assert error.field == "field"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".type", True),
        (".type=OrderPlaced", True),
        (".type!=OrderPlaced", False),
        (".data.total=59.9", True),
        (".data.total=59,9", False),
        (".data.paid=true", True),
        (".data.paid=True", False),
        (".data.note=null", True),
        (".data.note", True),
        (".data.nothing", False),
        (".data.nothing!=x", True),
        (".data.items[].sku=TOOL-X", True),
        (".data.items[0].sku=TOOL-X", False),
        (".data.items[1].quantity=1.0", True),
        (".data.items[7]", False),
        (".data.items=x", False),
        (".type.deeper", False),
    ],
)
def test_a_path_finds_what_is_there(path: str, *, found: bool) -> None:
    assert filtered(path, "path").matches(ORDER) is found


class Shelf:
    """A stream of one topic in memory: it only reads."""

    def __init__(self, moments: list[list[int]]) -> None:
        self._records = [
            [Record("t", part, offset, "k", b"", {}, f"{at:09}") for offset, at in enumerate(sorted(each))]
            for part, each in enumerate(moments)
        ]

    async def read(self, _topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        assert limit == READ
        return self._records[partition][offset : offset + 3]  # fewer than asked for, as a stream may


moments = st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=1, max_size=4)


@given(moments, st.integers(1, 20))
async def test_partitions_are_read_together_in_the_order_of_time(given: list[list[int]], last: int) -> None:
    shelf = Shelf(given)
    marks = {part: Watermarks(0, len(each)) for part, each in enumerate(given)}
    ends = {("t", part): high for part, (_, high) in marks.items()}
    places = await resolved(shelf, "t", Start(Begin.EARLIEST), marks)  # type: ignore[arg-type]  # it only reads
    whole = [one async for one in merged(shelf, {("t", p): at for p, at in places.items()}, ends)]  # type: ignore[arg-type]
    assert [one.at for one in whole] == sorted(f"{at:09}" for each in given for at in each)
    for part in marks:
        assert [one.offset for one in whole if one.partition == part] == list(range(len(given[part])))
    begin = await resolved(shelf, "t", Start(Begin.LAST, last), marks)  # type: ignore[arg-type]
    few = [one async for one in merged(shelf, {("t", p): at for p, at in begin.items()}, ends)]  # type: ignore[arg-type]
    assert few == whole[-last:]
