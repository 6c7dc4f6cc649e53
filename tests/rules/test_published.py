"""The published rulebook gives the published numbers, and its engine's defects are not copied."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rules_world import GOLDEN, PUBLISHED, both, golden_facts, one, rule

from restock.engine.rules import Rulebook, RuleError


@pytest.mark.parametrize("key", GOLDEN)
def test_published_rules_give_the_golden_values(key: str) -> None:
    decision = both(PUBLISHED, golden_facts(key))
    names = ("shortage", "order_qty", "total_amount", "approval_status", "final_amount", "grand_total")
    assert tuple(str(decision.outputs[name]) for name in names) == GOLDEN[key][5:]


@pytest.mark.parametrize(
    ("key", "active", "fired"), [("A-002", True, 9), ("C-003", True, 8), ("C-001", True, 2), ("A-002", False, 3)]
)
def test_as_many_rules_fire_as_published(key: str, active: bool, fired: int) -> None:
    assert len(both(PUBLISHED, golden_facts(key) | {"is_active": active}).fired) == fired


def test_rules_fire_in_the_published_order() -> None:
    assert both(PUBLISHED, golden_facts("A-001")).fired == (
        "CalculateShortage",
        "OrderShortageWhenAboveMOQ",
        "CalculateOrderTotal",
        "SetReorderFlag",
        "AutoApproveOrders",
        "NoDiscount",
        "CalculateTax",
        "CreatePurchaseOrderIfApproved",
        "SendPOToSupplier",
    )


def test_there_are_fifteen_rules_that_one_pass_decides() -> None:
    assert len(PUBLISHED.rules) == 15
    assert PUBLISHED.engines["row"] == ""


def test_a_published_file_declares_nothing_and_its_fields_are_known() -> None:
    kinds = {field.name: (field.kind, field.optional) for field in PUBLISHED.inputs}
    assert kinds == {
        "avg_daily_demand": ("number", True),
        "lead_time_days": ("number", True),
        "safety_stock": ("number", True),
        "required_qty": ("number", True),
        "available_qty": ("number", False),
        "is_active": ("bool", False),
        "moq": ("number", True),
        "unit_price": ("number", False),
    }
    assert {field.name: field.default for field in PUBLISHED.outputs}["approval_status"] == ""


def test_the_version_of_the_published_rulebook_never_changes_unnoticed() -> None:
    assert PUBLISHED.version == "2b1b7f6fe8da723ad0ff6e6e54b84f164f6f0352f5fabd9aa72b23489b5689a7"
    assert Rulebook.parse("// a comment\n" + PUBLISHED.text, "x").version == PUBLISHED.version
    changed = PUBLISHED.text.replace("total_amount <= 10000", "total_amount <= 10001")
    assert Rulebook.parse(changed, "x").version != PUBLISHED.version


def test_defect_1_no_loop_is_per_evaluation() -> None:
    first = both(PUBLISHED, golden_facts("A-001"))
    assert both(PUBLISHED, golden_facts("A-001")) == first


def test_defect_2_integer_5_equals_5_point_0() -> None:
    book = one(rule("when x == 5.0 then y = 1;"))
    for five in (5, Decimal("5.0"), "5.00"):
        assert both(book, {"x": five}).outputs["y"] == 1


def test_defect_3_arithmetic_has_parentheses_and_signs() -> None:
    book = one(rule("when true then y = -(a + b) * 2 - -c % 3;"))
    assert both(book, {"a": 1, "b": 2, "c": 4}).outputs["y"] == -5
    assert both(book, {"a": 1, "b": 2, "c": -4}).outputs["y"] == -7


def test_defect_4_operators_inside_texts_are_text() -> None:
    text = "a && b > c; d = 'e' || }"
    book = one(rule(f'when s == "{text}" then t = "x; y = 1 && z"; Log("a = b; c && d }}");'))
    assert both(book, {"s": text}).outputs["t"] == "x; y = 1 && z"


def test_defect_5_no_loop_false_is_false_and_salience_may_be_negative_or_inside_the_braces() -> None:
    book = one(
        'rule A no-loop false salience -5 { when true then a = 1; }\nrule "B" { salience 7 no-loop when true then b = 1; }'
    )
    assert [(found.name, found.salience) for found in book.rules] == [("B", 7), ("A", -5)]
    assert [found.no_loop for found in book.program.rules] == [True, False]


def test_defect_6_matches_has_one_meaning_a_star_stands_for_anything() -> None:
    for pattern, texts in {
        "a*": {"a": True, "ab": True, "ba": False},
        "*a": {"a": True, "ba": True, "ab": False},
        "*a*": {"xax": True, "a": True, "x": False},
        "a*a": {"aa": True, "aba": True, "a": False},
        "a": {"a": True, "ab": False},
        "*": {"": True, "x": True},
    }.items():
        book = one(rule(f'when s matches "{pattern}" then t = 1;'))
        for text, holds in texts.items():
            assert (both(book, {"s": text}).fired == ("R",)) is holds, (pattern, text)
    for pattern in ("a?", "a*b*c", "*a*b"):
        with pytest.raises(RuleError, match=r"'matches' takes one star|In 'matches' only"):
            one(rule(f'when s matches "{pattern}" then t = 1;'))


def test_defect_7_log_takes_several_arguments_and_conditions_stop_early() -> None:
    book = one(rule('when b != 0 && round(a / b, 2) > 1 then t = 1; Log("größer 📦", a, "als", b);'))
    assert both(book, {"a": 1, "b": 0}).fired == ()
    assert both(book, {"a": 3, "b": 2}).fired == ("R",)


def test_defect_8_a_loop_is_bounded_and_named() -> None:
    book = one(rule("when x < 10 then n = n + 1; x = n % 2;", name="Loops", attributes=""))
    with pytest.raises(RuleError, match="do not settle within 10000 firings; still firing: Loops"):
        book.decide({})


@pytest.mark.parametrize(
    ("condition", "message"),
    [("accumulate(Order($v: total), sum($v)) > 1", "'accumulate'"), ("items first $v", "'first'")],
)
def test_defect_9_half_working_constructs_are_refused_by_name(condition: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        one(rule(f"when {condition} then t = 1;"))
