"""Conversions: exact, multiplied along the shortest path, never divided."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput
from restock.units.model import Conversion, conversion, factor_between
from restock.units.port import ConversionsRequest, PutConversionsRequest
from restock.units.service import UnitsService
from restock.units.store import SCHEMA

FACTORS = st.integers(1, 10**7).map(lambda scaled: Decimal(scaled) / 10**4)
UNITS = st.sampled_from(["PIECE", "BOX", "CASE", "PALLET", "TRUCK"])
GRAPHS = st.lists(st.tuples(UNITS, UNITS, FACTORS), max_size=8, unique_by=lambda one: one[:2])


def paths(graph: list[tuple[str, str, Decimal]], start: str, end: str) -> list[tuple[int, Decimal]]:
    """Give length and factor of every path without a loop."""
    found: list[tuple[int, Decimal]] = []

    def walk(unit: str, seen: frozenset[str], length: int, factor: Decimal) -> None:
        if unit == end:
            found.append((length, factor))
            return
        for source, target, step in graph:
            if source == unit and target not in seen:
                walk(target, seen | {target}, length + 1, factor * step)

    walk(start, frozenset({start}), 0, Decimal(1))
    return found


@given(GRAPHS, UNITS, UNITS)
def test_the_factor_is_the_product_along_a_shortest_path(
    graph: list[tuple[str, str, Decimal]], start: str, end: str
) -> None:
    known = paths(graph, start, end)
    factor = factor_between(graph, start, end)
    if not known:
        assert factor is None
    else:
        shortest = min(length for length, _ in known)
        assert factor in [one for length, one in known if length == shortest]


@given(GRAPHS, UNITS)
def test_a_unit_is_one_of_itself(graph: list[tuple[str, str, Decimal]], unit: str) -> None:
    assert factor_between(graph, unit, unit) == 1


@given(FACTORS, FACTORS)
def test_a_direct_conversion_goes_before_a_detour(direct: Decimal, detour: Decimal) -> None:
    graph = [("PALLET", "CASE", detour), ("CASE", "PIECE", detour), ("PALLET", "PIECE", direct)]
    assert factor_between(graph, "PALLET", "PIECE") == direct
    assert factor_between(reversed(graph), "PALLET", "PIECE") == direct


@given(FACTORS)
def test_a_conversion_is_never_turned_round(factor: Decimal) -> None:
    assert factor_between([("CASE", "PIECE", factor)], "PIECE", "CASE") is None


def test_few_steps_go_before_many_whatever_the_order_of_the_rows() -> None:
    short = [("A", "B", Decimal(2)), ("B", "END", Decimal(3))]
    long = [("A", "C", Decimal(5)), ("C", "D", Decimal(5)), ("D", "END", Decimal(5))]
    assert factor_between(short + long, "A", "END") == factor_between(long + short, "A", "END") == 6


def test_loops_end() -> None:
    loop = [("A", "B", Decimal(2)), ("B", "A", Decimal(2)), ("B", "C", Decimal(3))]
    assert factor_between(loop, "A", "C") == 6
    assert factor_between(loop, "A", "D") is None


def test_the_published_conversions_give_the_published_factors() -> None:
    assert factor_between([("PALLET", "CASE", Decimal(48)), ("CASE", "PIECE", Decimal(12))], "PALLET", "PIECE") == 576


GOOD = {"product_id": "P", "from_unit": "CASE", "to_unit": "PIECE", "factor": "12.5"}


def test_a_conversion_is_read_from_named_values() -> None:
    assert conversion(GOOD) == Conversion("P", "CASE", "PIECE", Decimal("12.5"))
    assert conversion({**GOOD, "to_unit": "CASE", "factor": 1}).factor == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("factor", value) for value in ("0", "-1", "1.00001", None, "", "a dozen", 0.5, "NaN", "1e13")),
        *((field, value) for field in ("product_id", "from_unit", "to_unit") for value in (None, "", " ", "x" * 129)),
    ],
)
def test_a_wrong_conversion_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        conversion({**GOOD, field: value})
    assert refused.value.field == field


def test_a_unit_that_is_twelve_of_itself_is_refused() -> None:
    with pytest.raises(InvalidInput):
        conversion({**GOOD, "to_unit": "CASE"})


@pytest.fixture
async def units(tmp_path: Path) -> AsyncIterator[UnitsService]:
    databases = EmbeddedDatabases(tmp_path, {"uom": [SCHEMA]})
    yield UnitsService(databases["uom"], SystemClock())
    await databases.close()


async def test_conversions_are_stored_once_and_the_revision_tells_of_changes(units: UnitsService) -> None:
    rows = [Conversion("P", "CASE", "PIECE", Decimal("12.5")), Conversion("Q", "BOX", "PIECE", Decimal("0.0001"))]
    start = await units.revision()
    assert (await units.put_conversions(PutConversionsRequest(rows))).changed == 2
    after = await units.revision()
    assert after > start
    assert (await units.put_conversions(PutConversionsRequest(rows))).changed == 0
    assert await units.revision() == after
    assert (
        await units.put_conversions(PutConversionsRequest([Conversion("P", "CASE", "PIECE", Decimal(13))]))
    ).changed == 1
    frame = await units.conversions(ConversionsRequest(["Q", "P", "UNKNOWN"]))
    assert list(frame.rows()) == [
        {"product_id": "P", "from_unit": "CASE", "to_unit": "PIECE", "factor": Decimal(13)},
        {"product_id": "Q", "from_unit": "BOX", "to_unit": "PIECE", "factor": Decimal("0.0001")},
    ]
    assert len(await units.conversions(ConversionsRequest([]))) == 0
