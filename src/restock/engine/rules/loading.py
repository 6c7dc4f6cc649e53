"""Loads any text of the language: as a rulebook of one set of fields where it is one, else as a rulebook over facts."""

from __future__ import annotations

from restock.engine.rules.beyond import scalar_refusals
from restock.engine.rules.errors import Problems, RuleError, SourceText
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.parser import parse
from restock.engine.rules.resolve import resolve
from restock.engine.rules.resolve_facts import resolve_facts
from restock.engine.rules.rulebook import Rulebook
from restock.engine.rules.syntax import RulebookSyntax


def load(text: str, name: str) -> Rulebook | FactRulebook:
    """Read and check a text. Raises RuleError for the first thing wrong."""
    source = SourceText(name, text)
    syntax, _ = parse(source)
    return FactRulebook.parse(text, name) if _needs_facts(source, syntax) else Rulebook.parse(text, name)


def check(text: str, name: str) -> list[RuleError]:
    """Give everything wrong with a text, in its order, at least one error for each wrong rule; empty when it loads."""
    source = SourceText(name, text)
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
