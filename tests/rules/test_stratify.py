"""One pass is used only where it is proved equal to forward chaining; every refusal tells the reason."""

from __future__ import annotations

import pytest
from rules_world import PUBLISHED_TEXT, one, rule

from restock.core.errors import InvalidInput
from restock.engine.rules import Rulebook


def test_the_cap_on_the_budget_is_refused_with_the_exact_reason() -> None:
    cap = "rule CapBudget salience 60 no-loop { when grand_total > 100000 then order_qty = moq; }"
    book = Rulebook.parse(PUBLISHED_TEXT + cap, "capped.grl")
    line = PUBLISHED_TEXT.count("\n") + 1
    assert {name: book.engines[name] for name in ("row", "reference")} == {
        "row": f"CapBudget (line {line}) writes order_qty, which is read above it by CalculateOrderTotal,"
        " CreatePurchaseOrderIfApproved, CreatePurchaseOrderPendingApproval",
        "reference": "",
    }
    with pytest.raises(InvalidInput, match="CapBudget"):
        book.row()
    with pytest.raises(InvalidInput, match="CapBudget"):
        book.decide({}, engine="row")


def test_without_a_named_engine_the_reference_runs_what_the_row_cannot() -> None:
    book = one(rule("when x < 5 then x = x + 1;", name="Count", attributes=""))
    assert book.engines["row"] == "Count (line 1) writes x, which its own condition reads, and is not no-loop"
    decision = book.decide({})
    assert (decision.outputs["x"], decision.fired) == (5, ("Count",) * 5)


@pytest.mark.parametrize(
    ("first", "second", "accepted"),
    [
        ("a < b", "a >= b", True),
        ("a < b", "b < a", True),
        ("a < b", "b > a", False),
        ("a < b", "a <= b", False),
        ("a > 5", "a <= 5", True),
        ("a > 5", "5 >= a", True),
        ("a > 5", "a < 6", False),
        ("a > 5", "a < 5", True),
        ("a == 5", "a == 6", True),
        ("a == 5", "a != 5", True),
        ("a == 5", "a < 5", True),
        ("a == 5", "a <= 5", False),
        ("f", "!f", True),
        ("f == true", "f != true", True),
        ("f", "f == false", True),
        ('t == "x"', 't == "y"', True),
        ('t == "x"', 't != "y"', False),
        ("a > 1 && f", "b > 1 && !f", True),
        ("a > 1", "b > 1", False),
        ("!(a > 1)", "a >= 2", True),
    ],
)
def test_rules_of_equal_salience_must_exclude_one_another(first: str, second: str, accepted: bool) -> None:
    text = "input a: decimal;\ninput b: decimal;\ninput f: bool;\ninput t: text;\n"
    text += rule(f"when {first} then z = 1;", name="One") + rule(f"when {second} then z = 2;", name="Two")
    reason = one(text).engines["row"]
    assert reason == (
        "" if accepted else "One (line 5) and Two (line 6) have the same salience 0, can both be true, and share z"
    )


def test_rules_of_equal_salience_that_share_nothing_are_accepted() -> None:
    text = rule("when a > 1 then y = 1;", name="One") + rule("when a > 2 then z = 2;", name="Two")
    assert one(text).engines["row"] == ""


def test_a_rule_that_is_not_no_loop_fires_again_only_when_its_condition_saw_a_change() -> None:
    book = one(rule("when flag then n = n + 1;", attributes=""))
    for engine in ("row", "reference"):
        assert book.decide({"flag": True}, engine=engine).outputs["n"] == 1


def test_a_rule_that_makes_an_earlier_one_of_equal_salience_true_needs_the_agenda() -> None:
    text = rule("when x >= 5 then y = 1;", name="Late") + rule("when x < 5 then x = 7;", name="Early")
    book = one(text)
    assert book.engines["row"] == "Early (line 2) writes x, which is read above it by Late"
    assert book.decide({}).fired == ("Early", "Late")
    assert one("\n".join(reversed(text.splitlines()))).engines["row"] == ""
