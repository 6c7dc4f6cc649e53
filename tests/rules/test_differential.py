"""The row engine equals the reference: on random and threshold products, and on random rulebooks that it accepts."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_world import PUBLISHED, PURCHASING, both, one

from restock.core.errors import InvalidInput
from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.arithmetic import divide, round_fraction
from restock.engine.rules.ir import RoundingMode


def random_product(random: Random) -> dict[str, object]:
    """A product that is often exactly on a threshold: shortage 0, shortage = moq, total 10,000 or 50,000, price 0."""
    shortage = random.choice((Decimal(0), Decimal(1), Decimal(random.randrange(0, 90_000)).scaleb(-2)))
    total = random.choice((10_000, 50_000, 10_001, 49_999))
    price = Decimal(random.randrange(1, 100_000)).scaleb(-2)
    if shortage > 0 and random.random() < 0.4 and total % shortage == 0:
        price = total / shortage
    available = Decimal(random.randrange(-100, 100_000)).scaleb(-1)
    return {
        "required_qty": max(Decimal(0), available + shortage),
        "available_qty": available,
        "on_order_qty": random.choice((0, 0, 5)),
        "moq": random.choice((0, 1, 7, 20, int(shortage))),
        "order_multiple": random.choice((1, 5, Decimal("2.5"))),
        "purchase_factor": random.choice((1, 12, Decimal("0.25"))),
        "unit_price": random.choice((price, price, price, 0, Decimal("0.0004"))),
        "is_active": random.random() > 0.1,
    }


@pytest.mark.parametrize("book", [PUBLISHED, PURCHASING], ids=lambda book: book.name)
def test_row_equals_reference_on_random_and_threshold_products(book: Rulebook) -> None:
    random = Random(7)
    fired = {both(book, random_product(random)).fired for _ in range(3_000)}
    assert len(fired) > 8


FIELDS = ("a", "b", "c")
NUMBERS = st.one_of(
    st.sampled_from(["in1", "in2", *FIELDS]), st.integers(-9, 9).map(str), st.sampled_from(["0.5", "2.25", "-1.1"])
)


def arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        pair.map(lambda t: f"max({t[0]}, {t[1]})"),
        pair.map(lambda t: f"min({t[0]}, {t[1]})"),
        inner.map(lambda x: f"abs({x})"),
        inner.map(lambda x: f"-({x})"),
        st.tuples(inner, st.sampled_from(["half_up", "half_even", "up", "down"])).map(
            lambda t: f"round({t[0]}, 1, {t[1]})"
        ),
        st.tuples(inner, inner, st.sampled_from(["half_up", "half_even", "up", "down"])).map(
            lambda t: f"round({t[0]} / {t[1]}, 2, {t[2]})"
        ),
        st.tuples(inner, st.sampled_from(["3", "0.7", "-2"])).map(lambda t: f"ceil({t[0]} / {t[1]})"),
        st.tuples(inner, st.sampled_from(["3", "0.7", "-2", "in2"])).map(lambda t: f"({t[0]} % {t[1]})"),
        inner.map(lambda x: f"floor({x})"),
    )


expressions = st.recursive(NUMBERS, arithmetic, max_leaves=4)
tests = st.one_of(
    st.tuples(expressions, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), expressions).map(" ".join),
    st.sampled_from(["flag", "!flag", 'word == "x"', 'word contains "y"', "true", 'out in ["x", "xy"]']),
)
conditions = st.lists(tests, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([" && ", " || "]).map(lambda sign: sign.join(f"({part})" for part in parts))
)
actions = st.one_of(
    st.tuples(st.sampled_from(FIELDS), expressions).map(lambda t: f"{t[0]} = {t[1]};"),
    st.sampled_from(['out = "x";', "out = word;", "out = upper(word);", "mark = !mark;"]),
)
rules = st.tuples(conditions, st.lists(actions, min_size=1, max_size=2), st.integers(-2, 3), st.booleans())


OUTPUTS = (
    "output a: decimal;\noutput b: decimal default 1.5;\noutput c: decimal;\noutput out: text;\noutput mark: bool;\n"
)


def rulebook_text(parts: list[tuple[str, list[str], int, bool]]) -> str:
    return (
        "input in1: decimal(6,2);\ninput in2: decimal(4,1);\ninput flag: bool;\ninput word: text;\n"
        + OUTPUTS
        + "".join(
            f"rule R{at} salience {salience}{' no-loop' * no_loop} {{ when {condition} then {' '.join(found)} }}\n"
            for at, (condition, found, salience, no_loop) in enumerate(parts)
        )
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(rules, min_size=1, max_size=5), st.integers(0, 10**6))
def test_row_equals_reference_on_random_rulebooks(parts: list[tuple[str, list[str], int, bool]], seed: int) -> None:
    try:
        book = one(rulebook_text(parts))
    except RuleError:
        return
    if book.engines["row"]:
        return
    random = Random(seed)
    for _ in range(20):
        facts: dict[str, object] = {
            "in1": Decimal(random.randrange(-300, 300)).scaleb(-random.randrange(3)),
            "in2": random.choice((0, 1, 2, Decimal("-0.5"))),
            "flag": random.random() < 0.5,
            "word": random.choice(("x", "y", "xy", "")),
        }
        outcomes = []
        for engine in ("row", "reference"):
            try:
                outcomes.append(book.decide(facts, engine=engine))
            except RuleError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]


@given(
    st.integers(-(10**9), 10**9),
    st.integers(-(10**4), 10**4).filter(bool),
    st.sampled_from(["half_up", "half_even", "up", "down", "floor", "ceil"]),
)
def test_integer_rounding_is_the_nearest_by_definition(dividend: int, divisor: int, mode: RoundingMode) -> None:
    got = divide(dividend, divisor, mode)
    exact = Decimal(dividend) / Decimal(divisor)
    names = {"half_up": "ROUND_HALF_UP", "half_even": "ROUND_HALF_EVEN", "up": "ROUND_UP", "down": "ROUND_DOWN"}
    names |= {"floor": "ROUND_FLOOR", "ceil": "ROUND_CEILING"}
    assert got == exact.to_integral_value(rounding=names[mode])


def test_division_by_zero_names_rule_and_field_in_both_engines() -> None:
    book = one("rule Share no-loop { when a > 0 then c = round(a / b, 2); }")
    for engine in ("row", "reference"):
        with pytest.raises(RuleError, match="Rule Share cannot set c: division by zero") as caught:
            book.decide({"a": 1, "b": 0}, engine=engine)
        assert (caught.value.line, caught.value.column) == (1, 42)


def test_a_value_outside_the_declared_range_is_refused_in_both_engines() -> None:
    book = one("input a: decimal(6,2);\noutput c: decimal(6,2) in 0..10;\nrule R no-loop { when a != 0 then c = a; }")
    assert both(book, {"a": 10}).outputs["c"] == 10
    for engine in ("row", "reference"):
        with pytest.raises(RuleError, match=r"cannot set c: 10.5 is outside 0\.\.10"):
            book.decide({"a": "10.5"}, engine=engine)


def test_an_enum_is_checked_in_the_text_the_facts_and_the_outputs() -> None:
    head = "enum Color { red, green }\ninput given: Color;\ninput any: text;\noutput c: Color;\n"
    with pytest.raises(RuleError, match="did you mean green"):
        one(head + 'rule R { when given == "gren" then c = "red"; }')
    book = one(head + 'rule R no-loop { when given == "red" then c = any; }')
    assert both(book, {"given": "red", "any": "green"}).outputs["c"] == "green"
    with pytest.raises(InvalidInput, match="Did you mean 'red'"):
        book.decide({"given": "rad", "any": "green"})
    for engine in ("row", "reference"):
        with pytest.raises(RuleError, match="outside"):
            book.decide({"given": "red", "any": "blue"}, engine=engine)


def test_texts_that_double_are_stopped() -> None:
    doubling = "\n".join(
        f"rule R{at} salience {-at} no-loop {{ when true then t = t + t + word; }}" for at in range(30)
    )
    book = one("input word: text;\n" + doubling)
    for engine in ("row", "reference"):
        with pytest.raises(RuleError, match="longer than 1000"):
            book.decide({"word": "ab"}, engine=engine)


def test_rounding_on_integers_is_rounding_of_fractions() -> None:
    from fractions import Fraction

    assert str(round_fraction(Fraction(5, 1000), 2, "half_up")) == "0.01"
    assert str(round_fraction(Fraction(5, 1000), 2, "half_even")) == "0.00"
