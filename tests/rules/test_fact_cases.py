"""Cases of rules over facts: documents in, outputs and fields of facts out, on both engines."""

from __future__ import annotations

import pytest
from rules_world import one

from restock.core.errors import InvalidInput
from restock.engine.rules.case_file import read_cases
from restock.engine.rules.case_run import run_cases
from restock.engine.rules.fact_cases import run_fact_cases
from restock.engine.rules.fact_rulebook import FactRulebook

BOOK = FactRulebook.parse(
    """input limit: integer;
output seen: integer;
rule Large no-loop { when $o: Order(amount > 0) && $o.amount > limit then $o.large = true; $o.tags += "large"; }
rule Never salience -1 no-loop { when Order(amount < 0) then seen = 1; }
""",
    "facts.grl",
)


def problems(case: str) -> tuple[str, ...]:
    (result,) = run_fact_cases(BOOK, read_cases("cases:\n  - " + case.replace("\n", "\n    "), "c")).results
    return result.problems


def test_a_case_expects_outputs_fields_of_facts_and_what_fired() -> None:
    right = "name: a\nfacts: {limit: 5, Order: [{amount: 9, tags: [new]}, {amount: 2}]}\nfired: [Large]\n"
    assert (
        problems(right + "expect: {seen: 0, Order: [{large: true, tags: [new, large]}, {amount: 2, large: false}]}")
        == ()
    )
    assert problems(right + "expect: {Order: [{large: false, tags: [new]}, {amount: 2, colour: red}]}") == (
        "Order 1.large: expected false, found true",
        'Order 1.tags: expected ["new"], found ["new", "large"]',
        'Order 2.colour: expected "red", found none',
    )


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("facts: {limit: 5, Order: {amount: 9}}\nexpect: {Order: []}", "Order: expected 0 facts, found 1"),
        ("facts: {limit: 5}\nexpect: {Ordre: [{a: 1}]}", "no rule looks at facts of type Ordre"),
        ("facts: {limit: 5}\nexpect: {sen: 1}", "there is no output 'sen'; did you mean seen?"),
        ("facts: {limit: 5}\nfired: [Large]", "fired: expected also Large"),
        ("facts: {limit: 5, Order: [{}]}", "expected a decision, found an error: Order.amount"),
        ("facts: {limit: 5}\nerror: missing", 'expected an error with "missing", found a decision'),
        ("facts: {Order: []}\nerror: too long", 'expected an error with "too long", found: limit'),
        ("facts: {limit: 5}\nmodule: LINE", "rules over facts are run as a whole"),
        ("facts: {limit: 5}\nbreaks: {x: why}", "rules over facts have no proved invariants"),
    ],
)
def test_what_is_not_right_is_told(case: str, problem: str) -> None:
    assert [found for found in problems("name: a\n" + case) if found.startswith(problem)]


def test_rules_that_no_case_shows_both_ways_are_named() -> None:
    cases = read_cases("cases:\n  - {name: a, facts: {limit: 5, Order: [{amount: 9}]}}", "c")
    report = run_fact_cases(BOOK, cases)
    assert report.unseen == ("facts.grl: Large fires in every case", "facts.grl: Never never fires")
    assert report.coverage.rules_seen == 0


def test_facts_are_no_case_of_rules_over_one_set_of_fields() -> None:
    book = one("rule R no-loop { when x > 1 then y = 1; }")
    (result,) = run_cases(book, read_cases("cases:\n  - {name: a, facts: {x: [{a: 1}]}}", "c")).results
    assert result.problems == ("'x' is a list of facts, and these rules decide one set of fields",)


@pytest.mark.parametrize("facts", ["[1, 2]", "[{a: {b: 1}}]", "[[1]]", "{a: [{b: 1}]}"])
def test_deeper_facts_are_refused_at_their_place(facts: str) -> None:
    with pytest.raises(InvalidInput, match=r"c:2:"):
        read_cases(f"cases:\n  - {{name: a, facts: {{Order: {facts}}}}}", "c")
