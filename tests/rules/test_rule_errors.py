"""Wrong and hostile texts: refused with line, column, caret and the nearest name; never half loaded, never a hang."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_world import PUBLISHED_TEXT, PURCHASING_TEXT, one, rule

from restock.engine.rules import Rulebook, RuleError, check
from restock.engine.rules.errors import meant


def refused(text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        Rulebook.parse(text, "bad.grl")
    assert caught.value.line >= 1
    assert caught.value.column >= 1
    return caught.value


def test_an_error_shows_place_line_caret_and_suggestion() -> None:
    text = PURCHASING_TEXT.replace("(total_amount <= 10000)", "(total_amuont <= 10000)")
    line = text[: text.index("total_amuont")].count("\n") + 1
    assert str(refused(text)).splitlines() == [
        f"bad.grl:{line}:32: There is no field 'total_amuont'.",
        "            (total_amount > 0) && (total_amuont <= 10000)",
        "                                   ^",
        "    did you mean total_amount?",
    ]


def test_the_caret_stands_under_the_wrong_word_behind_tabs_too() -> None:
    lines = str(refused("rule R {\n\twhen\n\t\tx > 1 && y = 2\n\tthen z = 1; }")).splitlines()
    assert lines[0] == "bad.grl:3:14: '=' assigns; compare with '=='."
    assert lines[1].index("= 2") == lines[2].index("^")
    assert lines[2].startswith("    \t\t")


def test_the_problem_document_has_the_place() -> None:
    members = refused("rule R { when x > then y = 1; }").problem()
    assert (members["rulebook"], members["line"], members["column"], members["status"]) == ("bad.grl", 1, 19, 422)


@pytest.mark.parametrize("name", ["total_amuont", "total_amount_", "is_activ", "required_qyt"])
def test_a_slip_in_a_published_file_is_refused_although_nothing_is_declared(name: str) -> None:
    right = {"t": "total_amount", "i": "is_active", "r": "required_qty"}[name[0]]
    text = PUBLISHED_TEXT.replace(f"({right} ", f"({name} ", 1)
    assert refused(text).suggestion == right


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rule("when exists(Order(x > 1)) then y = 1;"), "'exists' looks over many facts"),
        (rule("when forall(Order(x > 1)) then y = 1;"), "'forall' looks over many facts"),
        (rule("when accumulate(Order($v: x), sum($v)) then y = 1;"), "'accumulate' looks over many facts"),
        (rule("when Order(x > 1) then y = 1;"), r"Typed patterns \('Order\(...\)'\) look over many facts"),
        (rule("when $o : Order(x > 1) then y = 1;"), r"Typed patterns \('Order\(...\)'\)"),
        (rule('when e: Order from stream("orders") then y = 1;'), r"Streams \('from stream'\)"),
        (rule("when items $? then y = 1;"), "'\\$' does not belong here"),
        (rule("when items count > 1 then y = 1;"), "Lists of values \\('count'\\)"),
        (rule("when items empty then y = 1;"), "Lists of values \\('empty'\\)"),
        (rule("when avg(x, 2) > 1 then y = 1;"), "'avg' divides, so it stands only directly inside round"),
        (rule("when now() > 1 then y = 1;"), "A rule has no clock"),
        (rule('when join(w, "b") == "c" then y = 1;'), "'\\+' joins two texts"),
        (rule('when split(w, ",") == "c" then y = 1;'), "does not take texts apart"),
        (rule('when w == "c" then y = format(1);'), "A rule does not format"),
        (rule("when order.isOpen() then y = 1;"), r"Methods \('order.isOpen\(...\)'\)"),
        (rule("when x > 1 then order.setTotal(1);"), r"Methods \('order.setTotal\(...\)'\)"),
        (rule("when x > 1 then $o.setTotal(1);"), r"Methods \('\$o.setTotal\(...\)'\)"),
        (rule("when x > 1 then retract($o);"), "'retract' removes a fact"),
        (rule('when x > 1 then ActivateAgendaGroup("a");'), "One pass has no agenda groups"),
        (rule('when x > 1 then ScheduleRule(5, "a");'), "cannot schedule another"),
        (rule('when x > 1 then sendEmail("a");'), "There is no action 'sendEmail'"),
        (rule("when x > 1 then items += 1;"), "'\\+=' appends to a list"),
        (rule("when x > 1 then y = 1;", attributes='agenda-group "a"'), "'agenda-group' is not supported"),
        (rule("when x > 1 then y = 1;", attributes='activation-group "a"'), "'activation-group' is not supported"),
        (rule("when x > 1 then y = 1;", attributes="lock-on-active"), "'lock-on-active' is not supported"),
        (rule("when x > 1 then y = 1;", attributes='date-effective "2026-01-01"'), "one pass knows no date"),
        (rule("when x > 1 then y = 1;", attributes="sallience 5"), "'sallience' is not a rule attribute"),
        ('query "q" { gaol: x == 1 }', "'gaol' is no part of a query"),
        ('query "q" { strategy: depth-first }', "has no goal"),
        ('query "q" { goal: x == 1 strategy: widest }', "The strategy is one of"),
        ('query "q" { goal: x == 1 max-depth: 1.5 }', "'max-depth' is a whole number"),
        ("defmodule LINE { exprot: all }", "Expected 'export'"),
        (rule("when accumulate(Order($v: x), median($v)) then y = 1;"), "'median' does not accumulate"),
        (rule("when accumulate(Order($v: x), sum($w)) then y = 1;"), "'\\$w' is not bound here"),
        (rule('when e: from stream("s") over window(5 mni) then y = 1;'), "'mni' is none of ms, s, min, hour"),
        (rule('when e: from stream("s") over window(0 min) then y = 1;'), "Expected the window's length"),
        (rule("when x > 1 then $o.getTotal();"), r"Methods \('\$o.getTotal"),
        ("deftemplate Order { }", "'deftemplate' is not supported"),
        (rule("when x > 1 then y = a / b;"), "A division may stand only directly inside"),
        (rule("when x > 1 then y = round(a / b + 1, 2);"), "A division may stand only directly inside"),
        (rule("when x > 1 then y = round(a / 0, 2);"), "divides by zero"),
        (rule("when x % 0 > 1 then y = 1;"), "divides by zero"),
        (rule("when x > 1 then y = round(a, 2, half);"), "The rounding mode is one of"),
        (rule("when x > 1 then y = round(a, b);"), "The decimals to round to"),
        (rule("when x > 1 then y = rond(a, 2);"), "There is no function 'rond'"),
        (rule("when x > 1 then y = min(a);"), "'min' takes 2 to 16 arguments"),
        (rule('when x > "1" then y = 1;'), "Expected|compare"),
        (rule('when x == "1" then y = x + 1;'), "Expected"),
        (rule("when x then y = x + 1;"), "Expected a number"),
        (rule("when 1 < x < 3 then y = 1;"), "Comparisons do not chain"),
        (rule("when x + 1 then y = 1;"), "Expected true or false"),
        (rule("when x > 1 then y = 1; y = true;"), "Expected"),
        (rule("when x > 1 then y = 1;") + rule("when x > 2 then y = 2;"), "already a rule 'R' at line 1"),
        ("input x: decimal;\ninput x: decimal;\n" + rule("when x > 1 then y = 1;"), "'x' is declared twice"),
        ("input x: decimal;\n" + rule("when x > 1 then x = 1;"), "'x' is an input"),
        ("input x: desimal;\n" + rule("when x > 1 then y = 1;"), "There is no type 'desimal'"),
        (
            "input x: decimal(4,2);\noutput y: decimal(4,2);\n" + rule("when x > 1 then y = x * x;"),
            "'y' has 2 decimals",
        ),
        ("input x: decimal(4,2) in 5..1;", "lower bound is above"),
        ("input x: decimal(4,2) default 100;", "outside"),
        ("input x: decimal(18,9);\n" + rule("when x * x > 1 then y = 1;"), "more than an int64 holds"),
        (rule("when x > 1 then y = x * 0.1; x = y * 0.1;"), "grow without end|more than 40 decimals"),
        ("enum E { a, b }\noutput s: E;\n" + rule('when x > 1 then s = "c";'), "is not a value of 's'"),
        ("invariant x > 1", "An invariant begins with its sentence"),
        ("assume nothing > 1;", "There is no field 'nothing'"),
        (rule("when x > 1 then y = 12abc;"), "'12abc' is not a number"),
        (rule(f"when x > {'1' + '0' * 300} then y = 1;"), "more than 18 digits"),
        (rule('when t == "open then y = 1;'), "This text is not closed"),
        ("/* never closed", "never closed"),
        (rule("when x > 1 then y = 1;").rstrip("}\n"), "Expected"),
        (rule(f"when {'(' * 40}x{')' * 40} > 1 then y = 1;"), "nested deeper than 32"),
        (rule(f"when {'!' * 40}x then y = 1;"), "nested deeper than 32"),
        (rule(f"when x > 1 then y = {'-' * 40}x;"), "nested deeper than 32"),
        (rule(f"when x > 1 then y = {'+'.join(['x'] * 100)};"), "deeper than 64 levels"),
        (rule("when x > 1 then y = " + "abs(" * 33 + "x" + ")" * 33 + ";"), "nested deeper than 32"),
        ("x" * (256 * 1024 + 1), "longer than 256 kB"),
        ("rule R salience 99999999 { when x > 1 then y = 1; }", "Salience is a whole number"),
        ("größe = 1", "Expected a rule or a declaration"),
        ("ruel R { }", "Expected a rule or a declaration"),
        ("rule R { when x > 1 then y = 1; } \x00", "does not belong here"),
    ],
)
def test_what_is_not_supported_or_wrong_is_refused_by_name(text: str, message: str) -> None:
    import re

    error = refused(text)
    assert re.search(message, error.message), error.message


def test_check_reports_every_wrong_rule() -> None:
    text = (
        "rule A { when x > then y = 1; }\n"
        "rule B { when x > 1 then y = 1; }\n"
        "rule C { when z >> 'a' then y = 1; }\n"
        'rule D { when t == "a then y = 1; }\n'
        "rule E { whn x > 1 then y = 1; }\n"
        "rule F { when fun(x) then y = 1; }\n"
    )
    lines = [error.line for error in check(text, "bad.grl")]
    assert set(lines) == {1, 3, 4, 5, 6}
    assert check(PUBLISHED_TEXT, "published.grl") == []


def test_a_suggestion_is_given_for_words_attributes_functions_and_types() -> None:
    for text, suggestion in (
        ("rule R { whn x > 1 then y = 1; }", "when"),
        ("rule R saliense 5 { when x > 1 then y = 1; }", "salience"),
        (rule("when x > 1 then y = rond(a, 2);"), "round"),
        ("input x: decimel;", "decimal"),
        ("ruel R { }", "rule"),
    ):
        assert refused(text).suggestion == suggestion


def test_a_text_of_the_largest_size_loads_in_time() -> None:
    body = 'rule R{0} salience {0} no-loop {{ when (x{0} > 1) && (t == "a") then y{0} = x{0} * 2; }}\n'
    count = (256 * 1024) // len(body.format(9999)) - 1
    text = "".join(body.format(at) for at in range(min(count, 900)))
    book = one(text)
    assert len(book.rules) == min(count, 900)
    assert book.engines["row"] == ""


def test_squaring_in_a_chain_is_refused_instead_of_growing() -> None:
    text = "".join(rule(f"when true then x{at + 1} = x{at} * x{at};", name=f"R{at}") for at in range(40))
    assert "more than" in refused(text).message


WORDS = """rule R { } when then x = == ; ( ) 1 0.5 " ' && ! - / * salience no-loop input output : decimal in .. [ ] ,
round enum ;; ß"""
words = st.sampled_from([*WORDS.split(), "\n"])


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(words, max_size=30).map(" ".join), st.text(max_size=60)))
def test_any_text_loads_or_is_refused_with_a_place(text: str) -> None:
    errors = check(text, "any.grl")
    try:
        Rulebook.parse(text, "any.grl")
    except RuleError as error:
        assert errors
        assert str(error) == str(errors[0])
    else:
        assert errors == []


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_shipped_text_with_a_piece_torn_out_loads_or_is_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(PURCHASING_TEXT)))
    end = data.draw(st.integers(start, min(len(PURCHASING_TEXT), start + 40)))
    text = PURCHASING_TEXT[:start] + PURCHASING_TEXT[end:]
    for error in check(text, "torn.grl"):
        assert str(error).startswith(f"torn.grl:{error.line}:{error.column}: ")


def nested(open_with: str, inner: str, close_with: str, depth: int) -> str:
    return open_with * depth + inner + close_with * depth


@pytest.mark.parametrize(
    "value",
    [
        " + ".join(["x"] * 60),
        nested("ceil(", "x", " * 3 / 3)", 18),
        nested("max(x, ", "1", ")", 31),
        nested("round(", "x", " / 3, 3)", 18),
        nested("(x - ", "x", ")", 31),
    ],
)
def test_the_deepest_allowed_expressions_load_and_run_at_once(value: str) -> None:
    book = one(rule(f"when x > 1 && {value} != 0.12 then y = {value};"))
    assert book.decide({"x": 2}, engine="row") == book.decide({"x": 2}, engine="reference")


def test_nested_comparisons_of_unknown_kinds_load_at_once() -> None:
    condition = nested("(", "a", " == b)", 31)
    assert refused(rule(f"when {condition} == 1 then y = 1;")).message
    assert one(rule(f"when {condition} then y = 1;")).decide({"a": True, "b": True}).fired == ("R",)


def test_a_remedy_names_what_is_near_or_what_there_is() -> None:
    assert meant("totl", ["price", "total"]) == "Did you mean total?"
    assert meant("x", ["price", "total"]) == "Known: price, total."
    assert meant("x", []) == "There is none."
    assert meant("x", [f"name{at}" for at in range(99)]).endswith("name19, ….")
