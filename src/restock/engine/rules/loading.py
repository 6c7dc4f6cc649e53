"""Loads any text of the language: as a rulebook of one set of fields where it is one, else as a rulebook over facts.

A text whose name ends with .json holds rules in JSON: they become the same program, and errors name their place in it.
"""

from __future__ import annotations

from typing import Final

from restock.engine.rules.beyond import scalar_refusals
from restock.engine.rules.errors import Problems, RuleError, SourceText
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.json_rules import translated
from restock.engine.rules.parser import parse
from restock.engine.rules.resolve import resolve
from restock.engine.rules.resolve_facts import resolve_facts
from restock.engine.rules.rulebook import Rulebook
from restock.engine.rules.syntax import RulebookSyntax

JSON: Final = ".json"
"""How the name of rules in JSON ends."""


def load(text: str, name: str) -> Rulebook | FactRulebook:
    """Read and check a text. Raises RuleError for the first thing wrong, InvalidInput where JSON has another shape."""
    if not name.endswith(JSON):
        source = SourceText(name, text)
        syntax, _ = parse(source)
        return FactRulebook.parse(text, name) if _needs_facts(source, syntax) else Rulebook.parse(text, name)
    document = translated(text, name)
    source = SourceText(name, document.text)
    try:
        syntax, _ = parse(source)
        kind = FactRulebook if _needs_facts(source, syntax) else Rulebook
        return kind.parse(document.text, name)
    except RuleError as error:
        raise document.placed(error) from None


def load_rulebook(text: str, name: str) -> Rulebook:
    """Read and check rules over one set of fields. Raises as `load`, and RuleError for what needs facts, by its name."""
    if not name.endswith(JSON):
        return Rulebook.parse(text, name)
    document = translated(text, name)
    try:
        return Rulebook.parse(document.text, name)
    except RuleError as error:
        raise document.placed(error) from None


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


def _check(source: SourceText) -> list[RuleError]:
    syntax, errors = parse(source)
    try:
        if _needs_facts(source, syntax):
            resolve_facts(source, syntax)
        else:
            resolve(source, syntax)
    except Problems as problems:
        if not errors:
            return problems.errors
        known = {error.line for error in errors}
        errors += [error for error in problems.errors if error.line not in known]
    return sorted(errors, key=lambda error: (error.line, error.column))


def _needs_facts(source: SourceText, syntax: RulebookSyntax) -> bool:
    return bool(syntax.queries) or bool(scalar_refusals(source, syntax))
