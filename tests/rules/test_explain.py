"""An explanation tells what fired with its values, what did not and why, and how far the next threshold is."""

from __future__ import annotations

from decimal import Decimal

from rules_world import PURCHASING, one, product, rule

D = Decimal


def test_what_fired_is_told_with_what_it_read_and_wrote() -> None:
    explanation = PURCHASING.explain(product(required_qty="88.5", moq=20, order_multiple=20, unit_price="15.99"))
    order = next(found for found in explanation.fired if found.name == "OrderShortageWhenAboveMOQ")
    assert order.reads["shortage"] == D("88.5")
    assert order.writes == {"order_qty": D(100), "purchase_qty": D(100)}
    assert [found.name for found in explanation.fired] == list(PURCHASING.decide(explanation.facts).fired)
    assert explanation.outputs == PURCHASING.decide(explanation.facts).outputs


def test_what_did_not_fire_is_told_with_its_first_false_condition_and_value() -> None:
    explanation = PURCHASING.explain(product(unit_price="102.124"))
    auto = next(found for found in explanation.not_fired if found.name == "AutoApproveOrders")
    assert (auto.test, auto.values) == ("total_amount <= 10000", {"total_amount": D("10212.4")})
    assert auto.threshold is not None
    assert auto.threshold.sentence == "AutoApproveOrders fires if total_amount falls by 212.4."
    assert explanation.thresholds[0] == auto.threshold or explanation.thresholds[0].difference <= D("212.4")


def test_every_rule_is_either_fired_or_not() -> None:
    explanation = PURCHASING.explain(product())
    names = [found.name for found in (*explanation.fired, *explanation.not_fired)]
    assert sorted(names) == sorted(found.name for found in PURCHASING.rules)


def test_thresholds_tell_direction_and_whether_the_bound_counts() -> None:
    text = "".join(
        rule(f"when {test} then y{at} = 1;", name=f"R{at}")
        for at, test in enumerate(("x > 5", "x >= 5", "1 > x", "x == 7", "x + 1 > 9"))
    )
    sentences = [found.threshold.sentence for found in one(text).explain({"x": 2}).not_fired if found.threshold]
    assert sentences == [
        "R0 fires if x rises by more than 3.",
        "R1 fires if x rises by 3.",
        "R2 fires if x falls by more than 1.",
        "R3 fires if x rises to 7.",
        "R4 fires if the number in 'x + 1 > 9' rises by more than 6.",
    ]
