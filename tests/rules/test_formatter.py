"""The formatter: canonical, stable, and it loses no comment and no meaning."""

from __future__ import annotations

import pytest
from rules_world import PUBLISHED, PUBLISHED_TEXT, PURCHASING, PURCHASING_TEXT

from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.formatter import formatted

TEXT = """// about the file
input x : integer;   // how many
/* block
   of two lines */
rule   A  salience 5 { when // inside
  (x > 1) then y = 1 }  // behind A
;; MODULE: LINE
// about B
rule B { when x > 2 then y = 2; }
// the end"""


def test_comments_stay_before_what_they_are_about() -> None:
    assert (
        formatted(TEXT, "a.grl")
        == """// about the file
// how many
input x: integer;

/* block
of two lines */
// inside
// behind A
rule A salience 5 {
    when
        x > 1
    then
        y = 1;
}

;; MODULE: LINE

// about B
rule B {
    when
        x > 2
    then
        y = 2;
}

// the end
"""
    )


@pytest.mark.parametrize("text", [TEXT, PUBLISHED_TEXT, PURCHASING_TEXT])
def test_formatting_twice_changes_nothing_more(text: str) -> None:
    once = formatted(text, "a.grl")
    assert formatted(once, "a.grl") == once
    assert once.count("//") == text.count("//")


def test_the_formatted_text_is_the_same_rulebook() -> None:
    for book in (PUBLISHED, PURCHASING):
        assert Rulebook.parse(formatted(book.text, book.name), book.name).version == book.version


def test_a_text_that_cannot_be_read_is_not_formatted() -> None:
    with pytest.raises(RuleError, match="Expected a value"):
        formatted("rule R { when x > then y = 1; }", "a.grl")
