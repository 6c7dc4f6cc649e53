"""Invariants are proved or refuted by an example that the compiled program shows; the encoding is the program."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_world import PUBLISHED_TEXT, PURCHASING, PURCHASING_TEXT, one
from test_differential import random_product, rulebook_text, rules

from restock.core.errors import InvalidInput
from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.ir import Value
from restock.engine.rules.proof.encoding import Encoded, encode
from restock.engine.rules.proof.invariants import Proof, prove
from restock.engine.rules.proof.numbers import Number
from restock.engine.rules.proof.solver import Query, z3
from restock.engine.rules.replay import replay

VERDICTS = {
    '!(total_amount > 10000 && approval_status == "auto_approved")': "proved",
    "order_qty == 0 || order_qty >= moq": "proved",
    "grand_total == (total_amount - discount_amount) * 1.08": "proved",
    '!should_send_po || approval_status == "auto_approved"': "proved",
    "!should_send_po || should_create_po": "proved",
    "!should_create_po || (is_active && order_qty > 0)": "proved",
    "need_reorder == (shortage > 0)": "proved",
    'should_create_po == (po_status in ["approved", "pending_approval"])': "proved",
    "!should_create_po || total_amount > 0": "proved",
    'approval_status != "auto_approved" || grand_total <= 10000': "counterexample",
    "order_qty >= 0 && total_amount >= 0 && grand_total >= 0": "counterexample",
}
RULES_ONLY = PUBLISHED_TEXT[: PUBLISHED_TEXT.index("// What the rules must keep")]


def claims(text: str, *conditions: str, assume: str = "") -> list[Proof]:
    written = "".join(f'invariant "{condition.replace(chr(34), "")}": {condition};\n' for condition in conditions)
    return prove(one(text + (f"assume {assume};\n" if assume else "") + written))


def mutated(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize("condition", VERDICTS)
def test_the_verdicts_on_the_published_rules_are_the_known_ones(condition: str) -> None:
    (proof,) = claims(RULES_ONLY, condition)
    assert (proof.outcome, bool(proof.facts)) == (VERDICTS[condition], VERDICTS[condition] != "proved")


def test_amounts_are_never_negative_once_the_minimum_is_not() -> None:
    condition = "order_qty >= 0 && total_amount >= 0 && grand_total >= 0"
    assert claims(RULES_ONLY, condition, assume="moq >= 0")[0].outcome == "proved"
    (broken,) = claims(RULES_ONLY, condition)
    assert broken.facts["moq"] < 0  # type: ignore[operator]


def test_what_is_approved_automatically_may_cost_more_with_tax() -> None:
    (broken,) = claims(RULES_ONLY, 'approval_status != "auto_approved" || grand_total <= 10000')
    total, grand = broken.outputs["total_amount"], broken.outputs["grand_total"]
    assert isinstance(total, Decimal) and isinstance(grand, Decimal)
    assert total <= 10_000 < grand


MUTATIONS = {
    "a threshold is mistyped": (
        [("total_amount > 0) && (total_amount <= 10000)", "total_amount > 0) && (total_amount <= 100000)")],
        ["no order above 10,000 is approved automatically"],
    ),
    "what waits is sent": (
        [
            (
                '(need_reorder == true) && (approval_status == "auto_approved")\n    then\n        should_send_po',
                "(need_reorder == true)\n    then\n        should_send_po",
            )
        ],
        ["what is sent is approved", "what is sent is created"],
    ),
    "an inactive supplier is not looked at in time": (
        [
            ('"Calculate the shortage" salience 120', '"Calculate the shortage" salience 112'),
            ("(shortage >= moq) && (is_active == true)", "(shortage >= moq)"),
        ],
        ["what is created has a quantity, a price and an active supplier"],
    ),
    "tax is taken of the total": (
        [("tax_amount = final_amount * 0.08", "tax_amount = total_amount * 0.08")],
        ["grand_total == (total_amount - discount_amount) * 1.08"],
    ),
}
KNOWN = {"the quantity is a whole multiple of the minimum", "no quantity and no amount is negative"}
"""What the published rules break as published."""


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mistake_in_the_published_rules_is_found_and_the_example_is_real(name: str) -> None:
    edits, expected = MUTATIONS[name]
    text = PUBLISHED_TEXT
    for old, new in edits:
        text = mutated(text, old, new)
    text += 'invariant "grand_total == (total_amount - discount_amount) * 1.08": '
    book = one(text + "grand_total == (total_amount - discount_amount) * 1.08;\n")
    broken = {proof.invariant: proof for proof in prove(book) if proof.outcome == "counterexample"}
    assert set(broken) - KNOWN == set(expected)
    for proof in broken.values():
        assert_replays(book, proof)


def assert_replays(book: Rulebook, proof: Proof) -> None:
    claim = next(claim for claim in book.program.invariants if claim.text == proof.invariant)
    done = replay(book, proof.facts)
    assert done.breaks(claim)
    assert done.decision.outputs == proof.outputs


def test_tax_moved_above_the_discount_is_refused_before_anything_is_proved() -> None:
    text = mutated(PUBLISHED_TEXT, '"Eight per cent" salience 80', '"Eight per cent" salience 86')
    with pytest.raises(
        InvalidInput, match=r"ApplyBulkDiscount .* writes final_amount, .* read above it by CalculateTax"
    ):
        prove(one(text))


def test_everything_the_default_rulebook_promises_is_proved() -> None:
    proofs = prove(PURCHASING)
    assert len(proofs) == 10
    assert {proof.outcome for proof in proofs} == {"proved"}


THRESHOLDS = [
    ("(total_amount > 0) && (total_amount <= 10000)", "(total_amount > 0) && (total_amount <= 10000.01)"),
    ("ceil(moq * purchase_factor / (order", "floor(moq * purchase_factor / (order"),
    ("grand_total = final_amount + tax_amount", "grand_total = round(final_amount * 1.08, 2, down)"),
    ("(total_amount >= 50000)", "(total_amount > 50000)"),
]


@pytest.mark.parametrize("edit", THRESHOLDS)
def test_a_mistake_in_the_default_rules_is_found_with_an_example_on_the_decimal_grid(edit: tuple[str, str]) -> None:
    book = one(mutated(PURCHASING_TEXT, *edit))
    broken = [proof for proof in prove(book) if proof.outcome != "proved"]
    assert broken and {proof.outcome for proof in broken} == {"counterexample"}
    for proof in broken:
        assert_replays(book, proof)


def test_an_answer_that_does_not_come_in_time_is_unknown_and_no_proof() -> None:
    text = "".join(f"input {name}: integer in 1..1000000;\n" for name in "abc")
    text += "rule Sum no-loop { when a > 0 then x = a * a * a + b * b * b; }\n"
    (proof,) = prove(one(text + 'invariant "no cube is the sum of two": x != c * c * c;\n'), seconds=1)
    assert (proof.outcome, proof.fails, proof.reason) == ("unknown", True, "no answer within 1 s")


def test_an_invariant_that_cannot_be_evaluated_is_broken() -> None:
    (proof,) = claims("rule R { when a > 1 then x = a; }\n", "x % a == 0")
    assert (proof.outcome, proof.facts) == ("counterexample", {"a": Decimal(0)})
    assert proof.reason == "it cannot be evaluated: division by zero."


def test_runs_that_end_in_an_error_break_nothing() -> None:
    text = "input a: integer in 0..9;\noutput x: integer in 0..5;\nrule R no-loop { when a > 0 then x = a; }\n"
    assert claims(text, "x <= 5")[0].outcome == "proved"
    assert claims(text, "x < 5")[0].facts == {"a": Decimal(5)}


def test_texts_are_told_apart_also_those_that_no_rule_mentions() -> None:
    text = 'input kind: text;\nrule R no-loop { when kind == "a" || kind == "b" then word = kind; }\n'
    assert claims(text, 'word in ["", "a", "b"]')[0].outcome == "proved"
    (proof,) = claims(text, 'kind == "a" || kind == "b"')
    assert proof.outcome == "counterexample"


def fixed(encoded: Encoded, facts: dict[str, Value]) -> list[object]:
    """The inputs of an encoded program are these facts."""
    equal = []
    for field in encoded.program.inputs:
        value = facts.get(field.name)
        if value is None:
            continue
        held = encoded.inputs[field.name]
        if isinstance(held, Number):
            assert isinstance(value, Decimal)
            equal.append(encoded.terms.same(held, encoded.terms.numbers.constant(value)))
        else:
            equal.append(held == (value if isinstance(value, bool) else encoded.terms.codes.code(str(value))))
    return equal


def agree(book: Rulebook, encoded: Encoded, facts: dict[str, object]) -> None:
    """The solver sees the outputs that the program gives, and no others; or the error."""
    query = Query([*encoded.assumed, *encoded.terms.numbers.axioms])
    try:
        decision = book.decide(facts)
    except RuleError:
        verdict, _ = query.ask(*fixed(encoded, book.facts(facts)), *encoded.terms.defined)
        assert verdict == "unsat"
        return
    given = fixed(encoded, decision.facts)
    verdict, model = query.ask(*given, *encoded.terms.defined)
    assert verdict == "sat"
    for field in encoded.program.outputs:
        seen = encoded.value(encoded.final[field.name], field.kind, model)
        assert seen == decision.outputs[field.name], field.name
    differs = [
        z3.Not(encoded.terms.same(encoded.final[field.name], encoded.terms.held(field, _constant(field.kind, value))))
        for field, value in zip(encoded.program.outputs, decision.outputs.values(), strict=True)
    ]
    assert query.ask(*given, z3.Or(*differs))[0] == "unsat"


def _constant(kind: str, value: Value) -> object:
    from restock.engine.rules.ir import Const

    return Const(kind, value)  # type: ignore[arg-type]


@pytest.mark.parametrize("grid", [False, True])
@settings(max_examples=300, deadline=None)
@given(st.lists(rules, min_size=1, max_size=4), st.integers(0, 10**6))
def test_the_encoding_is_the_program(grid: bool, parts: list[tuple[str, list[str], int, bool]], seed: int) -> None:
    text = rulebook_text(parts)
    if any(word in text for word in ("upper", "contains")):
        return
    try:
        book = one(text)
    except RuleError:
        return
    if book.engines["row"]:
        return
    encoded, random = encode(book.program, grid=grid), Random(seed)
    for _ in range(3):
        agree(
            book,
            encoded,
            {
                "in1": Decimal(random.randrange(-300, 300)).scaleb(-random.randrange(3)),
                "in2": random.choice((0, 1, 2, Decimal("-0.5"))),
                "flag": random.random() < 0.5,
                "word": random.choice(("x", "y", "xy", "")),
            },
        )


@pytest.mark.parametrize("grid", [False, True])
def test_the_encoding_of_the_default_rulebook_is_the_program(grid: bool) -> None:
    encoded, random = encode(PURCHASING.program, grid=grid), Random(3)
    for _ in range(30):
        agree(PURCHASING, encoded, random_product(random))
