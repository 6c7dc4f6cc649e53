"""Numbers on the wire: exact both ways, and never with an exponent or a trailing zero."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput, NotFound, RestockError
from restock.core.frame import Frame
from restock.core.quantity import MAX_NUMBER
from restock.edge import wire
from restock.purchasing.model import State
from restock.replenishment.port import Calculation, FlowOrder, FlowReplies, FlowReply
from restock.services import OPERATIONS

PLAIN = re.compile(r"-?(0|[1-9]\d*)(\.\d*[1-9])?")
any_number = st.decimals(allow_nan=False, allow_infinity=False)
right_number = st.decimals(-MAX_NUMBER, MAX_NUMBER, places=6)


@dataclass(frozen=True)
class Numbers:
    """A request of numbers."""

    one: Decimal
    many: list[Decimal]
    count: int = 0


@dataclass(frozen=True)
class Columns(Frame):
    """A reply in columns."""

    name: list[str]
    amount: list[Decimal]


READER = wire.Reader(Numbers)


def numbers_of(text: bytes) -> list[str]:
    """Give every number as it is written."""
    found: list[str] = []
    json.loads(text, parse_float=found.append, parse_int=found.append)
    return found


@given(any_number)
def test_every_number_is_written_plainly_and_exactly(number: Decimal) -> None:
    for text in (wire.encode({"n": number}), wire.encode([number]), wire.encode(Numbers(number, []))):
        written = numbers_of(text)[0]
        assert PLAIN.fullmatch(written) and written != "-0"
        assert Decimal(written) == number


@given(right_number, st.lists(right_number, max_size=4), st.integers(-(2**63), 2**63 - 1))
def test_a_request_comes_back_as_it_was_written(one: Decimal, many: list[Decimal], count: int) -> None:
    asked = Numbers(one, many, count)
    assert READER.read(wire.encode(asked)) == asked
    texts = json.dumps({"one": str(one), "many": [str(each) for each in many], "count": str(count)})
    assert READER.read(texts.encode()) == asked, "numbers may be texts"


def flow_reply(numbers: list[Decimal], *, with_order: bool) -> FlowReply:
    a, b, c, d, e, f, g, h = numbers
    order = FlowOrder("PO-1", "P", "S", a, b, c, "sent", "t", None, d, "PIECE", e, "USD") if with_order else None
    return FlowReply(True, order, Calculation(True, f, g, h, False, "x"), "m", "ordered", "P", "d", "r")


@given(st.lists(any_number, min_size=8, max_size=8), st.booleans())
def test_the_hot_reply_is_written_as_any_other(numbers: list[Decimal], with_order: bool) -> None:
    reply = flow_reply(numbers, with_order=with_order)
    hot = wire.encode(reply)
    assert hot == wire.encode([reply])[1:-1], "the short way and the long way agree"
    assert all(PLAIN.fullmatch(written) for written in numbers_of(hot))
    assert list(json.loads(hot)) == [field.name for field in fields(FlowReply)]


@pytest.mark.parametrize("text", ["1E+3", "1599.00", "0.10", "100", "0E-7", "-0", "0.0000001", "1E-30", "-5.50"])
def test_the_usual_suspects(text: str) -> None:
    reply = flow_reply([Decimal(text)] * 8, with_order=True)
    for written in numbers_of(wire.encode(reply)):
        assert PLAIN.fullmatch(written) and written != "-0" and Decimal(written) == Decimal(text)


def test_a_frame_is_columns_or_rows() -> None:
    frame = Columns(["a", "b"], [Decimal("1.50"), Decimal("1E+2")])
    assert wire.encode(frame) == b'{"name":["a","b"],"amount":[1.5,100]}'
    assert wire.encode(frame, rows=True) == b'[{"name":"a","amount":1.5},{"name":"b","amount":100}]'
    assert (
        wire.encode({"items": frame}, rows=True) == b'{"items":[{"name":"a","amount":1.5},{"name":"b","amount":100}]}'
    )


def test_an_error_among_replies_is_its_problem() -> None:
    reply = json.loads(wire.encode(FlowReplies([NotFound("There is no A.", field="product_id", remedy="Look.")])))
    assert reply == {"results": [{"error": NotFound("There is no A.", field="product_id", remedy="Look.").problem()}]}


def test_other_values() -> None:
    found = wire.encode(
        {"state": State.SENT, "none": None, "pair": (1, True), "text": "ä", "set": {"x"}, "float": 1e-7}
    )
    assert found == '{"state":"sent","none":null,"pair":[1,true],"text":"ä","set":["x"],"float":0.0000001}'.encode()


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    try:
        READER.read(body)
    except InvalidInput as error:
        assert str(error)


members = st.sampled_from(["one", "many", "count", "x"])
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=3),
    max_leaves=8,
)


@given(any_json)
def test_no_json_breaks_the_reader(value: object) -> None:
    try:
        READER.read(json.dumps(value).encode())
    except InvalidInput as error:
        assert "`" not in str(error) and "msgspec" not in str(error)


def test_every_operation_of_the_table_can_be_read() -> None:
    for operation in OPERATIONS.values():
        reader = wire.Reader(operation.request)
        if reader.optional:
            assert reader.read(b"{}") == operation.request()
        with pytest.raises(RestockError):
            reader.read(b'{"no_such_field": 1}')


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"one": 1, "many": [1, "x"]}, "many[1]"),
        ({"one": "NaN", "many": []}, "one"),
        ({"one": 1, "many": [0, 10**13]}, "many[1]"),
        ({"one": 1, "many": ["0.0000001"]}, "many[0]"),
        ({"many": []}, "one"),
        ({"one": 1, "many": [], "count": 2**63}, "count"),
        ({"one": 1, "many": [], "cuont": 2}, "cuont"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        READER.read(msgspec.json.encode(body))
    assert refused.value.field == field


def test_named_texts_are_read_as_in_a_query() -> None:
    assert READER.convert({"one": "1.50", "many": ["2"], "count": "3"}) == Numbers(Decimal("1.5"), [Decimal(2)], 3)
    with pytest.raises(InvalidInput):
        READER.convert({"one": "1", "many": [], "count": "x"})
