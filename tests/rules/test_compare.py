"""Rulebooks compared for all inputs, facts at every threshold, and the smallest change that decides otherwise."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rules_world import PUBLISHED, PURCHASING, golden_facts, one, product

from restock.core.errors import InvalidInput
from restock.engine.rules import Rulebook
from restock.engine.rules.case_file import Case
from restock.engine.rules.case_run import run_cases
from restock.engine.rules.ir import Compare, conjuncts, kind_of
from restock.engine.rules.proof import boundaries as boundaries_module
from restock.engine.rules.proof.boundaries import boundaries
from restock.engine.rules.proof.difference import compare
from restock.engine.rules.proof.smallest_change import smallest_changes

DROPPED = (" && (is_active == true)\n    then\n        order_qty", "\n    then\n        order_qty")


def edited(book: Rulebook, old: str, new: str) -> Rulebook:
    changed = Rulebook.parse(book.text.replace(old, new), "edited.grl")
    assert changed.version != book.version
    return changed


@pytest.mark.parametrize("book", [PUBLISHED, PURCHASING], ids=lambda book: book.name)
def test_a_rulebook_is_the_same_as_itself_in_other_words(book: Rulebook) -> None:
    other = edited(book, "(total_amount >= 50000)", "!(total_amount < 50000)")
    found = compare(book, other)
    assert (found.outcome, found.rules, found.facts) == ("same", ("ApplyBulkDiscount",), {})


def test_a_condition_that_nothing_depends_on_is_proved_to_change_nothing() -> None:
    found = compare(PUBLISHED, edited(PUBLISHED, *DROPPED))
    assert found.outcome == "same"
    assert found.rules == ("OrderMOQWhenShortageIsLess", "OrderShortageWhenAboveMOQ")


@pytest.mark.parametrize("book", [PUBLISHED, PURCHASING], ids=lambda book: book.name)
def test_a_moved_threshold_shows_itself_exactly_there(book: Rulebook) -> None:
    other = edited(book, "(total_amount >= 50000)", "(total_amount > 50000)")
    found = compare(book, other)
    assert found.outcome == "differs"
    assert found.first["total_amount"] == found.second["total_amount"] == 50_000
    assert (found.first["grand_total"], found.second["grand_total"]) == (48_600, 0)
    assert book.decide(found.facts).outputs == found.first
    assert other.decide(found.facts).outputs == found.second


def test_an_error_on_one_side_is_a_difference() -> None:
    head = "input a: integer in 0..9;\noutput x: integer in 0..9;\n"
    first = one(head + "rule R no-loop { when a > 1 then x = a; }")
    second = one(head.replace("x: integer in 0..9", "x: integer in 0..8") + "rule R no-loop { when a > 1 then x = a; }")
    found = compare(first, second)
    assert (found.outcome, found.facts, found.first) == ("differs", {"a": 9}, {"x": 9})
    assert "outside 0..8" in str(found.second["error"])


def test_what_is_not_compared_is_said() -> None:
    first = one("input a: integer in 0..9;\noutput x: integer;\nrule R no-loop { when a > 1 then x = a; }")
    second = one(
        "input a: integer in 0..5;\noutput x: integer;\noutput y: bool;\nrule R no-loop { when a > 1 then x = a; y = true; }"
    )
    found = compare(first, second)
    assert found.outcome == "same"
    assert set(found.notes) == {
        "'a' has another range or other decimals; compared where both accept it",
        "only test.grl has the output y",
    }


def test_a_comparison_without_an_answer_is_unknown() -> None:
    head = "".join(f"input {name}: integer in 1..1000000;\n" for name in "abc")
    first = one(head + "rule R no-loop { when a * a * a + b * b * b == c * c * c then x = 1; }")
    second = one(head + "output x: integer;\nrule R no-loop { when a == 0 && b + c > 0 then x = 1; }")
    assert compare(first, second, seconds=1).outcome == "unknown"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_condition_of_the_published_rules_has_facts_at_below_and_above_its_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boundaries_module, "SECONDS", 30)  # what is asked is what can be shown, not how soon
    vectors = boundaries(PUBLISHED)
    numbers = [
        (rule, at)
        for rule in PUBLISHED.program.rules
        for at, test in enumerate(conjuncts(rule.condition))
        if isinstance(test, Compare) and kind_of(test.left) == "number"
    ]
    assert len([one_ for one_ in vectors if one_.side in ("below", "at", "above")]) == 3 * len(numbers)
    assert {one_.reached for one_ in vectors} == {"yes", "no"}
    unreached = [(one_.rule, one_.test, one_.side) for one_ in vectors if one_.reached == "no"]
    assert len(unreached) == 8
    assert ("OrderMOQWhenShortageIsLess", "is_active == true", "false") in unreached


def test_boundary_facts_cover_all_that_can_be_covered() -> None:
    vectors = boundaries(PUBLISHED)
    cases = [Case(str(at), one_.facts) for at, one_ in enumerate(vectors) if one_.facts]
    report = run_cases(PUBLISHED, cases)
    assert report.coverage.rules_seen == 15
    assert {line.rpartition(": ")[2] for line in report.unseen} <= {
        "is_active == true is never false",
        "order_qty > 0 is never false",
    }


def test_the_smallest_change_that_needs_a_person_is_found_for_each_input() -> None:
    facts = product(required_qty=100, unit_price=90)
    changes = {tuple(one_.inputs): one_ for one_ in smallest_changes(PURCHASING, facts, "approval_status", "pending")}
    price = changes["unit_price",]
    assert price.inputs["unit_price"] == (Decimal(90), Decimal("100.0001"))
    assert price.outputs["total_amount"] == Decimal("10000.01")
    required = changes["required_qty",]
    assert required.inputs["required_qty"][1] == Decimal("111.000001")
    for one_ in changes.values():
        after = facts | {name: new for name, (_, new) in one_.inputs.items()}
        assert PURCHASING.decide(after).outputs == one_.outputs
        assert one_.outputs["approval_status"] == "pending"


def test_another_outcome_than_now_is_found_and_the_smallest_comes_first() -> None:
    changes = smallest_changes(PUBLISHED, golden_facts("A-002"), "should_create_po")
    assert [one_.size for one_ in changes] == sorted(one_.size for one_ in changes)
    assert {one_.outputs["should_create_po"] for one_ in changes} == {False}
    assert {name for one_ in changes for name in one_.inputs} == {
        "required_qty",
        "is_active",
        "unit_price",
        "available_qty",
    }


def test_there_is_no_change_to_what_is_already_or_can_never_be() -> None:
    assert smallest_changes(PUBLISHED, golden_facts("A-002"), "approval_status", "auto_approved") == []
    assert smallest_changes(PUBLISHED, golden_facts("A-002"), "approval_status", "no such status") == []
    with pytest.raises(InvalidInput, match="Did you mean approval_status"):
        smallest_changes(PUBLISHED, golden_facts("A-002"), "aproval_status")
