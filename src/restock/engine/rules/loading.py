"""Loads any text of the language: as a rulebook of one set of fields where it is one, else as a rulebook over facts.

A text whose name ends with .json holds rules in JSON: they become the same program, and errors name their place in it.
"""

from __future__ import annotations

from typing import Final

from restock.engine.rules.beyond import first_beyond
from restock.engine.rules.errors import Place, Problems, RuleError, SourceText
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.json_rules import translated
from restock.engine.rules.parser import parse
from restock.engine.rules.resolve import resolve
from restock.engine.rules.resolve_facts import resolve_facts
from restock.engine.rules.rulebook import Rulebook

JSON: Final = ".json"
"""How the name of rules in JSON ends."""

TAKEN: Final = "`restock decide` and `restock rules check`, plan, show, explain, fmt, test and submit take it."
"""What a person can do with rules over facts where one set of fields is asked for."""


def load(text: str, name: str) -> Rulebook | FactRulebook:
    """Read and check a text. Raises RuleError for the first thing wrong, InvalidInput where JSON has another shape."""
    if not name.endswith(JSON):
        source = SourceText(name, text)
        return _loaded(source, source)
    document = translated(text, name)
    try:
        return _loaded(SourceText(name, document.text), document.source())
    except RuleError as error:
        raise document.placed(error) from None


def load_rulebook(text: str, name: str, who: str) -> Rulebook:
    """Read and check rules over one set of fields, all that `who` takes. Raises as `load`, and as `scalar`."""
    return scalar(load(text, name), who)


def scalar(book: Rulebook | FactRulebook, who: str) -> Rulebook:
    """Give a rulebook over one set of fields. Raises RuleError that says what of another needs facts, and who takes it."""
    if isinstance(book, Rulebook):
        return book
    found = first_beyond(book.source, book.syntax)
    assert found is not None, "a text with nothing beyond is a rulebook over one set of fields"
    message = f"{who} takes rules over one set of fields. {found.message} {TAKEN}"
    raise RuleError(found.rulebook, Place(found.line, found.column), found.source_line, message)


def check(text: str, name: str) -> list[RuleError]:
    """Give everything wrong with a text, in its order, at least one error for each wrong rule; empty when it loads.

    Raises InvalidInput where JSON has another shape: nothing can be said of its rules then.
    """
    if not name.endswith(JSON):
        return _check(SourceText(name, text))
    try:
        document = translated(text, name)
    except RuleError as error:
        return [error]
    return [document.placed(error) for error in _check(SourceText(name, document.text))]


def _loaded(source: SourceText, shown: SourceText) -> Rulebook | FactRulebook:
    """Load a text; errors while it decides are those of `shown`, which knows places that people know."""
    syntax, errors = parse(source)
    if errors:
        raise errors[0]
    try:
        if first_beyond(source, syntax) is None:
            return Rulebook(shown, syntax, resolve(source, syntax))
        return FactRulebook(shown, syntax, resolve_facts(source, syntax))
    except Problems as problems:
        raise problems.errors[0] from None


def _check(source: SourceText) -> list[RuleError]:
    syntax, errors = parse(source)
    try:
        if first_beyond(source, syntax) is None:
            resolve(source, syntax)
        else:
            resolve_facts(source, syntax)
    except Problems as problems:
        if not errors:
            return problems.errors
        known = {error.line for error in errors}
        errors += [error for error in problems.errors if error.line not in known]
    return sorted(errors, key=lambda error: (error.line, error.column))
