"""Hostile texts and facts for the whole language: only rule errors with places, in time, and never code that runs."""

from __future__ import annotations

import time
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_language_round_trip import TEXT

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules import RuleError, agenda
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import Network, decide, nodes


def load(text: str) -> FactRulebook:
    return FactRulebook.parse(text, "hostile.grl")


def refused(text: str) -> RuleError:
    start = time.monotonic()
    with pytest.raises(RuleError) as caught:
        load(text)
    assert time.monotonic() - start < 10
    assert caught.value.line >= 1
    assert caught.value.column >= 1
    return caught.value


def when(condition: str, action: str = "hit = true;") -> str:
    return f"rule R {{ when {condition} then {action} }}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * (256 * 1024 + 1), "longer than 256 kB"),
        (when("exists(" * 40 + "A(x > 1)" + ")" * 40), "nested deeper than 32"),
        (when("$a: A(" + "(" * 40 + "x" + ")" * 40 + " > 1)"), "nested deeper than 32"),
        (when(" && ".join(["A(x > 1)"] * 80)), "deeper than 64 levels"),
        (when("A(x > 1" + "0" * 300 + ")"), "more than 18 digits"),
        (when("$o: Order(x > 1) && $o.__class__.x > 1 && open("), "Expected"),
        (when('import("os")'), "There is no function 'import'"),
        (when("eval('1')"), "There is no function 'eval'"),
        (when("$o: Order(x > 1)", "$o.save('x');"), "Methods"),
        (when("$o: Order(x > 1)", "system('rm');"), "There is no action 'system'"),
        (when("e: from stream('s') over window(99999999999999999999 hours)"), "more than 18 digits"),
        (when("accumulate(A($v: x), sum($v)) > round(1 / 0, 2)"), "divides by zero"),
        (when("A(x > 1) ||" * 40 + " A(x > 2)"), "more than 32 alternatives"),
        ('query "q" { goal: ' + "NOT " * 40 + "x }", "nested deeper than 32"),
        ("defmodule A { export: all import: A (rules *) }", "in a circle: A imports A"),
        (when("A(x > 1)\x00"), "does not belong here"),
    ],
)
def test_hostile_texts_are_refused_with_a_place(text: str, message: str) -> None:
    assert message in refused(text).message


def test_names_of_every_alphabet_work_and_never_become_code() -> None:
    text = """
        rule "größe; import os" {
            when $ü: Überweisung(größe > 1, class == "a'] or __import__('os')", 名前 != "x") then $ü.ergebnis = "'];exit()#";
        }
    """
    book = load(text)
    fact = {"größe": 2, "class": "a'] or __import__('os')", "名前": "y"}
    assert book.decide({"Überweisung": [fact]}).facts["Überweisung"][0]["ergebnis"] == "'];exit()#"
    network = Network(book)
    handle = network.insert("Überweisung", fact)
    assert network.fire_all() == ("größe; import os",)
    assert network.reason == ""
    assert network.fact(handle)["ergebnis"] == "'];exit()#"


def test_numbers_that_grow_without_end_are_stopped() -> None:
    text = when("$a: A(x > 1)", "$a.x = $a.x * $a.x;")
    with pytest.raises(RuleError, match="needs more than 500 digits"):
        load(text).decide({"A": [{"x": 10**12}]})
    network = Network(load(text))
    network.insert("A", {"x": 10**12})
    with pytest.raises(RuleError, match="needs more than 500 digits"):
        network.fire_all()


@pytest.mark.parametrize(
    "value", [10**300, "1e300", Decimal("1e300"), "9" * 200, float("1e30"), "NaN", [], {}, object()]
)
def test_hostile_values_of_facts_are_refused_by_name(value: object) -> None:
    book = load(when("$a: A(x > 1)"))
    with pytest.raises(InvalidInput, match=r"A\.x"):
        book.decide({"A": [{"x": value}]})


def test_a_text_of_the_largest_size_loads_and_decides_in_time() -> None:
    body = 'rule R{0} {{ when $p: Product(category == "c{0}", amount > {0}) then $p.class = {0}; }}\n'
    text = "".join(body.format(at) for at in range(256 * 1024 // len(body.format(9999)) - 5))
    start = time.monotonic()
    network = Network(load(text))
    network.insert("Product", {"category": "c1000", "amount": 1001})
    assert network.fire_all() == ("R1000",)
    assert time.monotonic() - start < 30


PIECES = [
    *[
        "rule",
        "R",
        "{",
        "}",
        "when",
        "then",
        ";",
        "(",
        ")",
        "&&",
        "||",
        "!",
        ":",
        ",",
        ".",
        "$o",
        "$v",
        "Order",
        "Line",
        "exists",
        "forall",
        "not",
        "accumulate",
        "sum",
        "count",
        "first",
    ],
    *[
        "x",
        "amount",
        "==",
        ">",
        "1",
        "0.5",
        "'a'",
        "from",
        "stream",
        "over",
        "window",
        "min",
        "sliding",
        "query",
        "goal",
        "defmodule",
        "export",
        "import",
        "rules",
    ],
    *[
        "retract",
        "+=",
        "=",
        "null",
        "has",
        "test",
        "in",
        "matches",
        "[",
        "]",
        "agenda-group",
        "lock-on-active",
        "date-effective",
        "\n",
    ],
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
def test_any_words_load_or_are_refused_with_a_place(text: str) -> None:
    try:
        load(text)
    except RuleError as error:
        assert error.line >= 1


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9))
def test_a_text_of_the_whole_language_with_a_piece_torn_out_loads_or_is_refused(seed: int) -> None:
    random = Random(seed)
    start = random.randrange(len(TEXT))
    text = TEXT[:start] + TEXT[start + random.randrange(60) :]
    try:
        load(text)
    except RuleError as error:
        assert str(error).startswith(f"hostile.grl:{error.line}:{error.column}: ")


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=5), st.integers()
)
def test_any_document_of_facts_is_decided_or_refused(value: object, other: int) -> None:
    book = load(when("$a: A(x > 1, tags count > 0) && !exists(B(y == $a.x)) && limit > 2", "$a.tags += $a.x;"))
    for document in (
        {"A": value},
        {"A": [{"x": value, "tags": value}], "limit": other},
        {"A": [{"x": 1}], "limit": value},
    ):
        try:
            book.decide(document)
        except RestockError as error:
            assert str(error)


EVERYTHING_WITH_EVERYTHING = {
    "pairs": "$a: A(x > 0) && $b: A(x > 0)",
    "no pair": "$a: A(x > 0) && $b: A(x > 0) && $a.x > $b.x + 99999",
    "sums": "$a: A(x > 0) && $s: accumulate(A($v: x, x < $a.x), sum($v))",
    "exists": "$a: A(x > 0) && exists(A(x > $a.x + 99999))",
}


@pytest.mark.parametrize("name", EVERYTHING_WITH_EVERYTHING)
@pytest.mark.parametrize("limit", ["MAX_PAIRS", "MAX_HELD"])
def test_the_network_stops_where_facts_meet_in_too_many_ways(
    name: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, limit, 5_000)
    book = load(when(EVERYTHING_WITH_EVERYTHING[name], "$a.y = 1;"))
    document = {"A": [{"x": x + 1} for x in range(120)]}
    if limit == "MAX_HELD" and name != "pairs":
        assert decide(book, document).facts == book.decide(document).facts
        return
    with pytest.raises(RuleError, match=r"The rules (look|match).* here; join patterns by equal fields") as caught:
        decide(book, document)
    assert (caught.value.line, caught.value.column > 1) == (1, True)


def test_a_network_that_stopped_goes_on_from_scratch_with_fewer_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_PAIRS", 100)
    network = Network(load(when("$a: A(x > 0) && $b: A(x > 0) && $a.x > $b.x", "$a.y = 1;")))
    handles = [network.insert("A", {"x": x + 1}) for x in range(8)]
    with pytest.raises(RuleError, match="more than 100 pairs"):
        handles += [network.insert("A", {"x": x + 1}) for x in range(8, 40)]
    assert network.reason == "facts met in too many ways (TooMuch)"
    for handle in handles[2:]:
        network.retract(handle)
    network.fire_all()
    assert [values.get("y") for values in network.state()[1].values()][:2] == [0, 1]


def test_the_agenda_stops_where_too_many_matches_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agenda, "MAX_MATCHES", 1_000)
    book = load(when("$a: A(x > 0) && $b: A(x > 0)", "$a.y = 1;"))
    with pytest.raises(RuleError, match="The rules match in more than 1,000 ways here"):
        book.decide({"A": [{"x": x + 1} for x in range(40)]})


def test_a_thousand_matches_that_set_one_field_take_no_time() -> None:
    book = load("rule R no-loop { when $a: A(x > 0) then last = $a.x; }")
    start = time.monotonic()
    assert decide(book, {"A": [{"x": x + 1} for x in range(20_000)]}).outputs == {"last": 20_000}
    assert time.monotonic() - start < 20
