"""Columns equal row and reference: Polars and NumPy, on random and threshold products, texts, roundings and bad rows."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_world import PUBLISHED, PUBLISHED_TEXT, PURCHASING, one
from test_differential import random_product, rulebook_text, rules

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules import Decision, Rulebook, RuleError
from restock.engine.rules.columns_rows import Backend, by_numpy, by_polars, decide_by_columns

RANGES = """
input required_qty: decimal(9,2) in 0..100000;
input available_qty: decimal(9,2) in -100000..100000;
input is_active: bool;
input moq: decimal(9,2) in 0..100000;
input unit_price: decimal(9,2) in 0..10000;
"""
DECLARED = one(RANGES + PUBLISHED_TEXT)
BACKENDS = pytest.mark.parametrize("backend", [by_polars, by_numpy], ids=["polars", "numpy"])

Facts = dict[str, object]


def outcomes(decided: Sequence[Decision | RestockError]) -> list[Decision | str]:
    return [result if isinstance(result, Decision) else str(result) for result in decided]


def agree(book: Rulebook, rows: Sequence[Facts]) -> list[Decision | str]:
    """Decide by Polars, NumPy, row and reference, which must agree on every row, and give the outcomes."""
    wanted = outcomes(book.decide_many(rows, engine="reference"))
    assert outcomes(book.decide_many(rows, engine="row")) == wanted
    for backend in (by_polars, by_numpy):
        got = outcomes(decide_by_columns(book._evaluator(""), rows, backend))
        assert got == wanted, next(pair for pair in zip(rows, got, wanted, strict=True) if pair[1] != pair[2])
    return wanted


@pytest.mark.parametrize("book", [DECLARED, PUBLISHED, PURCHASING], ids=["declared", "published", "purchasing"])
def test_columns_equal_row_and_reference_on_random_and_threshold_products(book: Rulebook) -> None:
    random = Random(11)
    decided = agree(book, [random_product(random) for _ in range(4_000)])
    assert len({one.fired for one in decided if isinstance(one, Decision)}) > 8


RANDOM_RULES = st.lists(rules, min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(RANDOM_RULES, st.integers(0, 10**6))
def test_columns_equal_row_and_reference_on_random_rulebooks(
    parts: list[tuple[str, list[str], int, bool]], seed: int
) -> None:
    agree_on_random_rules(parts, seed)


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=4_000, deadline=None)
@given(RANDOM_RULES, st.integers(0, 10**6))
def test_columns_equal_row_and_reference_on_thousands_of_random_rulebooks(
    parts: list[tuple[str, list[str], int, bool]], seed: int
) -> None:
    agree_on_random_rules(parts, seed)


def agree_on_random_rules(parts: list[tuple[str, list[str], int, bool]], seed: int) -> None:
    try:
        book = one(rulebook_text(parts))
    except RuleError:
        return
    if book.engines["columns"]:
        return
    random = Random(seed)
    agree(
        book,
        [
            {
                "in1": Decimal(random.randrange(-300, 300)).scaleb(-random.randrange(3)),
                "in2": random.choice((0, 1, 2, Decimal("-0.5"))),
                "flag": random.random() < 0.5,
                "word": random.choice(("x", "y", "xy", "", "ÄÖ", "ß")),
            }
            for _ in range(20)
        ],
    )


MODES = ("half_even", "half_up", "up", "down")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("low", [-100, 0], ids=["any sign", "not negative"])
def test_every_rounding_and_the_remainder_have_the_sign_and_the_middle_of_the_reference(mode: str, low: int) -> None:
    book = one(
        f"input a: decimal(6,3) in {low}..100;\ninput b: decimal(4,2) in {low}..50;\n"
        f"rule R no-loop {{ when b != 0 then q = round(a / b, 1, {mode}); r = round(a, 1, {mode});"
        f" w = round(a, 0, {mode}); m = a % b; s = round(a / 0.3, 2, {mode}); n = round(-a / b, 0, {mode});"
        " f = floor(a / b); c = ceil(a / b); g = floor(a); d = ceil(a); }"
    )
    numbers = [Decimal(n).scaleb(-3) for n in (0, 1, 49, 50, 51, 150, 250, 500, 1500, 2500, 333, 99999)]
    divisors = [Decimal(n).scaleb(-2) for n in (0, 1, 3, 10, 50, 100, 200, 333)]
    signs = (1, -1) if low else (1,)
    rows: list[Facts] = [
        {"a": sign * a, "b": other * b} for a in numbers for b in divisors for sign in signs for other in signs
    ]
    assert all(isinstance(result, Decision) for result in agree(book, rows))


def test_text_functions_agree_on_texts_of_every_kind() -> None:
    book = one(
        "input t: text;\ninput u: text;\n"
        'rule R no-loop { when true then up = upper(t); lo = lower(t); tr = trim(t); n = length(t); j = t + "-" + u; }\n'
        "rule C salience -1 no-loop { when t contains u then c = true; }\n"
        "rule S salience -1 no-loop { when t startsWith u then s = true; }\n"
        'rule E salience -1 no-loop { when t endsWith u && trim(t) != "" then e = true; }\n'
        'rule Q salience -2 no-loop { when t == u || u in ["a", "ab"] then q = true; }\n'
    )
    texts = [
        "",
        "a",
        "ab",
        " ab\t",
        "Ab",
        "\x1c a\x1f",
        "ß",
        "İ",
        "ΑΣ",
        "a\0",
        "\u2003x\u00a0",
        "😀b",
        "x" * 1000,
        "a" * 999,
    ]
    agree(book, [{"t": t, "u": u} for t in texts for u in texts])


def test_enums_are_codes_inside_and_texts_outside() -> None:
    book = one(
        'enum Color { red, green, blue }\ninput given: Color default "red";\ninput any: text;\n'
        'output c: Color default "blue";\noutput d: text default "none";\noutput same: bool default false;\n'
        'rule R no-loop { when given == "green" then c = given; d = upper(given); }\n'
        'rule A salience -1 no-loop { when given == "blue" then c = any; }\n'
        "rule S salience -2 no-loop { when c == given && any != given then same = true; }\n"
    )
    rows: list[Facts] = [
        {"given": g, "any": a} for g in ("red", "green", "blue", None, "rad") for a in ("red", "green", "x", "", "blue")
    ]
    assert sum(isinstance(result, str) for result in agree(book, rows)) == 7


def test_bad_rows_have_the_error_of_the_reference_and_the_others_go_on() -> None:
    book = one(
        "input a: decimal(6,2);\ninput b: decimal(6,2);\n"
        "output c: decimal(8,2) in 0..10 default 1;\noutput d: decimal(9,2);\n"
        "rule Guarded salience 2 no-loop { when b != 0 && round(a / b, 2) > 5 then d = 9; }\n"
        "rule Share salience 1 no-loop { when a > 0 then c = round(a / b, 2); }\n"
        "rule Rest no-loop { when a < 0 then d = a % b; c = 0 - a; }\n"
    )
    rows: list[Facts] = [
        {"a": a, "b": b} for a in (0, 1, 9, -1, -11, "1e1", "x", None, 1.5, 10**9, "0.001") for b in (0, 1, 2, "0.01")
    ]
    decided = agree(book, rows)
    assert any("division by zero" in str(result) for result in decided)
    assert any("outside 0..10" in str(result) for result in decided)


def test_a_wrong_write_that_a_later_rule_hides_is_still_an_error() -> None:
    book = one(
        "input a: decimal(6,2);\noutput c: decimal(8,2) in 0..10 default 1;\noutput d: decimal(9,2);\n"
        "rule First salience 1 no-loop { when a > 0 then c = a; }\nrule Second no-loop { when a > 20 then c = 3; }\n"
    )
    assert [isinstance(result, str) for result in agree(book, [{"a": 5}, {"a": 15}, {"a": 25}])] == [False, True, True]


@pytest.mark.parametrize("count", [1, 8, 9, 32, 33, 63, 64, 65, 130])
def test_the_mask_names_the_fired_of_many_rules(count: int) -> None:
    text = "".join(
        f"rule R{at} salience {-at} no-loop {{ when a >= {at} then x{at % 3} = a + {at}; }}\n" for at in range(count)
    )
    decided = agree(one("input a: decimal(4,0) in 0..1000;\n" + text), [{"a": at} for at in range(count + 2)])
    assert isinstance(decided[-1], Decision)
    assert len(decided[-1].fired) == count


@BACKENDS
def test_no_rows_give_no_decisions(backend: Backend) -> None:
    assert decide_by_columns(PURCHASING._evaluator(""), [], backend) == []


def test_numbers_up_to_the_limit_of_int64_are_exact() -> None:
    book = one(
        "input a: decimal(18,0) in -900000000000000000..900000000000000000;\n"
        "rule R no-loop { when a != 7 then b = a * 10; c = round(a / 7, 0, half_even); d = abs(a) - 1; e = max(a, -a); }"
    )
    edge = 9 * 10**17
    agree(book, [{"a": n} for n in (edge, -edge, edge - 1, 1 - edge, 0, 7, -7, 3)])


def test_rules_that_int64_cannot_hold_are_refused_with_the_place() -> None:
    book = one("rule R no-loop { when a > 0 then b = a * c * a * c * a; }")
    assert "line 1: a number may need" in book.engines["columns"]
    with pytest.raises(InvalidInput, match="columns engine cannot run these rules: line 1: a number may need"):
        book.decide({"a": 1, "c": 1}, engine="columns")


def test_a_row_past_the_range_that_columns_take_for_undeclared_inputs_is_exact_too() -> None:
    numbers = ["0", "0.01", "0.001", "0.000001", "499999.99", "500000.01", "999999999999", "-1000000000000", "10000"]
    rows: list[Facts] = [
        {"required_qty": a, "available_qty": b, "moq": c, "unit_price": a, "is_active": True}
        for a in numbers
        for b in numbers
        for c in ("0", "0.0001", "7", "600000")
    ]
    agree(PUBLISHED, rows)


def test_a_number_that_only_exists_between_two_operations_is_measured_too() -> None:
    head = "input a: decimal(12,0) in 0..100000000000;\ninput b: decimal(9,6) in 1..2;\n"
    book = one(head + "rule R no-loop { when a > 0 then c = round(a / b, 2); }")
    assert "line 3: a number may need 20 digits" in book.engines["columns"]
    assert "more than an int64" in book.engines["columns"]


def test_rules_that_need_forward_chaining_are_refused_with_the_reason() -> None:
    book = one("rule Early salience 1 no-loop { when x > 0 then y = 1; }\nrule Late no-loop { when a > 0 then x = a; }")
    assert book.engines["columns"] == book.engines["row"] != ""


def test_text_that_grows_in_rules_stays_bounded() -> None:
    doubling = "\n".join(f"rule R{at} salience {-at} no-loop {{ when a then t = t + t + w; }}" for at in range(20))
    decided = agree(
        one("input a: bool;\ninput w: text;\n" + doubling), [{"a": True, "w": "ab"}, {"a": False, "w": "ab"}]
    )
    assert "longer than 1000" in str(decided[0])


@pytest.mark.parametrize("engine", ["row", "reference", "columns", "sql"])
def test_half_a_character_pair_is_decided_as_any_text(engine: str) -> None:
    book = one('input w: text;\noutput b: text;\nrule R no-loop { when w contains "a" then b = w; }')
    rows = [{"w": "a\ud800"}, {"w": "b"}, {"w": "ab"}]
    assert [made.outputs["b"] for made in book.decide_many(rows, engine=engine)] == ["a\ud800", "", "ab"]  # type: ignore[union-attr]
