"""Proofs, comparisons, examples and cases of rulebooks with inputs that may be absent; and facts beside such inputs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rules_world import one

from restock.engine.rules import RuleError
from restock.engine.rules.case_file import read_cases
from restock.engine.rules.case_run import run_cases
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.lint import lint
from restock.engine.rules.network import decide as decide_on_network

pytest.importorskip("z3")

from restock.engine.rules.proof.boundaries import boundaries
from restock.engine.rules.proof.difference import compare
from restock.engine.rules.proof.invariants import prove
from restock.engine.rules.proof.smallest_change import smallest_changes

LIMITED = """input total: decimal(9,2) in 0..99999;
input limit: decimal(9,2) in 1..99999 optional;
output approved: bool;
invariant "never above a limit": !(approved && total > limit);
invariant "only with a limit": !approved || has(limit);
rule R no-loop { when total <= limit then approved = true; }
"""


def test_invariants_over_an_absent_input_are_proved() -> None:
    assert [proof.outcome for proof in prove(one(LIMITED))] == ["proved", "proved"]


def test_a_counterexample_leaves_out_what_is_absent() -> None:
    loose = LIMITED.replace("when total <= limit", "when total <= limit || (limit == null && total < 5)")
    proofs = prove(one(loose))
    assert [proof.outcome for proof in proofs] == ["proved", "counterexample"]
    assert proofs[1].facts == {"total": 0}


def test_a_difference_is_found_where_the_input_is_absent() -> None:
    other = one(LIMITED.replace("when total <= limit", "when !(total > limit)"))
    found = compare(one(LIMITED), other)
    assert found.outcome == "differs"
    assert "limit" not in found.facts
    assert (found.first["approved"], found.second["approved"]) == (False, True)


def test_a_rulebook_that_demands_the_input_is_compared_where_it_is_given() -> None:
    demanding = one(
        LIMITED.replace(" optional", "").replace('invariant "only with a limit": !approved || has(limit);\n', "")
    )
    found = compare(one(LIMITED), demanding)
    assert (found.outcome, found.notes) == (
        "same",
        ("'limit' may be absent in test.grl only; compared where it is given",),
    )


def test_the_smallest_change_may_give_or_take_an_input() -> None:
    changes = smallest_changes(one(LIMITED), {"total": 10}, "approved")
    assert changes[0].inputs == {"limit": (None, Decimal(10))}
    away = smallest_changes(one(LIMITED), {"total": 10, "limit": 20}, "approved")
    assert {"limit": (Decimal(20), None)} in [change.inputs for change in away]


def test_boundaries_have_the_input_there_and_absent() -> None:
    found = {(vector.test, vector.side): vector for vector in boundaries(one(LIMITED))}
    assert found["has(limit)", "false"].facts == {"total": 0}
    assert found["total <= limit", "at"].facts.keys() == {"total", "limit"}


def test_cases_cover_both() -> None:
    text = """cases:
  - name: no limit
    facts: {total: 5}
    expect: {approved: false}
  - name: below
    facts: {total: 5, limit: 6}
    expect: {approved: true}
  - name: above
    facts: {total: 7, limit: 6}
    expect: {approved: false}
"""
    report = run_cases(one(LIMITED), read_cases(text, "x.cases.yaml"))
    assert (report.failed, report.unseen) == (0, ())


def test_an_input_that_is_only_asked_for_is_used() -> None:
    book = one("input x: integer optional;\noutput b: bool;\nrule R no-loop { when has(x) then b = true; }")
    assert [finding.kind for finding in lint(book)] == []


FACTS = """input limit: integer optional;
input Order.note: text optional;
output large: integer;
output noted: bool;
rule Large no-loop { when $o: Order() && $o.total > limit then large = large + 1; }
rule Unlimited no-loop { when limit == null && exists(Order(total > 0)) then large = 99; }
rule Noted no-loop { when Order(note == "x") then noted = true; }
"""


@pytest.mark.parametrize("decide", [FactRulebook.decide, decide_on_network])
def test_rules_over_facts_know_flat_inputs_that_may_be_absent(decide: object) -> None:
    book = FactRulebook.parse(
        FACTS.replace("input Order.note", "input Order.total: integer; input Order.note"), "f.grl"
    )
    assert callable(decide)
    orders = [{"total": 5, "note": "x"}, {"total": 9}]
    assert decide(book, {"Order": orders}).outputs == {"large": 99, "noted": True}
    assert decide(book, {"Order": orders, "limit": 7}).outputs == {"large": 1, "noted": True}


def test_an_action_over_facts_may_not_read_an_absent_input_unasked() -> None:
    with pytest.raises(RuleError, match="'limit' may be absent here"):
        FactRulebook.parse(
            "input limit: integer optional;\nrule R { when $o: Order(total > 5) then $o.cap = limit; }", "f"
        )


def test_the_agenda_explains_an_absent_input() -> None:
    rule = "rule R no-loop { when $o: Order() && $o.total > limit then b = true; }"
    book = FactRulebook.parse(f"input limit: integer optional;\noutput b: bool;\n{rule}", "f")
    why = book.explain({"Order": {"total": 1}})
    assert why.facts == {"Order 1.total": 1}
    assert why.not_fired[0].values == {"has(limit)": False}
