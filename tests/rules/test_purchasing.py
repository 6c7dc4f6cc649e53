"""The default rulebook: legal quantities, exact boundaries, two modules, and reasons instead of silence."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_world import PURCHASING, PURCHASING_TEXT, both, number, product

from restock.core.errors import InvalidInput
from restock.engine.rules import Rulebook

THREE = [
    ("15.5", 20, 7, 20, 20, "15.99", "88.5", "100", "1599"),
    ("50", 5, 5, 100, 1, "15.50", "245", "245", "3797.5"),
    ("22", 7, 5, 10, 10, "25", "103", "110", "2750"),
]


@pytest.mark.parametrize("row", THREE)
def test_the_three_products_come_out_as_promised(row: tuple[str, int, int, int, int, str, str, str, str]) -> None:
    demand, available, lead, moq, multiple, price, *expected = row
    facts = {
        "avg_daily_demand": demand,
        "available_qty": available,
        "lead_time_days": lead,
        "moq": moq,
        "order_multiple": multiple,
        "unit_price": price,
        "is_active": True,
    }
    decision = both(PURCHASING, facts)
    assert [str(decision.outputs[name]) for name in ("shortage", "order_qty", "total_amount")] == expected
    assert decision.outputs["approval_status"] == "auto_approved"
    assert len(decision.fired) == 9
    if demand == "50":
        assert [str(decision.outputs[name]) for name in ("tax_amount", "grand_total")] == ["303.8", "4101.3"]


def test_cases_are_whole_and_priced_per_case() -> None:
    decision = both(PURCHASING, product(purchase_factor=12, moq=2, unit_price="10"))
    assert [str(decision.outputs[name]) for name in ("order_qty", "purchase_qty", "total_amount")] == ["108", "9", "90"]


@pytest.mark.parametrize(
    ("price", "status", "discount"),
    [
        ("100", "auto_approved", "0"),
        ("100.0001", "pending", "0"),
        ("100.0049", "pending", "0"),
        ("499.9999", "pending", "0"),
        ("500", "pending", "5000"),
    ],
)
def test_the_boundaries_belong_where_the_rules_say(price: str, status: str, discount: str) -> None:
    decision = both(PURCHASING, product(unit_price=price))
    assert decision.outputs["approval_status"] == status
    assert str(decision.outputs["discount_amount"]) == discount


def test_what_is_on_order_is_supply() -> None:
    decision = both(PURCHASING, product(on_order_qty=100))
    assert decision.outputs["need_reorder"] is False
    assert decision.outputs["order_qty"] == 0
    assert decision.outputs["should_create_po"] is False


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_active": False}, "The supplier is inactive."),
        ({"unit_price": 0}, "The unit price is 0."),
        ({"required_qty": 1, "unit_price": "0.004"}, "The total rounds to 0."),
    ],
)
def test_a_need_that_cannot_be_ordered_is_blocked_with_the_reason(changes: dict[str, object], reason: str) -> None:
    outputs = both(PURCHASING, product(**changes)).outputs
    assert (outputs["blocked"], outputs["blocked_reason"]) == (True, reason)
    assert (outputs["order_qty"], outputs["purchase_qty"], outputs["total_amount"]) == (0, 0, 0)
    assert outputs["should_create_po"] is outputs["should_send_po"] is False


def test_an_inactive_supplier_without_a_need_blocks_nothing() -> None:
    assert both(PURCHASING, product(is_active=False, available_qty=500)).outputs["blocked"] is False


def test_lines_joined_into_an_order_are_decided_on_their_sum() -> None:
    facts: dict[str, object] = {"total_amount": 90_000, "order_qty": 10, "need_reorder": True}
    decision = both(PURCHASING, facts, "ORDER")
    assert decision.outputs["approval_status"] == "pending"
    assert decision.outputs["grand_total"] == Decimal("87480")
    assert set(decision.facts) == {"total_amount", "order_qty", "need_reorder"}


def test_line_and_order_together_are_the_whole_decision() -> None:
    whole = both(PURCHASING, product())
    line = both(PURCHASING, product(), "LINE")
    order = both(PURCHASING, dict(line.outputs), "ORDER")
    assert line.outputs | order.outputs == whole.outputs
    assert line.fired + order.fired == whole.fired


def test_the_first_seven_rules_are_the_line_and_the_last_eight_the_order() -> None:
    guards = {"BlockInactiveSupplier", "BlockMissingPrice", "BlockWorthlessOrder"}
    modules = [rule.module for rule in PURCHASING.rules if rule.name not in guards]
    assert modules == ["LINE"] * 7 + ["ORDER"] * 8


def test_an_unknown_module_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="Did you mean ORDER"):
        PURCHASING.decide({}, module="ORDERS")


def test_the_numbers_of_the_default_rulebook_fit_int64() -> None:
    assert PURCHASING.int64 == ""


def test_replacing_a_threshold_in_the_text_changes_the_decision() -> None:
    assert "total_amount <= 10000" in PURCHASING_TEXT
    book = Rulebook.parse(PURCHASING_TEXT.replace("total_amount <= 10000", "total_amount <= 50"), "changed")
    assert both(book, product()).outputs["approval_status"] == ""


quantities = st.decimals(0, 10_000, places=3)


@settings(max_examples=300, deadline=None)
@given(
    required=quantities,
    available=st.decimals(-1_000, 10_000, places=3),
    on_order=quantities,
    moq=st.decimals(0, 500, places=2),
    multiple=st.decimals("0.01", 200, places=2),
    factor=st.decimals("0.01", 100, places=4),
    price=st.decimals("0.0001", 1_000, places=4),
)
def test_the_quantity_is_the_smallest_legal_one_that_covers_the_need(
    required: Decimal,
    available: Decimal,
    on_order: Decimal,
    moq: Decimal,
    multiple: Decimal,
    factor: Decimal,
    price: Decimal,
) -> None:
    facts: dict[str, object] = {
        "required_qty": required,
        "available_qty": available,
        "on_order_qty": on_order,
        "moq": moq,
        "order_multiple": multiple,
        "purchase_factor": factor,
        "unit_price": price,
        "is_active": True,
    }
    decision = PURCHASING.decide(facts)
    need = required - (available + on_order) if required > 0 else Decimal(0)
    quantity, bought = number(decision, "order_qty"), number(decision, "purchase_qty")
    if decision.outputs["blocked"]:
        assert decision.outputs["blocked_reason"] == "The total rounds to 0."
        return
    if need <= 0:
        assert quantity == 0
        return
    step, least = multiple * factor, max(need, moq * factor)
    assert quantity >= least
    assert quantity % step == 0
    assert quantity - step < least
    if multiple == int(multiple):
        assert bought * factor == quantity


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order_multiple": 0}, "order_multiple"),
        ({"order_multiple": -1}, "order_multiple"),
        ({"moq": -1}, "moq"),
        ({"unit_price": "NaN"}, "unit_price"),
        ({"unit_price": "Infinity"}, "unit_price"),
        ({"unit_price": Decimal("sNaN")}, "unit_price"),
        ({"unit_price": Decimal("1e999999")}, "unit_price"),
        ({"unit_price": Decimal("1e-999999")}, "unit_price"),
        ({"unit_price": 10**5000}, "unit_price"),
        ({"is_active": 10**5000}, "is_active"),
        ({"unit_price": 1.5}, "unit_price"),
        ({"unit_price": True}, "unit_price"),
        ({"unit_price": "1.23456"}, "unit_price"),
        ({"unit_price": Decimal("1.23456")}, "unit_price"),
        ({"unit_price": "9" * 10_000}, "unit_price"),
        ({"unit_price": None}, "unit_price"),
        ({"is_active": "yes"}, "is_active"),
        ({"is_active": 1}, "is_active"),
        ({"required_qty": "many"}, "required_qty"),
        ({"required_qty": -1}, "required_qty"),
        ({"required_qty": None}, "required_qty"),
    ],
)
@pytest.mark.parametrize("engine", ["row", "reference"])
def test_a_wrong_fact_is_refused_by_its_name(changes: dict[str, object], field: str, engine: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        PURCHASING.decide(product(**changes), engine=engine)
    assert caught.value.field == field


def test_a_missing_input_names_the_unknown_fact_that_was_meant() -> None:
    facts = product(unit_pric=3)
    del facts["unit_price"]
    with pytest.raises(InvalidInput, match="unknown 'unit_pric': did you mean 'unit_price'"):
        PURCHASING.decide(facts)


def test_required_quantity_is_computed_when_it_is_not_given_and_wins_when_it_is() -> None:
    facts = product(avg_daily_demand=10, lead_time_days=3, safety_stock=5)
    assert PURCHASING.facts(facts)["required_qty"] == 100
    del facts["required_qty"]
    assert PURCHASING.facts(facts)["required_qty"] == 35
    del facts["lead_time_days"]
    with pytest.raises(InvalidInput, match="computed from avg_daily_demand, lead_time_days"):
        PURCHASING.facts(facts)


def test_one_bad_row_does_not_stop_the_others() -> None:
    results = PURCHASING.decide_many([product(), product(unit_price="x"), product(unit_price=2)])
    assert isinstance(results[1], InvalidInput)
    assert results[0] == PURCHASING.decide(product())
    assert results[2] == PURCHASING.decide(product(unit_price=2))


def test_numbers_are_plain_whatever_way_they_were_given_in() -> None:
    for price in (Decimal("2.500"), "2.50", Decimal("25E-1")):
        decision = both(PURCHASING, product(unit_price=price))
        assert (str(decision.facts["unit_price"]), str(decision.outputs["total_amount"])) == ("2.5", "250")
    assert str(both(PURCHASING, product(required_qty=Decimal("1E+2"))).facts["required_qty"]) == "100"


def test_the_summary_tells_what_loaded() -> None:
    assert (
        PURCHASING.summary() == "purchasing.grl: 18 rules, 11 inputs, 17 outputs; engines: row, columns, sql, reference"
    )
