"""The nine published defects of the rule engine, on the engines that run rules over facts: none of them is here."""

from __future__ import annotations

from decimal import Decimal

import pytest

from restock.engine.rules import RuleError
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import Network


def book(text: str) -> FactRulebook:
    return FactRulebook.parse(text, "defects.grl")


def test_defect_1_a_warm_rulebook_fires_no_loop_rules_each_time() -> None:
    found = book("rule R no-loop { when $o: Order(amount > 1) then $o.seen = true; n = n + 1; }")
    first = found.decide({"Order": [{"amount": 2}, {"amount": 3}]})
    assert first.outputs["n"] == 2
    assert found.decide({"Order": [{"amount": 2}, {"amount": 3}]}) == first


def test_defect_2_numbers_are_equal_in_tests_joins_and_lists_however_they_are_written() -> None:
    found = book(
        "rule R { when $a: A(x == 5.0) && $b: B(y == $a.x, y in [5]) && $c: C(z == $b.y) then $c.hit = true; }"
    )
    document = {"A": [{"x": 5}], "B": [{"y": "5.00"}], "C": [{"z": Decimal("5.0")}]}
    assert found.decide(document).fired == ("R",)
    network = Network(found)
    for kind, facts in document.items():
        network.insert(kind, facts[0])
    assert network.fire_all() == ("R",)


def test_defect_3_arithmetic_over_facts_has_parentheses_and_signs() -> None:
    found = book("rule R no-loop { when $a: A((x + 1) * -2 < -4) then $a.y = -($a.x + 2) * 3 - -1; }")
    assert found.decide({"A": [{"x": 2}]}).facts["A"][0]["y"] == -11


def test_defect_4_operators_inside_texts_of_patterns_are_text() -> None:
    text = "a && b > c; d = 'e' || $x: T(1)}"
    found = book(f'rule R {{ when $a: A(s == "{text}") then $a.t = "x; y = 1 && z"; Log("retract($a); }}"); }}')
    assert found.decide({"A": [{"s": text}]}).facts["A"][0]["t"] == "x; y = 1 && z"


def test_defect_5_no_loop_false_negative_salience_and_salience_in_braces_count() -> None:
    found = book(
        "rule Low salience -5 { when $a: A(x > 0) then low = true; }"
        "rule High { salience 7 when $a: A(x > 0) then high = true; }"
        "rule Again no-loop false { when $a: A(x < 3) then $a.x = $a.x + 1; }"
    )
    assert found.decide({"A": [{"x": 1}]}).fired == ("High", "Again", "High", "Again", "High", "Low")


def test_defect_6_matches_means_the_same_on_agenda_and_network() -> None:
    found = book('rule R { when $a: A(s matches "a*z") then $a.hit = true; }')
    network = Network(found)
    handles = {text: network.insert("A", {"s": text}) for text in ("az", "abz", "a", "za", "xaz")}
    network.fire_all()
    decided = {fact["s"]: fact["hit"] for fact in found.decide({"A": [{"s": text} for text in handles]}).facts["A"]}
    assert decided == {text: network.fact(handle)["hit"] for text, handle in handles.items()}
    assert [text for text, hit in decided.items() if hit] == ["az", "abz"]


def test_defect_7_a_test_protects_the_division_behind_it() -> None:
    found = book('rule R { when $a: A(y != 0 && round(x / y, 1) > 1) then $a.hit = true; Log("größer", $a.x, "📦"); }')
    assert found.decide({"A": [{"x": 3, "y": 0}, {"x": 3, "y": 2}]}).fired == ("R",)
    network = Network(found)
    network.insert("A", {"x": 3, "y": 0})
    network.insert("A", {"x": 3, "y": 2})
    assert network.fire_all() == ("R",)


def test_defect_8_a_thousand_firings_are_no_limit_and_a_loop_is_named() -> None:
    network = Network(book('rule R { when $a: A(kind == "k", x > 1) then $a.hit = true; }'))
    for at in range(5_000):
        network.insert("A", {"kind": "k", "x": at})
    assert len(network.fire_all()) == 4_998
    looping = Network(book("rule Loop { when $a: A(x < 5) then $a.x = $a.x % 2 - 1; }"))
    looping.insert("A", {"x": 0})
    with pytest.raises(RuleError, match="do not settle within 10000 firings; still firing: Loop"):
        looping.fire_all()


def test_defect_9_accumulate_first_last_and_fields_in_actions_work() -> None:
    found = book(
        "rule R no-loop { when $a: A(tags first $f, tags last $l) && $s: accumulate(B($v: y, y > 1), sum($v))"
        " then $a.first = $f; $a.last = $l; $a.total = $s + $a.x; }"
    )
    document = {"A": [{"x": 1, "tags": ["p", "q", "r"]}], "B": [{"y": 1}, {"y": 2}, {"y": 3}]}
    fact = found.decide(document).facts["A"][0]
    assert (fact["first"], fact["last"], fact["total"]) == ("p", "r", 6)
