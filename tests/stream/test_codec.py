"""Events keep every digit on their way through bytes."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput
from restock.core.event import Event
from restock.engine.stream import Record, decode, encode

numbers = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal("-1e20"), max_value=Decimal("1e20"), places=None
).filter(lambda number: number.as_tuple().exponent >= -28)
text = st.text(st.characters(exclude_categories=["Cs"]))
plain_data = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**27), 10**27) | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def event(**data: object) -> Event:
    return Event("e-1", "StockChanged", "inventory-updates", "PROD-001", "2026-01-05T08:00:00.000000Z", data, "e-0")


def record(value: bytes) -> Record:
    return Record("inventory-updates", 2, 17, "PROD-001", value, {}, "2026-01-05T08:00:00.000000Z")


def through(sent: Event) -> Event:
    return decode(record(encode(sent)))


def test_the_value_is_the_documented_object() -> None:
    sent = event(on_hand=25, demand_per_day=Decimal("15.500"), total=Decimal("1E+3"), note=None, active=True)
    assert encode(sent) == (
        b'{"event_id":"e-1","type":"StockChanged","at":"2026-01-05T08:00:00.000000Z","causation_id":"e-0",'
        b'"key":"PROD-001","data":{"on_hand":25,"demand_per_day":15.5,"total":1000,"note":null,"active":true}}'
    )
    assert through(sent) == sent


@given(st.dictionaries(text, plain_data, max_size=5))
def test_data_comes_back_equal(data: dict[str, object]) -> None:
    assert through(event(**{}) if not data else Event("e", "T", "inventory-updates", "k", "a", data)).data == data


@given(numbers)
def test_a_number_is_written_plainly_and_read_exactly(number: Decimal) -> None:
    written = msgspec.json.decode(encode(event(n=number)), type=dict[str, msgspec.Raw])["data"]
    digits = bytes(written).decode()[len('{"n":') : -1]
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", digits), digits
    back = through(event(n=number)).data["n"]
    assert back == number
    assert not isinstance(back, float)


def test_an_enumeration_with_text_values_is_text() -> None:
    class Trend(StrEnum):
        STABLE = "stable"

    assert through(event(trend=Trend.STABLE)).data == {"trend": "stable"}


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), Decimal("NaN"), Decimal("Infinity"), Decimal("1e28"), Decimal("1e-29"), Decimal("1e999999"),
     10**28, {"a": {1: 2}}, b"bytes", object(), "\ud800", {1, 2}],
    ids=lambda value: "object" if type(value) is object else repr(value)[:30],
)  # fmt: skip
def test_what_is_not_exact_plain_data_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        encode(event(value=[value]))


def test_a_refusal_names_the_member() -> None:
    with pytest.raises(InvalidInput) as refused:
        encode(event(lines=[{"price": 1.5}]))
    assert refused.value.field == "data.lines[0].price"


def test_endless_nesting_is_refused() -> None:
    deep: list[object] = []
    deep.append(deep)
    with pytest.raises(InvalidInput, match="levels"):
        encode(event(deep=deep))


@pytest.mark.parametrize("event_id", ["", "x" * 37])
def test_an_identifier_must_fit_the_inbox(event_id: str) -> None:
    with pytest.raises(InvalidInput):
        encode(Event(event_id, "T", "t", "k", "a"))


GOOD = b'{"event_id":"e","type":"T","at":"a","causation_id":"","key":"k","data":%s}'


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b"[]", b"\xff\xfe", b"not json", GOOD % b"[]", GOOD % b"{", GOOD.replace(b'"e"', b'""') % b"{}",
     GOOD % (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"), GOOD % b'{"n": 1e99999999999999999999}',
     GOOD % b'{"n": 1e999999}', GOOD % b'{"n": NaN}'],
    ids=lambda value: repr(value[-30:]),
)  # fmt: skip
def test_a_malformed_value_is_refused_with_its_place(value: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode(record(value))
    assert refused.value.field == "inventory-updates/2/17"


def test_unknown_members_are_ignored() -> None:
    assert decode(record(b'{"v":2,' + (GOOD % b'{"n":0.10}')[1:])).data == {"n": Decimal("0.1")}
