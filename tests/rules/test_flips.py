"""A threshold that is told really flips the decision when it is applied, and a step short of it does not."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_world import PUBLISHED, PUBLISHED_TEXT, PURCHASING, PURCHASING_TEXT, one, product, rule

from restock.core.errors import InvalidInput
from restock.engine.rules import Flip, Rulebook, Value, explanation_mermaid

D = Decimal
TEXTS = {PUBLISHED.name: PUBLISHED_TEXT, PURCHASING.name: PURCHASING_TEXT}

products = st.fixed_dictionaries(
    {
        "required_qty": st.decimals(0, 3000, places=2),
        "available_qty": st.integers(-20, 1500),
        "unit_price": st.sampled_from([D("0.01"), D("1"), D("15.5"), D("102.12"), D("500")]),
        "moq": st.integers(0, 500),
        "is_active": st.sampled_from([True, True, True, False]),
    }
)


def applied(book: Rulebook, facts: dict[str, object], flip: Flip) -> dict[str, Value]:
    """Decide with the value of a threshold, by the row engine: as a fact, or written into the rule that set it."""
    if not flip.computed:
        return book.decide(facts | {flip.subject: flip.after}).outputs
    setter = [found.name for found in book.explain(facts).fired if flip.subject in found.writes][-1]
    start = re.search(rf"^rule \"?{setter}\"?\b", TEXTS[book.name], re.MULTILINE)
    assert start is not None
    head, tail = TEXTS[book.name][: start.start()], TEXTS[book.name][start.start() :]
    fixed, count = re.subn(rf"\b{flip.subject} = [^;]*;", f"{flip.subject} = {flip.after:f};", tail, count=1)
    assert count == 1
    return Rulebook.parse(head + fixed, book.name).decide(facts, engine="row").outputs


@settings(max_examples=25)
@given(products, st.sampled_from([PUBLISHED, PURCHASING]))
def test_a_threshold_flips_the_decision_when_it_is_applied(facts: dict[str, object], book: Rulebook) -> None:
    now = book.decide(facts).outputs
    for flip in book.flips(facts)[:4]:
        after = applied(book, facts, flip)
        assert flip.outputs
        for name, (before, new) in flip.outputs.items():
            assert (now[name], after[name]) == (before, new)
            assert before != new
        assert abs(flip.after - flip.before) == flip.difference > 0
        assert (flip.direction == "rises") == (flip.after > flip.before)


@given(st.decimals(D("0.01"), 200_000, places=2))
def test_the_threshold_of_the_total_is_a_fact_of_the_module_that_approves(total: Decimal) -> None:
    facts: dict[str, object] = {"total_amount": total, "need_reorder": True, "order_qty": 1}
    now = PURCHASING.decide(facts, module="ORDER").outputs["approval_status"]
    found = [one_ for one_ in PURCHASING.flips(facts, module="ORDER") if one_.subject == "total_amount"]
    flip = next(one_ for one_ in found if one_.outputs.get("approval_status", ("", ""))[1])
    after = PURCHASING.decide(facts | {"total_amount": flip.after}, module="ORDER").outputs["approval_status"]
    assert {now, after} == {"pending", "auto_approved"}
    step = D("0.01") if flip.after > flip.before else D("-0.01")
    short = PURCHASING.decide(facts | {"total_amount": flip.after - step}, module="ORDER").outputs["approval_status"]
    assert short == now, "a cent short of the threshold nothing changes"


def test_the_sentence_says_by_how_much_the_total_must_fall() -> None:
    nearest = PURCHASING.flips(product(unit_price="102.124"))[0]
    assert nearest.sentence == 'approval_status becomes "auto_approved" if total_amount falls by 212.40.'
    assert (nearest.computed, nearest.before, nearest.after) == (True, D("10212.4"), D(10000))


@pytest.mark.parametrize(
    ("test", "x", "sentence"),
    [
        ("x > 5", 2, "y becomes true if x rises by more than 3."),
        ("x >= 5", 2, "y becomes true if x rises by 3."),
        ("x > 5", 9, "y becomes false if x falls by 4."),
        ("x >= 5", 9, "y becomes false if x falls by more than 4."),
        ("x == 7", 2, "y becomes true if x rises by 5."),
        ("x != 7", 7, "y becomes true if x falls by 1."),
        ("x > 5", 5, "y becomes true if x rises by 1."),
        ("10 - limit < x", 2, "y becomes true if x rises by more than 5."),
    ],
)
def test_a_threshold_counts_as_its_comparison_does(test: str, x: int, sentence: str) -> None:
    text = "input x: integer in 0..100; input limit: integer in 0..9 default 3; output y: bool;"
    found = one(text + rule(f"when {test} then y = true;")).flips({"x": x})
    assert sentence in [flip.sentence for flip in found if flip.subject == "x"]


def test_amounts_alone_flip_nothing_and_a_wrong_fact_is_refused_as_ever() -> None:
    book = one("input x: integer in 0..9; output y: integer;" + rule("when x > 5 then y = x;"))
    assert book.flips({"x": 3}) == ()
    with pytest.raises(InvalidInput, match="x: This input is missing"):
        book.flips({})


SHAPE = re.compile(
    r"""flowchart\ TD\n
    (?:\ \ (?:
        \w+(?:\[/"[^"\n]*"/\]|\["[^"\n]*"\])(?::::\w+)?          # a box
      | \w+\ (?:-->|-\.->|-\.-)(?:\|"[^"\n]*"\|)?\ \w+            # an arrow
      | classDef\ \w+\ [\w:\ -]+
    )\n)+""",
    re.VERBOSE,
)


@settings(max_examples=25)
@given(products)
def test_the_picture_has_a_box_for_each_rule_and_arrows_between_boxes_that_are_there(facts: dict[str, object]) -> None:
    why = PURCHASING.explain(facts)
    drawn = explanation_mermaid(why, PURCHASING.flips(facts))
    assert SHAPE.fullmatch(drawn), drawn
    boxes = set(re.findall(r"^  (\w+)\[", drawn, re.MULTILINE))
    assert len(boxes & {f"f{at}" for at in range(len(why.fired))}) == len(why.fired)
    assert len(boxes & {f"s{at}" for at in range(len(why.not_fired))}) == len(why.not_fired)
    arrows = re.findall(r"^  (\w+) -\S*?(?:\|.*\|)? (\w+)$", drawn, re.MULTILINE)
    assert arrows and {end for arrow in arrows for end in arrow} <= boxes


def test_hostile_words_stay_inside_their_box() -> None:
    book = one("input x: text; output y: text;" + rule("when x != 'q' then y = x;", name='"a ]--> <b>"'))
    drawn = explanation_mermaid(book.explain({"x": '"] --> z["\n%%{init}%%'}))
    assert SHAPE.fullmatch(drawn), drawn
