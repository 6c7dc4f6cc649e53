"""Supplier-level rules as GROUP BY and a scalar program: the same decisions as on the agenda and on the network."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from restock.engine.rules.agenda import aggregate
from restock.engine.rules.aggregates import GroupPlan, group_plan
from restock.engine.rules.evaluator import Evaluator
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import Network
from restock.engine.rules.reference import evaluate

SUPPLIERS = """
input Supplier.id: text;
input Supplier.minimum: decimal(9,2);
input Supplier.budget: decimal(9,2);
input Supplier.open: bool;
output Supplier.total: decimal(14,2);
output Supplier.blocked: bool;
output Supplier.reason: text;
output Supplier.topUp: bool;
output Supplier.stopped: bool;
input Line.supplier: text;
input Line.amount: decimal(9,2);
input Line.approved: bool;

rule Total salience 30 no-loop {
    when $s: Supplier(open) && $t: accumulate(Line($v: amount, supplier == $s.id, approved), sum($v))
    then $s.total = $t;
}
rule BelowMinimum salience 20 no-loop {
    when $s: Supplier(total > 0, total < minimum) then $s.topUp = true;
}
rule OverBudget salience 10 no-loop {
    when $s: Supplier(total > budget) && exists(Line(supplier == $s.id, !approved))
    then $s.blocked = true; $s.reason = "budget";
}
rule BigLine no-loop {
    when $s: Supplier(!blocked) && $m: accumulate(Line($v: amount, $s.id == supplier), max($v)) && test($m > 90)
    then $s.stopped = true; $s.reason = "line";
}
"""


def book(text: str) -> FactRulebook:
    return FactRulebook.parse(text, "groups.grl")


def grouped(
    plan: GroupPlan, evaluator: Evaluator, facts: dict[str, list[dict[str, object]]]
) -> list[dict[str, object]]:
    """Do what a database would: aggregate by key, join, decide each row."""
    rows = []
    for fact in facts[plan.type]:
        row = dict(fact)
        for one in plan.aggregates:
            members = [
                evaluate(one.value, member)
                for member in facts[one.type]
                if all(evaluate(test, member) for test in one.filters)
                and all(evaluate(left, member) == evaluate(right, fact) for left, right in one.keys)
            ]
            row[one.name] = aggregate(one.function, members)
        rows.append(evaluator.decide(row).outputs)
    return rows


def test_supplier_rules_decide_the_same_by_group_on_the_agenda_and_on_the_network() -> None:
    random = Random(4)
    found = book(SUPPLIERS)
    plan = group_plan(found.source, found.program)
    assert isinstance(plan, GroupPlan), plan
    assert [(one.function, one.type) for one in plan.aggregates] == [
        ("sum", "Line"),
        ("count", "Line"),
        ("max", "Line"),
        ("count", "Line"),
    ]
    evaluator = Evaluator(found.source, plan.program)
    assert evaluator.reason_against_row == ""
    for _ in range(60):
        suppliers = [
            {
                "id": f"s{at}",
                "minimum": Decimal(random.randrange(200)),
                "budget": Decimal(random.randrange(300)),
                "open": random.random() < 0.8,
            }
            for at in range(3)
        ]
        lines = [
            {
                "supplier": f"s{random.randrange(3)}",
                "amount": Decimal(random.randrange(10_000)).scaleb(-2),
                "approved": random.random() < 0.6,
            }
            for _ in range(random.randrange(8))
        ]
        facts: dict[str, list[dict[str, object]]] = {"Supplier": suppliers, "Line": lines}
        rows = grouped(plan, evaluator, facts)
        network = Network(found)
        assert network.reason == ""
        handles = [network.insert("Supplier", one) for one in suppliers]
        for one in lines:
            network.insert("Line", one)
        network.fire_all()
        for row, fact, handle in zip(rows, found.decide(facts).facts["Supplier"], handles, strict=True):
            assert row == {name: fact[name] for name in row}
            assert row == {name: network.fact(handle)[name] for name in row}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rule R { when $a: A(x > 1) && $b: B(y > 1) then $a.z = 1; }", "about 2 types"),
        ("rule R { when $a: A(x > limit) then $a.z = 1; }", ""),
        ("rule R { when $a: A() && test($a.x > limit) then $a.z = 1; }", "flat fields"),
        (
            "rule R { when $a: A() && accumulate(B($v: y, y > $a.x), sum($v)) > 1 then $a.z = 1; }",
            "not found by an equal",
        ),
        ("rule R { when $a: A(x > 1) then retract($a); }", "does more than set"),
        ("rule R { when $a: A(x > 1) && exists(B(y > 1) && C(z > 1)) then $a.z = 1; }", "more than one pattern"),
    ],
)
def test_rules_without_such_a_form_say_why(text: str, reason: str) -> None:
    found = book(text)
    plan = group_plan(found.source, found.program)
    assert isinstance(plan, GroupPlan) if not reason else reason in plan
