"""Texts and trees: both name styles, every attribute, aliases, comments, and print as the inverse of parse."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_world import PUBLISHED, PUBLISHED_TEXT, PURCHASING, PURCHASING_TEXT, both, one, rule

from restock.engine.rules import Rulebook
from restock.engine.rules.errors import SourceText
from restock.engine.rules.parser import parse
from restock.engine.rules.parser_expressions import RESERVED
from restock.engine.rules.printer import print_rulebook
from restock.engine.rules.syntax import (
    Assignment,
    Attribute,
    Binary,
    Call,
    EnumDeclaration,
    Expression,
    FieldDeclaration,
    Items,
    Literal,
    Log,
    Name,
    Rule,
    RulebookSyntax,
    Statement,
    TypeName,
    Unary,
)


def parsed(text: str) -> RulebookSyntax:
    syntax, errors = parse(SourceText("test.grl", text))
    assert not errors, errors[0]
    return syntax


@pytest.mark.parametrize("book", [PUBLISHED, PURCHASING], ids=lambda book: book.name)
def test_the_canonical_text_is_the_same_rulebook(book: Rulebook) -> None:
    again = Rulebook.parse(book.print(), book.name)
    assert again.version == book.version
    assert again.print() == book.print()


def test_the_shipped_texts_print_and_parse_to_equal_trees() -> None:
    for text in (PUBLISHED_TEXT, PURCHASING_TEXT):
        syntax = parsed(text)
        assert parsed(print_rulebook(syntax)) == syntax


words = st.from_regex(r"[a-z_ä][a-zA-Z0-9_]{0,6}(\.[a-z]{1,3})?", fullmatch=True).filter(
    lambda word: (
        word not in RESERVED
        and word.partition(".")[0] not in RESERVED
        and word not in ("test", "exists", "forall", "accumulate", "matches", "count", "first", "last", "empty", "from")
        and word not in ("has", "avg", "now", "random", "collect", "average", "not_empty", "no", "log", "retract")
    )
)
simple_words = words.filter(lambda word: "." not in word)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n\t"\\;&|>='), max_size=8)
numbers = st.decimals(0, 10**6, places=3).map(lambda number: number.normalize())
literals = st.one_of(numbers, st.booleans(), texts).map(Literal)


def trees(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    signs = [
        "||",
        "&&",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "contains",
        "startsWith",
        "endsWith",
    ]
    return st.one_of(
        st.builds(Binary, st.sampled_from(signs), inner, inner),
        st.builds(Unary, st.sampled_from(["-", "!"]), inner),
        st.builds(Call, simple_words, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Binary, st.just("in"), inner, st.builds(Items, st.lists(inner, min_size=1, max_size=2).map(tuple))),
    )


expressions = st.recursive(st.one_of(literals, words.map(Name)), trees, max_leaves=12)
assignments = st.builds(Assignment, words.filter(lambda word: not word.startswith("Log")), expressions)
logs = st.builds(Log, st.lists(expressions, max_size=2).map(tuple))
attributes = st.lists(
    st.one_of(
        st.builds(Attribute, st.sampled_from(["agenda-group", "date-effective", "activation-group"]), texts),
        st.builds(Attribute, st.sampled_from(["lock-on-active", "auto-focus"]), st.booleans()),
    ),
    max_size=2,
    unique_by=lambda attribute: attribute.name,
).map(tuple)
rules = st.builds(
    Rule,
    name=st.one_of(simple_words, texts),
    condition=expressions,
    actions=st.lists(st.one_of(assignments, logs), max_size=2).map(tuple),
    description=texts,
    salience=st.integers(-10, 10),
    no_loop=st.booleans(),
    attributes=attributes,
    module=st.sampled_from(["MAIN", "LINE", "ORDER"]),
)
bounds = st.tuples(st.integers(-9, 9).map(Decimal), st.integers(10, 99).map(Decimal))
declarations = st.one_of(
    st.builds(
        lambda role, name, kind, ends, default: FieldDeclaration(role, name, kind, *(ends or (None, None)), default),
        st.sampled_from(["input", "output"]),
        words,
        st.none() | st.builds(TypeName, st.just("decimal"), st.just(9), st.just(2)) | st.just(TypeName("bool")),
        st.none() | bounds,
        st.none() | expressions,
    ),
    st.builds(EnumDeclaration, words, st.lists(texts, min_size=1, max_size=3).map(tuple)),
    st.builds(Statement, st.just("assume"), st.just(""), expressions),
    st.builds(Statement, st.just("invariant"), texts, expressions),
)


@settings(max_examples=400, deadline=None)
@given(st.builds(RulebookSyntax, st.lists(declarations, max_size=3).map(tuple), st.lists(rules, max_size=3).map(tuple)))
def test_parsing_what_is_printed_gives_the_same_tree(syntax: RulebookSyntax) -> None:
    assert parsed(print_rulebook(syntax)) == syntax


def test_both_styles_of_names_and_descriptions_parse() -> None:
    syntax = parsed('rule A "about a" salience 3 no-loop true { when x then y = 1; }\nrule "B c" { when x then y = 2 }')
    assert [(found.name, found.description, found.salience, found.no_loop) for found in syntax.rules] == [
        ("A", "about a", 3, True),
        ("B c", "", 0, False),
    ]


@pytest.mark.parametrize(
    ("words", "symbols"),
    [
        ("x eq 1", "x == 1"),
        ("x ne 1", "x != 1"),
        ("x gt 1", "x > 1"),
        ("x gte 1", "x >= 1"),
        ("x lt 1", "x < 1"),
        ("x lte 1", "x <= 1"),
        ("t starts_with 'a'", 't startsWith "a"'),
        ("t not_contains 'a'", '!(t contains "a")'),
        ("test(x > 1)", "x > 1"),
    ],
)
def test_operators_written_as_words_are_the_same(words: str, symbols: str) -> None:
    assert parsed(rule(f"when {words} then y = 1;")) == parsed(rule(f"when {symbols} then y = 1;"))


def test_comments_of_every_kind_are_skipped_and_modules_are_read() -> None:
    text = """
    // line  /* not open
    /* block // still
       block */
    ;; just a comment
    ;; MODULE: LINE
    rule A { when x /* here */ > 1 then y = 1;; z = 2; }
    ;; MODULE: ORDER
    rule B { when x > 2 then y = 3; } // end"""
    assert [(found.name, found.module, len(found.actions)) for found in parsed(text).rules] == [
        ("A", "LINE", 2),
        ("B", "ORDER", 1),
    ]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("round(2.5, 0)", "3"),
        ("round(2.5, 0, half_even)", "2"),
        ("round(-2.5, 0, half_up)", "-3"),
        ("round(2.1, 0, up)", "3"),
        ("round(-2.9, 0, down)", "-2"),
        ("floor(-0.5)", "-1"),
        ("ceil(-0.5)", "0"),
        ("ceil(x / 4)", "3"),
        ("floor(x / 4)", "2"),
        ("round(x / 3, 2)", "3.33"),
        ("abs(-x)", "10"),
        ("round(avg(x, 1, 2), 3)", "4.333"),
        ("floor(average(x, 3))", "6"),
        ("min(x, 3, 4)", "3"),
        ("max(x, 3) * 2", "20"),
        ("sum(x, 1, 2)", "13"),
        ("-7 % 3", "-1"),
        ('length("größe")', "5"),
        ('length(upper("ab") + trim("  c "))', "3"),
    ],
)
def test_functions_give_their_values(expression: str, value: str) -> None:
    book = one("input x: decimal(5,2);\noutput y: decimal;\n" + rule(f"when x > 0 then y = {expression};"))
    assert str(both(book, {"x": 10}).outputs["y"]) == value


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('contains(t, "bc")', True),
        ('t startsWith "ab"', True),
        ('endsWith(lower("ABC"), "bc")', True),
        ('t in ["x", "abc"]', True),
        ('!(t in ["x", "abc"])', False),
        ("x in [1, 10.0]", True),
        ('t == "abc" || round(1 / (x - 10), 2) > 1', True),
    ],
)
def test_tests_give_their_answers(condition: str, holds: bool) -> None:
    book = one("input x: decimal(5,2);\ninput t: text;\n" + rule(f"when {condition} then y = 1;"))
    assert (both(book, {"x": 10, "t": "abc"}).fired == ("R",)) is holds


def test_a_rule_may_be_named_like_a_word_of_the_language_when_quoted() -> None:
    book = Rulebook.parse('rule "then" { when x > 0 then y = 1; }', "quoted")
    assert book.rules[0].name == "then"
    assert Rulebook.parse(book.print(), "again").rules[0].name == "then"
