"""What is given twice is refused, at every door."""

from __future__ import annotations

import json
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput
from restock.core.once import once_each
from restock.edge.members import refuse_twice

NAMES = st.sampled_from(["a", "b", "a:", 'a":', "\u00fc", "\\"])
LEAVES = st.one_of(
    st.none(), st.integers(), NAMES, st.sampled_from(["1e999", "-0.0", "12.50", '"\\u003a"', '":"', '"\\""'])
)


@dataclass(frozen=True)
class Count:
    """A count of a thing in a place."""

    thing: str
    place: str
    number: int


def written(value: object) -> str:
    """Write JSON whose objects are lists of pairs, so that a member can be there twice."""
    if isinstance(value, list):
        return "[" + ", ".join(written(one) for one in value) + "]"
    if isinstance(value, tuple):
        return "{" + " ,".join(f"{json.dumps(name)} :{written(one)}" for name, one in value) + "}"
    return value if isinstance(value, str) and value[:1] in '"1-' else json.dumps(value, ensure_ascii=False)


def is_twice(value: object) -> bool:
    """Tell whether any object in the value has a member twice."""
    if isinstance(value, list):
        return any(map(is_twice, value))
    if isinstance(value, tuple):
        names = [name for name, _ in value]
        return len(set(names)) < len(names) or any(is_twice(one) for _, one in value)
    return False


VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(NAMES, inner), max_size=4).map(tuple),
    max_leaves=12,
)


@given(VALUES)
def test_a_member_that_is_there_twice_is_refused_and_nothing_else_is(value: object) -> None:
    text = written(value).encode()
    json.loads(text)
    if not is_twice(value):
        refuse_twice(text)
        return
    with pytest.raises(InvalidInput) as refused:
        refuse_twice(text)
    assert refused.value.field


@pytest.mark.parametrize(
    "text",
    [
        b'{"q": 1, "q": 100}',
        b'{"q":1,"\\u0071":100}',
        b'{"a": "\\u003a", "q" : 1, "q": 1e999}',
        b'{"items": [{"q": 1}, {"q": 1, "r": {}, "q": 2}]}',
        b'{"q": "x:y", "q": "x"}',
        b'{"q" : 1,"q":2}',
    ],
)
def test_the_member_is_named(text: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        refuse_twice(text)
    assert refused.value.field == "q"


@pytest.mark.parametrize(
    "text", [b'{"note":"a","note":"b"}', b'{"note":"","note":"b"}', b'{"note" : "b","note":"a:b"}']
)
def test_a_member_that_is_there_twice_is_refused_also_of_what_was_read(text: bytes) -> None:
    class Noted(msgspec.Struct, omit_defaults=True):
        note: str = ""

    with pytest.raises(InvalidInput):
        refuse_twice(text, msgspec.json.decode(text, type=Noted))
    refuse_twice(b'{"note":"a:b"}', Noted("a:b"))
    refuse_twice(b'{"note":""}', Noted())


def test_two_rows_may_not_say_different_things_of_one_thing() -> None:
    rows = [Count("a", "x", 1), Count("a", "y", 2), Count("b", "x", 3), Count("a", "x", 1)]
    assert once_each(rows, "counts", "thing", "place") == rows[:3]
    with pytest.raises(InvalidInput) as refused:
        once_each([*rows, Count("b", "x", 4)], "counts", "thing", "place")
    assert refused.value.field == "counts[4]"
    assert "counts[2]" in refused.value.what and "thing and place" in refused.value.what
