"""Rules in JSON are the same program as their text, or are refused with the place and the nearest name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules import FactRulebook, Rulebook, RuleError, check, load
from restock.engine.rules.json_rules import grl_of_json

DOCUMENT = {
    "declarations": ["input total: decimal(9,2);", "input word: text;", "output big: bool;", "output tax: decimal;"],
    "rules": [
        {
            "name": "Big",
            "description": "a big one",
            "salience": 10,
            "no-loop": True,
            "when": {
                "all": [
                    {"field": "total", "operator": "gte", "value": 1000.5},
                    {"any": ["total < 5000", {"not": {"field": "word", "operator": "in", "value": ["a", "b && c"]}}]},
                    {"field": "word", "operator": "not_contains", "value": "x"},
                ]
            },
            "then": [{"set": "big", "value": True}, {"set": "tax", "expression": "total * 0.08 - 1"}],
        }
    ],
}
TEXT = """
input total: decimal(9,2);
input word: text;
output big: bool;
output tax: decimal;
rule Big "a big one" salience 10 no-loop {
    when total >= 1000.5 && (total < 5000 || !(word in ["a", "b && c"])) && !(word contains "x")
    then big = true; tax = total * 0.08 - 1;
}
"""


def test_rules_in_json_are_the_same_program_as_their_text() -> None:
    again = Rulebook.parse(grl_of_json(json.dumps(DOCUMENT), "rules.json"), "rules.json")
    assert again.version == Rulebook.parse(TEXT, "text.grl").version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This is no JSON"),
        ("[]", "Expected an object here"),
        ('{"ruels": []}', "ruels: This key is not known here. Did you mean rules?"),
        ('{"rules": [{"name": 1}]}', "rules\\[0\\].when: Expected an object"),
        ('{"rules": [{"name": "A", "when": "x >", "then": []}]}', "Expected a value"),
        ('{"rules": [{"name": "A", "when": "x > 1 }", "then": []}]}', "Expected the end of the expression"),
        ('{"rules": [{"name": "A", "when": "x > 1", "then": ["y = 1"]}]}', "An action is an object"),
        ('{"rules": [{"name": "A", "when": {"all": []}, "then": []}]}', "'all' is empty"),
        ('{"rules": [{"when": {"field": "x", "operator": "grater", "value": 1}}]}', "There is no operator 'grater'"),
        ('{"rules": [{"when": {"field": "x", "operator": ">", "value": null}}]}', "A value is a number"),
        ('{"rules": [{"when": {"field": "x", "operator": ">"}}]}', "Give either a value or an expression"),
        ('{"rules": [{"when": "x", "salience": 1.5}]}', "Salience is a whole number"),
        ('{"rules": [{"when": {"field": "x", "operator": ">", "value": NaN}}]}', "NaN is no number"),
        ('{"rules": [{"when": {"field": "x", "operator": ">", "value": 1e400}}]}', "more than 18 digits|no place"),
        ('{"rules": [{"when": ' + '{"not": ' * 40 + '"x"' + "}" * 40 + "}]}", "nested deeper"),
        ('{"rules": [{"when": {"field": "x > 1 || y", "operator": ">", "value": 1}}]}', "Expected the name of a field"),
        ("[" * 100_000, "no JSON"),
        ('"' + "x" * 300_000 + '"', "longer than 256 kB"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(RestockError, match=message):
        grl_of_json(text, "rules.json")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["rules", "name", "when", "then", "all", "any", "not", "field", "operator", "value", "set"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_any_document_is_read_or_refused(document: object) -> None:
    try:
        assert isinstance(grl_of_json(json.dumps({"rules": [document]}), "rules.json"), str)
    except RestockError as error:
        assert isinstance(error, InvalidInput)


def test_a_file_in_json_loads_and_is_checked_as_the_text_is() -> None:
    book = load(json.dumps(DOCUMENT), "rules.json")
    assert isinstance(book, Rulebook)
    assert book.version == Rulebook.parse(TEXT, "text.grl").version
    assert check(json.dumps(DOCUMENT), "rules.json") == []


def test_json_with_patterns_loads_as_rules_over_facts() -> None:
    document = {"rules": [{"name": "A", "when": "$o: Order(total > 5)", "then": [{"set": "found", "value": True}]}]}
    book = load(json.dumps(document), "rules.json")
    assert isinstance(book, FactRulebook)
    assert book.decide({"Order": [{"total": 6}]}).outputs["found"] is True


def test_errors_of_rules_in_json_name_the_rule_with_line_and_column_in_it() -> None:
    rules = [dict(DOCUMENT["rules"][0], name=name) for name in ("First", "Second")]  # type: ignore[index,call-overload]
    rules[1]["then"] = [{"set": "tax", "expression": "total * wrod"}, {"set": "big", "value": True}]
    text = json.dumps(DOCUMENT | {"rules": rules})
    errors = check(text, "rules.json")
    assert [error.rulebook for error in errors] == ["rules.json rules[1]"]
    assert errors[0].suggestion == "word"
    shown = errors[0].source_line
    assert shown[errors[0].column - 1 :].startswith("wrod")
    with pytest.raises(RuleError, match=r"rules.json rules\[1\]:\d+:\d+: There is no field 'wrod'"):
        load(text, "rules.json")


@pytest.mark.parametrize("engine", ["row", "reference", "columns", "sql"])
def test_errors_while_rules_in_json_decide_name_the_rule_in_the_document(engine: str) -> None:
    rules = [
        {"name": "First", "when": "a > 0", "then": [{"set": "b", "value": 1}]},
        {"name": "Share", "when": "a > 0", "then": [{"set": "c", "expression": "round(a / d, 2)"}]},
    ]
    book = load(json.dumps({"rules": rules}), "rules.json")
    assert isinstance(book, Rulebook)
    with pytest.raises(RuleError, match="division by zero") as caught:
        book.decide({"a": 1, "d": 0}, engine=engine)
    assert caught.value.rulebook == "rules.json rules[1]"
    assert caught.value.line == 5
