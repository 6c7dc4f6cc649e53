"""Conversions: exact, multiplied along the shortest path, never divided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.adapters.database.embedded import EmbeddedDatabases
from restock.core.clock import SystemClock
from restock.core.errors import InvalidInput
from restock.units.model import Conversion, contradictions, conversion, factor_between
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


def of(*graph: tuple[str, str, Decimal]) -> list[Conversion]:
    return [Conversion("P", *one) for one in graph]


@given(GRAPHS, GRAPHS)
def test_what_does_not_contradict_has_one_answer_on_every_path(
    known: list[tuple[str, str, Decimal]], given_: list[tuple[str, str, Decimal]]
) -> None:
    true = [one for place, one in enumerate(of(*known)) if place not in contradictions([], of(*known))]
    wrong = contradictions(true, of(*given_))
    stored = {(one.from_unit, one.to_unit): one.factor for one in true}
    stored |= {(a, b): factor for place, (a, b, factor) in enumerate(given_) if place not in wrong}
    graph = [(a, b, factor) for (a, b), factor in stored.items()]
    for start in ("PIECE", "BOX", "CASE"):
        for end in ("PIECE", "BOX", "CASE"):
            assert len({factor for _, factor in paths(graph, start, end)}) <= 1
    for a, b, factor in graph:
        assert stored.get((b, a), 1 / Fraction(factor)) == 1 / Fraction(factor)
    assert contradictions(true, [one for place, one in enumerate(of(*given_)) if place not in wrong]) == {}


@pytest.mark.parametrize(
    ("known", "given_", "wrong"),
    [
        ([("CASE", "PIECE", 10)], [("PIECE", "CASE", "0.2")], {0}),
        ([("CASE", "PIECE", 10)], [("PIECE", "CASE", "0.1")], set()),
        ([("CASE", "PIECE", 12)], [("PIECE", "CASE", "0.0833")], {0}),
        ([("CASE", "PIECE", 10)], [("CASE", "PIECE", 12)], set()),
        ([("CASE", "PIECE", 10), ("PIECE", "CASE", "0.1")], [("CASE", "PIECE", 20)], {0}),
        ([("CASE", "PIECE", 10), ("PIECE", "CASE", "0.1")], [("CASE", "PIECE", 20), ("PIECE", "CASE", "0.05")], set()),
        ([], [("PALLET", "CASE", 4), ("CASE", "PIECE", 10), ("PALLET", "PIECE", 99), ("BOX", "PIECE", 2)], {2}),
        ([("CASE", "PIECE", 10)], [("PIECE", "CASE", "0.2"), ("CASE", "PIECE", 12)], {0, 1}),
        ([], [("BOX", "BOX", 1)], set()),
    ],
)
def test_a_conversion_that_others_deny_is_found(
    known: list[tuple[str, str, object]], given_: list[tuple[str, str, object]], wrong: set[int]
) -> None:
    on_file, anew = (of(*((a, b, Decimal(str(factor))) for a, b, factor in some)) for some in (known, given_))
    assert set(contradictions(on_file, anew)) == wrong
    others = [Conversion("Q", one.from_unit, one.to_unit, Decimal(7)) for one in on_file]
    assert set(contradictions([*others, *on_file], anew)) == wrong, "another product says nothing of this one"


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


async def test_a_contradiction_is_refused_whole_and_named(units: UnitsService) -> None:
    first = [Conversion(f"N{number}", "CASE", "PIECE", Decimal(12)) for number in range(1500)]
    first[1400] = Conversion("N7", "PIECE", "CASE", Decimal("0.0833"))
    with pytest.raises(InvalidInput) as refused:
        await units.put_conversions(PutConversionsRequest(first))
    assert refused.value.field == "conversions[1400].factor"
    assert refused.value.what == "One PIECE of N7 is 1/12 CASE by its other conversions, not 0.0833."
    assert len(await units.conversions(ConversionsRequest(["N0", "N7"]))) == 0, "nothing half done"
    await units.put_conversions(PutConversionsRequest(first[:8]))
    with pytest.raises(InvalidInput):
        await units.put_conversions(PutConversionsRequest([first[1400]]))


async def test_of_two_who_contradict_each_other_at_once_one_is_refused(units: UnitsService) -> None:
    there = Conversion("P", "CASE", "PIECE", Decimal(10))
    back = Conversion("P", "PIECE", "CASE", Decimal("0.2"))
    answers = await asyncio.gather(
        *(units.put_conversions(PutConversionsRequest([one])) for one in (there, back)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in answers) == ["InvalidInput", "Stored"]
    assert len(await units.conversions(ConversionsRequest(["P"]))) == 1
