"""What the solver finds in a right rulebook is proved, and what the published rules are known for is among it."""

from __future__ import annotations

import pytest
from rules_world import PUBLISHED, PURCHASING, one

from restock.engine.rules.proof.lint import deep_lint

HEAD = "input a: integer in 0..100;\ninput b: integer in 0..100;\ninput f: bool;\n"


def test_the_known_weak_places_of_the_published_rules_are_found() -> None:
    found = {(one_.rule, one_.kind, one_.place.line) for one_ in deep_lint(PUBLISHED)}
    assert ("ValidateSupplierActive", "dead write", 18) in found
    assert ("OrderMOQWhenShortageIsLess", "always true", 24) in found
    assert ("CreatePurchaseOrderIfApproved", "always true", 108) in found


def test_the_shipped_rulebooks_have_notes_and_no_warning() -> None:
    for book in (PUBLISHED, PURCHASING):
        assert {one_.severity for one_ in deep_lint(book)} == {"note"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            "rule R no-loop { when a + b > 150 && a < 50 then x = 1; }",
            ["R: never fires: no input makes its condition true."],
        ),
        (
            "rule R no-loop { when a > 90 && a + b > 80 then x = 1; }",
            ["R: a + b > 80 is always true where the rest of the condition is."],
        ),
        (
            "rule R salience 1 no-loop { when a > b then x = 1; }\nrule S no-loop { when a + 1 > b then x = 2; }",
            [
                "R: what it sets x to never counts: it is always set again before it is read.",
                "S: it and R (line 4) can both set x in one decision; this one wins.",
            ],
        ),
        (
            "rule R salience 1 no-loop { when f then x = 1; y = 2; }\nrule S no-loop { when x == 1 then y = 2; }",
            [
                "R: what it sets y to never counts: it is always set again before it is read.",
                "S: it and R (line 4) can both set y in one decision; this one wins.",
                "S: y is always this already.",
            ],
        ),
        ("rule R no-loop { when a > 90 && b > 5 then x = a; }", []),
    ],
)
def test_a_finding_is_a_proof(rules: str, expected: list[str]) -> None:
    assert [f"{one_.rule}: {one_.message}" for one_ in deep_lint(one(HEAD + rules))] == expected
