"""SQL on DuckDB equals the row engine and the reference: random products, random rulebooks, bad rows, texts, rounding."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rules_world import PUBLISHED_TEXT, PURCHASING, golden_facts, one, product
from test_differential import random_product, rulebook_text, rules

from restock.core.errors import RestockError
from restock.engine.rules import Decision, Rulebook, RuleError
from restock.engine.rules.errors import SourceText
from restock.engine.rules.sql import SqlEngine, SqlRefused

DECLARED = """
input avg_daily_demand: decimal(9,2) in 0..100000;
input lead_time_days: decimal(6,2) in 0..365;
input safety_stock: decimal(9,2) in 0..100000 default 0;
input required_qty: decimal(12,2) in 0..1000000
    default round(avg_daily_demand * lead_time_days + safety_stock, 2, half_up);
input available_qty: decimal(9,2) in -1000000..1000000;
input moq: decimal(9,2) in 0..1000000 default 0;
input unit_price: decimal(9,2) in 0..10000;
input is_active: bool;
"""
"""Ranges for the published rules, which declare none and would need numbers beyond a BIGINT."""

PUBLISHED = one(DECLARED + PUBLISHED_TEXT)


def engine(book: Rulebook) -> SqlEngine:
    return SqlEngine(SourceText(book.name, book.text), book.program)


def told(results: list[Decision | RestockError]) -> list[object]:
    return [str(each) if isinstance(each, RestockError) else each for each in results]


def agreed(book: Rulebook, facts: list[dict[str, object]]) -> list[Decision | RestockError]:
    """Decide by three engines, which must agree, and give what SQL said."""
    by_sql = engine(book).decide_many(facts)
    for name in ("row", "reference"):
        assert told(by_sql) == told(book.decide_many(facts, engine=name)), name
    return by_sql


@pytest.mark.parametrize("book", [PUBLISHED, PURCHASING], ids=["published", "purchasing"])
def test_sql_equals_row_and_reference_on_random_and_threshold_products(book: Rulebook) -> None:
    random = Random(11)
    decisions = agreed(book, [random_product(random) for _ in range(3_000)])
    assert len({each.fired for each in decisions if isinstance(each, Decision)}) > 8


def test_sql_decides_the_golden_products() -> None:
    made = agreed(PUBLISHED, [golden_facts(key) for key in ("C-003", "C-001")])
    assert isinstance(made[0], Decision) and made[0].outputs["grand_total"] == Decimal("233163.36")
    assert isinstance(made[1], Decision) and made[1].outputs["order_qty"] == 0


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(rules, min_size=1, max_size=5), st.integers(0, 10**6))
def test_sql_equals_row_on_random_rulebooks(parts: list[tuple[str, list[str], int, bool]], seed: int) -> None:
    try:
        book = one(rulebook_text(parts))
        sql = engine(book)
    except RuleError:
        return
    except SqlRefused:
        assert book.engines["row"] or book.int64
        return
    random = Random(seed)
    facts: list[dict[str, object]] = [
        {
            "in1": Decimal(random.randrange(-300, 300)).scaleb(-random.randrange(3)),
            "in2": random.choice((0, 1, 2, Decimal("-0.5"), Decimal("0.5"), Decimal("-99.9"))),
            "flag": random.random() < 0.5,
            "word": random.choice(("x", "y", "xy", "", "ß", "Éy")),
        }
        for _ in range(40)
    ]
    assert told(sql.decide_many(facts)) == told(book.decide_many(facts, engine="row"))


MODES = ("half_up", "half_even", "up", "down")


@pytest.mark.parametrize("mode", MODES)
def test_every_rounding_mode_equals_the_reference_around_the_middle(mode: str) -> None:
    head = "input a: decimal(8,3) in -9999..9999;\ninput b: decimal(5,1) in -99..99;\n"
    head += "output c: decimal;\noutput d: decimal;\noutput e: decimal;\noutput f: decimal;\noutput g: decimal;\n"
    book = one(
        head + f"rule R no-loop {{ when b != 0 then c = round(a, 1, {mode}); d = round(a / b, 2, {mode});"
        " e = ceil(a / b); f = floor(a / 7); g = a % b; }"
    )
    numbers = [Decimal(n).scaleb(-3) for n in (*range(-260, 261, 5), -1, 1, 49, 51, -49, -51, 999949)]
    facts = [{"a": a, "b": b} for a in numbers for b in (1, -1, Decimal("0.3"), Decimal("-2.5"), 99)]
    decisions = agreed(book, facts)
    assert all(isinstance(each, Decision) for each in decisions)


def test_a_row_that_cannot_be_decided_gives_its_error_in_its_place() -> None:
    book = one(
        "input a: decimal(6,2);\ninput b: decimal(6,2);\noutput c: decimal(6,2) in 0..10;\noutput ok: bool;\n"
        "rule Divide salience 2 no-loop { when round(1 / b, 2) > 0 || a == 7 then c = round(a / b, 2); }\n"
        "rule Seven salience 1 no-loop { when a == 7 || round(1 / b, 2) > 0 then ok = true; }"
    )
    rows: list[dict[str, object]] = [
        {"a": 4, "b": 2},
        {"a": 4, "b": 0},
        {"a": 400, "b": 1},
        {"a": 7, "b": 0},
        {"a": "1.234", "b": 1},
        {"a": 10**9, "b": 1},
        {"b": 1},
        {"a": 1.5, "b": 1},
        {"a": True, "b": 1},
        {"a": "0.10", "b": "1e1"},
    ]
    kinds = [type(each).__name__ for each in agreed(book, rows)]
    assert kinds == ["Decision", *["RuleError"] * 3, *["InvalidInput"] * 5, "Decision"]


def test_the_left_condition_decides_before_the_right_one_has_a_value() -> None:
    book = one(
        "input a: decimal(6,2);\ninput b: decimal(6,2);\noutput c: bool;\noutput d: bool;\n"
        "rule Or no-loop { when a == 7 || round(1 / b, 2) > 0 then c = true; }\n"
        "rule And no-loop { when a != 7 && round(1 / b, 2) > 0 then d = true; }"
    )
    made = agreed(book, [{"a": 7, "b": 0}, {"a": 1, "b": 0}, {"a": 1, "b": 1}])
    assert [type(each).__name__ for each in made] == ["Decision", "RuleError", "Decision"]


def test_text_functions_are_those_of_the_reference_beyond_ascii_too() -> None:
    book = one(
        "input t: text;\ninput p: text;\noutput up: text;\noutput low: text;\noutput cut: text;\noutput all: text;\n"
        "output n: decimal;\noutput has: bool;\noutput starts: bool;\noutput ends: bool;\noutput same: bool;\n"
        "rule Texts no-loop { when true then up = upper(t); low = lower(t); cut = trim(t); all = t + p; n = length(t); }\n"
        "rule Has no-loop { when t contains p then has = true; }\n"
        "rule Starts no-loop { when t startsWith p then starts = true; }\n"
        "rule Ends no-loop { when t endsWith p then ends = true; }\n"
        "rule Same no-loop { when t == p then same = true; }\n"
    )
    words = [
        "",
        "a",
        "A",
        "a ",
        " \t\na\x1c",
        "straße",
        "É",
        "a'b",
        "ab",
        "🤦🏼x",
        "\ud800",
        "x" * 1000,
        "%",
        "_",
        "\\",
    ]
    made = agreed(book, [{"t": t, "p": p} for t in words for p in words])
    assert any(isinstance(each, RuleError) for each in made), "a text of 2,000 characters is refused"


def test_enums_and_words_held_as_codes_come_out_as_words() -> None:
    book = one(
        'enum Color { red, green }\ninput given: Color default "green";\ninput any: text;\noutput c: Color;\n'
        'output word: text default "none";\noutput copy: text;\n'
        'rule Red salience 3 no-loop { when given == "red" then word = "stop"; c = any; }\n'
        'rule Go salience 2 no-loop { when word != "stop" then word = "go"; }\n'
        'rule Copy salience 1 no-loop { when word in ["go", "none"] && word != "what" then copy = word + any; }'
    )
    made = agreed(
        book,
        [{"given": "red", "any": "green"}, {"given": "red", "any": "blue"}, {"any": ""}, {"given": "x", "any": ""}],
    )
    assert isinstance(made[2], Decision) and made[2].outputs == {"c": "", "word": "go", "copy": "go"}


def test_more_rules_than_bits_of_a_number_are_all_named() -> None:
    rules_text = "".join(
        f"rule R{at} salience {-at} no-loop {{ when kind == {at} || kind >= 190 then total = total + {at}; }}\n"
        for at in range(130)
    )
    book = one("input kind: decimal(4,0) in 0..200;\noutput total: decimal(9,0);\n" + rules_text)
    made = agreed(book, [{"kind": at} for at in (0, 61, 62, 63, 64, 124, 129, 150, 195)])
    assert isinstance(made[2], Decision) and made[2].fired == ("R62",)
    assert isinstance(made[-1], Decision) and len(made[-1].fired) == 130


def test_no_facts_give_no_decisions() -> None:
    assert engine(PURCHASING).decide_many([]) == []


def test_absent_and_computed_inputs_are_completed_as_everywhere() -> None:
    rows = [product(required_qty=None, avg_daily_demand=d, lead_time_days=7) for d in (1, "2.5", None, -1, 10**7)]
    made = agreed(PURCHASING, rows)
    assert isinstance(made[1], Decision) and made[1].facts["required_qty"] == Decimal("17.5")


def test_what_sql_cannot_run_is_refused_with_the_reason() -> None:
    upward = one(
        "rule A salience 2 no-loop { when b > 0 then c = 1; }\nrule B salience 1 no-loop { when a > 0 then b = 1; }"
    )
    with pytest.raises(SqlRefused, match=r"B \(line 2\) writes b, which is read above it"):
        engine(upward)
    with pytest.raises(SqlRefused, match="more digits than a BIGINT holds"):
        engine(one(PUBLISHED_TEXT))


def test_literals_are_computed_before_an_engine_gives_them_too_few_bits() -> None:
    book = one(
        "input a: decimal(9,6) in 0..900;\noutput c: decimal(14,6);\noutput d: decimal(9,3) in 0..10;\n"
        "output e: decimal(16,6);\n"
        "rule C salience 3 no-loop { when a >= 0 then c = 3; d = 20000; }\n"
        "rule D salience 2 no-loop { when a > 5 then e = max(2000, 3000) * 50000 + 7; }\n"
        "rule E salience 1 no-loop { when e > 5 && d < 5 then e = c * 40000 + d * 99999; }\n"
    )
    assert [type(each).__name__ for each in agreed(book, [{"a": 7}, {"a": "0.5"}])] == ["RuleError", "RuleError"]
    book = one(book.text.replace("d = 20000;", "d = 2;"))
    made = agreed(book, [{"a": 7}, {"a": "0.5"}])
    assert isinstance(made[0], Decision) and made[0].outputs["e"] == 3 * 40000 + 2 * 99999
