"""Cases beside a rulebook: they run on every engine, say what came out otherwise, and what they do not show."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rules_world import PUBLISHED, PUBLISHED_TEXT, PURCHASING, RULEBOOKS, one

from restock.core.errors import InvalidInput
from restock.engine.rules import Rulebook
from restock.engine.rules.case_file import Case, read_cases, write_case
from restock.engine.rules.case_run import Report, run_cases
from restock.engine.rules.proof.exceptions import with_exceptions
from restock.engine.rules.proof.invariants import Proof, prove

SHIPPED = {
    book.name: (book, read_cases((RULEBOOKS / book.name.replace(".grl", ".cases.yaml")).read_text("utf-8"), book.name))
    for book in (PUBLISHED, PURCHASING)
}

TEXT = """input a: integer in 0..9;
output x: integer in 0..9;
invariant "x is small": x <= 5;
rule Copy no-loop { when a > 2 && a != 4 then x = a; }
"""


def report(cases: str, text: str = TEXT) -> Report:
    return run_cases(one(text), read_cases(f"cases:\n{cases}", "test.cases.yaml"))


def problems(case: str) -> tuple[str, ...]:
    return report(f"  - {{name: it, {case}}}\n").results[0].problems


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_cases_are_right_and_show_every_rule_firing_and_not(name: str) -> None:
    book, cases = SHIPPED[name]
    done = run_cases(book, cases)
    assert [result for result in done.results if result.problems] == []
    assert done.coverage.rules_seen == len(book.rules)


def test_the_rules_as_published_stand_byte_for_byte_before_what_they_promise() -> None:
    import hashlib

    rules, found, _ = PUBLISHED_TEXT.partition("\n// What the rules must keep")
    assert found
    assert hashlib.sha256(rules.encode()).hexdigest() == PUBLISHED_HASH


PUBLISHED_HASH = "a319cdc8f8828f4f852371b31c2a522c6be7234f8ed475f80d9ccae902febc5c"


def test_the_published_rulebook_has_two_known_exceptions_and_no_other_failure() -> None:
    proofs = with_exceptions(PUBLISHED, prove(PUBLISHED), SHIPPED["published.grl"][1])
    assert not any(proof.fails for proof in proofs)
    assert [proof.invariant for proof in proofs if proof.outcome == "known exception"] == [
        "the quantity is a whole multiple of the minimum",
        "no quantity and no amount is negative",
    ]


def test_a_new_failure_is_no_exception() -> None:
    book = Rulebook.parse(PUBLISHED_TEXT.replace("total_amount <= 10000", "total_amount <= 20000"), "published.grl")
    proofs = with_exceptions(book, prove(book), SHIPPED["published.grl"][1])
    failed = [proof for proof in proofs if proof.fails]
    assert [(proof.invariant, proof.outcome) for proof in failed] == [
        ("no order above 10,000 is approved automatically", "counterexample")
    ]


def judged(book: Rulebook, **facts: int) -> Proof:
    case = Case("it", {name: Decimal(value) for name, value in facts.items()}, breaks={"x is small": "on purpose"})
    (proof,) = with_exceptions(book, prove(book), [case])
    return proof


def test_an_exception_that_its_example_does_not_show_does_not_count() -> None:
    assert judged(one(TEXT), a=7).outcome == "known exception"
    unshown = judged(one(TEXT), a=3)
    assert (unshown.outcome, unshown.reason) == (
        "counterexample",
        "the example of the case 'it' does not show it any more",
    )
    undecided = judged(one(TEXT), a=70)
    assert undecided.fails and "cannot be decided" in undecided.reason


def test_an_exception_to_what_is_proved_is_stale() -> None:
    proof = judged(one(TEXT.replace("x <= 5", "x <= 9")), a=7)
    assert (proof.outcome, proof.fails) == ("stale exception", True)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("facts: {a: 3}, expect: {x: 3}, fired: [Copy]", ()),
        ("facts: {a: 3}, expect: {x: 4}", ("x: expected 4, found 3",)),
        ("facts: {a: 3}, expect: {x: '3'}", ('x: expected "3", found 3',)),
        ("facts: {a: 3}, expect: {xx: 3}", ("there is no output 'xx'; did you mean x?",)),
        ("facts: {a: 3}, fired: []", ("fired: did not expect Copy",)),
        ("facts: {a: 0}, fired: [Copy]", ("fired: expected also Copy",)),
        ("facts: {a: 7}", ('the invariant "x is small" does not hold: it is false',)),
        ("facts: {a: 7}, breaks: {x is small: on purpose}", ()),
        (
            "facts: {a: 3}, breaks: {x is small: on purpose}",
            ('the invariant "x is small" holds here: take it out of breaks',),
        ),
        ("facts: {a: 3}, breaks: {x is smal: y}", ('there is no invariant "x is smal"; did you mean "x is small"?',)),
        ("facts: {a: 10}, error: outside 0 to 9", ()),
        ("facts: {a: 3}, error: outside", ('expected an error with "outside", found a decision',)),
        ("facts: {}", ("expected a decision, found an error: a: This input is missing. Give a value.",)),
    ],
)
def test_a_case_says_what_came_out_otherwise(case: str, expected: tuple[str, ...]) -> None:
    assert problems(case) == expected


def test_what_no_case_shows_is_named_with_its_place() -> None:
    done = report("  - {name: one, facts: {a: 3}}\n")
    assert done.unseen == (
        "test.grl:4:1: Copy fires in every case",
        "test.grl:4:1: Copy: a > 2 is never false",
        "test.grl:4:1: Copy: a != 4 is never false",
    )
    whole = report("".join(f"  - {{name: '{a}', facts: {{a: {a}}}}}\n" for a in (2, 3, 4)))
    assert whole.unseen == ()
    assert report("  - {name: one, facts: {a: 0}}\n").unseen == ("test.grl:4:1: Copy never fires",)


def test_coverage_follows_rules_that_need_several_cycles() -> None:
    text = "rule Late { when x >= 2 then y = 1; }\nrule Up { when x < a then x = x + 1; }\n"
    done = report("  - {name: one, facts: {a: 2}, expect: {x: 2, y: 1}}\n", text)
    assert done.results[0].problems == ()
    assert done.unseen[:2] == ("test.grl:1:1: Late fires in every case", "test.grl:2:1: Up fires in every case")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cases: 3", "test.cases.yaml:1:8: 'cases' must be a list"),
        ("other: []", "must have one key, 'cases'"),
        ("cases: [{facts: {}}]", "has no 'name'"),
        ("cases: [{name: a}]", "has no 'facts'"),
        ("cases: [{name: a, facts: {}, fact: {}}]", "Did you mean facts?"),
        ("cases: [{name: a, facts: {}}, {name: a, facts: {}}]", "already a case 'a' at line 1"),
        ("cases: [{name: a, facts: {b: 1, b: 2}}]", "'b' is given twice"),
        ("cases: [{name: a, facts: {b: [1]}}]", "A fact of 'b' must be a mapping"),
        ("cases: [", "This is not YAML"),
    ],
)
def test_a_wrong_file_of_cases_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_cases(text, "test.cases.yaml")


def test_numbers_in_cases_are_exact_and_a_written_case_reads_back() -> None:
    facts = {"price": Decimal("0.1"), "big": Decimal("12345678901234567890.123"), "flag": True, "word": 'say "no": #1'}
    case = Case("a: b", facts, expect={"x": Decimal(-3)})
    (read,) = read_cases("cases:\n" + write_case(case), "x")
    assert (read.name, read.facts, read.expect) == (case.name, case.facts, case.expect)


def test_a_tag_in_a_file_of_cases_calls_nothing() -> None:
    text = "cases: [{name: a, facts: !!python/object/apply:os.abort {}}]"
    assert read_cases(text, "x")[0].facts == {}


MUTATIONS = [
    ("total_amount <= 10000", "total_amount <= 10001"),
    ("total_amount > 10000)", "total_amount > 10001)"),
    ("total_amount >= 50000", "total_amount >= 49999"),
    ("total_amount < 50000", "total_amount < 50001"),
    ("* 0.08", "* 0.09"),
    ("* 0.1,", "* 0.2,"),
    ("ceil(max", "floor(max"),
    ("ceil(moq", "floor(moq"),
    ("round(purchase_qty * unit_price, 2, half_up) ==", "round(purchase_qty * unit_price, 2, down) =="),
    (
        "total_amount = round(purchase_qty * unit_price, 2, half_up)",
        "total_amount = round(purchase_qty * unit_price, 2, up)",
    ),
    ("total_amount * 0.1, 2, half_up", "total_amount * 0.1, 2, down"),
    ("final_amount * 0.08, 2, half_up", "final_amount * 0.08, 2, down"),
    ("(shortage > 0) && (shortage < moq", "(shortage >= 0) && (shortage < moq"),
    ("(shortage > 0) && (is_active == true) && (unit_price", "(shortage >= 0) && (is_active == true) && (unit_price"),
    ('po_status = "approved"', 'po_status = "pending_approval"'),
]


@pytest.mark.parametrize("edit", MUTATIONS, ids=[new for _, new in MUTATIONS])
def test_a_slip_in_the_default_rules_breaks_a_case_or_an_invariant(edit: tuple[str, str]) -> None:
    old, new = edit
    assert PURCHASING.text.count(old) == 1
    book = one(PURCHASING.text.replace(old, new))
    caught = run_cases(book, SHIPPED["purchasing.grl"][1]).failed or any(proof.fails for proof in prove(book))
    assert caught
