"""Exact numbers: what is read is what is stored, and everything else is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput
from restock.core.quantity import (
    MAX_NUMBER,
    SCALE,
    ceil_to_step,
    decimal,
    from_scaled,
    not_negative,
    plain,
    positive,
    round_half_up,
    to_scaled,
    total,
)

LIMIT = int(MAX_NUMBER) * 10**SCALE
SCALED = st.integers(-LIMIT, LIMIT)
NUMBERS = st.decimals(-MAX_NUMBER, MAX_NUMBER, places=SCALE)
ABOVE_0 = st.integers(1, 10**12)


@given(SCALED)
def test_a_scaled_number_comes_back(scaled: int) -> None:
    assert to_scaled(from_scaled(scaled)) == scaled


@given(NUMBERS)
def test_a_number_read_from_its_text_is_stored_and_shown_as_the_same_number(number: Decimal) -> None:
    read = decimal(str(number))
    assert from_scaled(to_scaled(read)) == number == plain(read)


@given(st.one_of(NUMBERS, SCALED.map(from_scaled), st.integers(-30, 12).map(Decimal(1).scaleb)))
def test_a_plain_number_shows_no_exponent_and_no_trailing_zero(number: Decimal) -> None:
    text = str(plain(number)) if number == 0 or abs(number) >= Decimal("0.000001") else f"{plain(number):f}"
    assert "E" not in text.upper()
    assert "." not in text or not text.endswith("0")
    assert text != "-0"
    assert Decimal(text) == number


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "-NaN", "sNaN", "Infinity", "-inf", Decimal("NaN"), Decimal("sNaN1"), Decimal("-Infinity")),
        *(1.0, 0.1, float("nan"), True, False, None, b"1", [1], "", "  ", "1,5", "0x10", "twelve"),
        *("1000000000000.000001", "-1000000000001", 10**13, "1e999999", Decimal("1e13")),
        *("0.0000001", "1e-7", "1e-999999", Decimal("1.0000005")),
    ],
)
def test_what_is_no_exact_number_is_refused_by_field(value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        decimal(value, "quantity")
    assert refused.value.field == "quantity"
    assert refused.value.remedy


@pytest.mark.parametrize("value", ["1000000000000", "-1e12", "1.5000000000", "1e3", "-0", 0, Decimal("0E-20")])
def test_limits_and_unusual_writing_are_accepted(value: object) -> None:
    assert decimal(value) == Decimal(str(value))


@given(NUMBERS)
def test_signs_are_checked(number: Decimal) -> None:
    for check, allowed in ((not_negative, number >= 0), (positive, number > 0)):
        if allowed:
            assert check(number) == number
        else:
            with pytest.raises(InvalidInput):
                check(number)


@given(need=SCALED.map(from_scaled), step=ABOVE_0)
def test_the_next_step_is_the_smallest_multiple_not_below_the_need(need: Decimal, step: int) -> None:
    size = from_scaled(step)
    reached = to_scaled(ceil_to_step(need, size))
    assert reached % step == 0
    assert reached - step < to_scaled(need) <= reached


@given(st.lists(NUMBERS, max_size=50))
def test_a_total_is_exact_in_any_order(numbers: list[Decimal]) -> None:
    assert to_scaled(total(numbers)) == sum(map(to_scaled, numbers)) == to_scaled(total(reversed(numbers)))


@given(NUMBERS, st.integers(0, SCALE))
def test_rounding_is_half_away_from_zero(number: Decimal, decimals: int) -> None:
    rounded = round_half_up(number, decimals)
    half = Decimal(5).scaleb(-decimals - 1)
    assert abs(rounded - number) <= half
    assert rounded == -round_half_up(-number, decimals)
    if abs(rounded - number) == half:
        assert abs(rounded) > abs(number)
