"""Identifiers, frames, clocks, errors, names, failpoints."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core import errors
from restock.core.clock import SimulatedClock, SystemClock, moment, timestamp
from restock.core.errors import InvalidInput, RestockError
from restock.core.failpoint import KILLED
from restock.core.frame import Frame, batches
from restock.core.ids import Ids
from restock.core.text import MAX_NAME, name

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC))
KINDS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RestockError)]


def test_identifiers_are_unique_and_sort_as_they_were_made() -> None:
    clock = SimulatedClock(START)
    ids = Ids(clock)
    made = []
    for step in range(20_000):
        if step % 7_000 == 0:
            clock.advance(timedelta(milliseconds=1))
        made.append(ids.new())
    assert len(set(made)) == len(made)
    assert made == sorted(made)
    assert all(len(one) == 36 and one[14] == "7" and one[19] in "89ab" for one in made)


def test_a_clock_that_goes_back_does_not_break_the_order_of_identifiers() -> None:
    moments = [START, START - timedelta(days=1), START]

    class Jumping:
        def now(self) -> datetime:
            return moments.pop(0)

    ids = Ids(Jumping())
    made = [ids.new() for _ in range(3)]
    assert made == sorted(set(made))


@given(st.integers())
def test_a_seeded_source_repeats_itself(seed: int) -> None:
    first, again = (Ids.seeded(SimulatedClock(START), seed) for _ in range(2))
    assert [first.new() for _ in range(5)] == [again.new() for _ in range(5)]
    assert first.short("PO") == again.short("PO")


def test_random_sources_differ() -> None:
    clock = SimulatedClock(START)
    assert Ids(clock).new() != Ids(clock).new()
    assert Ids(clock, random.Random(1)).new() != Ids(clock, random.Random(2)).new()


@dataclass(frozen=True)
class _Pairs(Frame):
    number: Sequence[int]
    word: Sequence[str]


@given(st.lists(st.tuples(st.integers(), st.text())))
def test_a_frame_gives_back_the_rows_it_was_made_of(rows: list[tuple[int, str]]) -> None:
    frame = _Pairs.of(rows)
    assert len(frame) == len(rows)
    assert list(frame.columns()) == ["number", "word"]
    assert [(row["number"], row["word"]) for row in frame.rows()] == rows


def test_a_frame_of_rows_of_unequal_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        _Pairs.of([(1, "a"), (2,)])


@given(st.lists(st.integers(), max_size=50), st.integers(1, 12))
def test_batches_hold_every_row_once_in_order(rows: list[int], size: int) -> None:
    cut = list(batches(rows, size))
    assert [row for batch in cut for row in batch] == rows
    assert all(0 < len(batch) <= size for batch in cut)


@given(MOMENTS, MOMENTS)
def test_timestamps_come_back_and_sort_as_time_does(one: datetime, other: datetime) -> None:
    assert moment(timestamp(one)) == one
    assert (timestamp(one) < timestamp(other)) == (one < other)
    assert len(timestamp(one)) == 27


def test_timestamps_are_utc_wherever_the_moment_comes_from() -> None:
    assert timestamp(datetime(2026, 1, 5, 9, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-05T08:00:00.000000Z"


def test_a_simulated_clock_moves_only_forward_and_only_when_told() -> None:
    clock = SimulatedClock(START)
    assert clock.now() == clock.now() == START
    clock.advance(timedelta(seconds=1))
    assert clock.now() == START + timedelta(seconds=1)
    with pytest.raises(ValueError, match="back"):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="zone"):
        SimulatedClock(datetime(2026, 1, 1))
    assert SystemClock().now().tzinfo is UTC


@pytest.mark.parametrize("kind", KINDS)
def test_each_error_tells_what_where_and_what_to_do(kind: type[RestockError]) -> None:
    error = kind("It broke.", remedy="Mend it.", field="part")
    assert error.problem() == {
        "type": f"urn:restock:error:{error.code}",
        "title": error.code.replace("-", " "),
        "status": error.status,
        "detail": "It broke.",
        "field": "part",
        "remedy": "Mend it.",
    }
    assert str(error) == "part: It broke. Mend it."
    assert set(kind("Short.").problem()) == {"type", "title", "status", "detail"}


def test_codes_are_unique_and_statuses_and_exits_are_in_range() -> None:
    assert len({one.code for one in KINDS}) == len(KINDS)
    assert all(400 <= one.status < 600 and 1 <= one.exit_code < 10 for one in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_crosses_a_process_border_whole(kind: type[RestockError]) -> None:
    there = pickle.loads(pickle.dumps(kind("It broke.", remedy="Mend it.", field="part")))
    assert (type(there), str(there)) == (kind, "part: It broke. Mend it.")


@given(st.text(max_size=MAX_NAME + 10))
def test_a_name_is_trimmed_and_printable_or_refused(text: str) -> None:
    try:
        read = name(text, "supplier")
    except InvalidInput as refused:
        assert refused.field == "supplier"
    else:
        assert read == text.strip()
        assert 0 < len(read) <= MAX_NAME
        assert name(read, "supplier") == read


@pytest.mark.parametrize("value", [None, 7, "", "   ", "a\nb", "a\x00b", "x" * (MAX_NAME + 1), b"bytes"])
def test_what_is_no_name_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        name(value, "product_id")


@pytest.mark.parametrize("value", ["PROD-001", "Łódź & Söhne", "株式会社", "x" * MAX_NAME, "a\u200bb"])
def test_names_of_all_languages_are_accepted(value: str) -> None:
    assert name(f"  {value} ", "product_id") == value


def test_a_failpoint_ends_the_process_at_the_passing_that_was_asked_for() -> None:
    program = "from restock.core.failpoint import failpoint\nfor n in range(5): failpoint('here'); print(n, flush=True)"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env={**os.environ, "RESTOCK_FAILPOINT": "here:3"},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout.split()) == (KILLED, ["0", "1"])
