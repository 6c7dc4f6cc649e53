"""A right rulebook is looked through: each finding is true, names rule and place, and says what to do."""

from __future__ import annotations

import pytest
from rules_world import PUBLISHED, PURCHASING, one

from restock.engine.rules import FactRulebook
from restock.engine.rules.fact_lint import fact_lint
from restock.engine.rules.finding import Finding
from restock.engine.rules.lint import lint

HEAD = """input a: integer in 0..100;
input b: integer in 0..100;
input f: bool;
output x: integer in 0..100;
output word: text;
output z: integer in 0..100;
rule Last salience -9 no-loop { when a == 1 && b == 2 && f then z = 1; }
"""


def findings(rules: str) -> list[Finding]:
    return [found for found in lint(one(HEAD + rules)) if found.kind != "unused"]


def only(rules: str) -> str:
    (found,) = findings(rules)
    assert found.remedy.endswith(".")
    return f"{found.place.line}:{found.place.column} {found.severity} {found.kind}: {found.rule}: {found.message}"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            "rule R no-loop { when a > 100 then x = 1; }",
            "8:25 warning dead rule: R: never fires: a > 100 is never true.",
        ),
        (
            "rule R no-loop { when f && a > 5 && a < 3 then x = 1; }",
            "8:39 warning dead rule: R: never fires: a > 5 and a < 3 exclude one another.",
        ),
        (
            'rule R no-loop { when word == "aproved" then x = 1; }',
            '8:28 warning dead rule: R: never fires: word == "aproved" is never true.',
        ),
        (
            "rule R no-loop { when a >= 0 then x = 1; }",
            "8:25 note always true: R: a >= 0 is always true here.",
        ),
        (
            "rule R no-loop { when a > 5 && a > 3 then x = 1; }",
            "8:34 note always true: R: a > 3 is always true here.",
        ),
        (
            "rule R no-loop { when a > 5 then x = 0; }",
            "8:34 note dead write: R: x is this already: no rule above sets it.",
        ),
        (
            "rule R salience 2 no-loop { when a > 5 then x = 1; }\nrule S no-loop { when a > 3 then x = 2; }",
            "8:45 warning dead write: R: what it sets x to never counts: S (line 9) always sets it again.",
        ),
        (
            "rule R salience 2 no-loop { when f then x = 1; }\nrule S no-loop { when x == 1 then x = 2; z = 3; }",
            "",
        ),
        (
            "rule R no-loop { when a > 5 then x = 1; x = 2; }",
            "8:34 warning dead write: R: what it sets x to never counts: R (line 8) always sets it again.",
        ),
        (
            "rule R no-loop { when a > 5 then x = 1; }\nrule S no-loop { when a < 5 then x = 2; }",
            "8:1 warning gap: R: no rule sets x where a == 5.",
        ),
        (
            "rule R no-loop { when a > 50 then x = 1; }\nrule S no-loop { when a < 20 then x = 2; }",
            "8:1 note gap: R: no rule sets x where a is from 20 to 50.",
        ),
        ("rule R no-loop { when a > 5 then x = 1; }\nrule S no-loop { when a < 6 then x = 2; }", None),
        ("rule R no-loop { when a == 1 then x = 1; }\nrule S no-loop { when a == 3 then x = 2; }", ""),
        ("rule R no-loop { when a > 5 && f then x = 1; }\nrule S no-loop { when a < 5 then x = 2; }", ""),
        (
            "rule R { when x < 9 && f then x = x + 1; }",
            "8:1 warning loop: R: R (line 8) writes x, which its own condition reads, and is not no-loop;"
            " the rules need forward chaining.",
        ),
        (
            "rule R no-loop { when f then x = 1; }\nrule S no-loop { when b > 1 then x = 2; }",
            "9:1 warning overlap: S: R (line 8) and S (line 9) have the same salience 0, can both be true, and share x;"
            " the rules need forward chaining.",
        ),
        (
            "rule R salience 1 no-loop { when x > 1 then z = 1; }\nrule S no-loop { when f then x = 2; }",
            "9:1 warning order: S: S (line 9) writes x, which is read above it by R; the rules need forward chaining.",
        ),
    ],
)
def test_what_can_hardly_be_meant_is_found(rules: str, expected: str | None) -> None:
    if expected is None:
        assert {found.kind for found in findings(rules)} == {"overlap"}
    elif expected:
        assert only(rules) == expected
    else:
        assert [found for found in findings(rules) if found.severity == "warning"] == []


def test_fields_that_nobody_uses_are_named() -> None:
    book = one(
        "input a: integer;\ninput unused: bool;\noutput x: integer;\noutput y: bool;\nrule R { when a > 1 then x = 1; }"
    )
    assert [found.message for found in lint(book)] == [
        "The input 'unused' is never read.",
        "No rule sets the output 'y'; it is always its default.",
    ]


def test_the_shipped_rulebooks_have_no_warning() -> None:
    for book in (PUBLISHED, PURCHASING):
        assert [found for found in lint(book) if found.severity == "warning"] == []


def test_a_gap_at_a_threshold_of_the_default_rules_is_found() -> None:
    text = PURCHASING.text.replace("(total_amount >= 50000)", "(total_amount > 50000)")
    warnings = [found.message for found in lint(one(text)) if found.severity == "warning"]
    assert warnings == ["no rule sets final_amount where total_amount == 50000."]


@pytest.mark.parametrize(
    ("rule", "loops"),
    [
        ("rule A { when $o: Order(total > 0) then $o.total = $o.total + 1; }", ["A"]),
        ("rule A no-loop { when $o: Order(total > 0) then $o.total = $o.total + 1; }", []),
        ("rule A { when $o: Order(tags count > 0) then $o.tags += 'x'; }", ["A"]),
        ("rule A { when $o: Order(open == true) then $o.open = false; }", []),
        ("rule A { when $o: Order(x > 0) then $o.total = $o.total + 1; }", []),
    ],
)
def test_a_rule_over_facts_that_feeds_its_own_condition_is_told(rule: str, loops: list[str]) -> None:
    found = fact_lint(FactRulebook.parse(rule, "facts.grl"))
    assert [one.rule for one in found] == loops
