"""Queries as rules that never fire: the goal is a condition, the answers are actions, so that all checks hold for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from restock.engine.rules.errors import RuleError, SourceText
from restock.engine.rules.ir_patterns import FactProgram, FactQuery, FactRule
from restock.engine.rules.parser_blocks import ANSWERS
from restock.engine.rules.syntax import (
    ActionCall,
    Assignment,
    Binary,
    Call,
    Expression,
    Literal,
    Name,
    Query,
    Rule,
    RulebookSyntax,
    children,
)
from restock.engine.rules.syntax_patterns import Where

DEFAULT_DEPTH: Final = 10
DEFAULT_SOLUTIONS: Final = 1

_MARK: Final = "query\n"
"""Begins the names of such rules; no text can write it."""


def with_queries(source: SourceText, syntax: RulebookSyntax, errors: list[RuleError]) -> RulebookSyntax:
    """Add the rules of the queries."""
    rules = list(syntax.rules)
    seen: set[str] = set()
    for query in syntax.queries:
        if query.name in seen:
            errors.append(source.error(query.place, f"There is already a query '{query.name}'."))
        seen.add(query.name)
        for place_of in _refused(query.goal):
            errors.append(source.error(place_of.place, place_of.reason))
        goal = query.goal if query.condition is None else Binary("&&", query.condition, query.goal, query.place)
        answers = dict(query.answers)
        for key, condition in zip(ANSWERS, (goal, Literal(True), Literal(True)), strict=True):
            actions = tuple(one for one in answers.get(key, ()) if isinstance(one, Assignment))
            for one in answers.get(key, ()):
                if not isinstance(one, Assignment | ActionCall):
                    errors.append(source.error(one.place, "An answer sets flat fields, or says something."))
            rules.append(Rule(f"{_MARK}{query.name}\n{key}", condition, actions, place=query.place))
    return replace(syntax, rules=tuple(rules))


class _Refusal(Exception):
    def __init__(self, node: Expression, reason: str) -> None:
        super().__init__(reason)
        self.place = node.place
        self.reason = reason


def _refused(node: Expression) -> list[_Refusal]:
    """Refuse relations: goals are about fields and facts."""
    if isinstance(node, Where):
        reason = "'WHERE' over relations is not supported; write a pattern: $o: Order(total > 100), exists(Order(...))."
        return [_Refusal(node, reason)]
    if isinstance(node, Call) and any(isinstance(one, Name) and one.name.startswith("?") for one in node.arguments):
        reason = f"'{node.function}(?x)' is a relation; goals are about facts: $o: Order(total > 100)."
        return [_Refusal(node, reason)]
    return [found for child in children(node) for found in _refused(child)]


def split_queries(syntax: RulebookSyntax, program: FactProgram) -> FactProgram:
    """Take the rules of the queries out of a program, and make queries of them."""
    own: dict[str, list[FactRule]] = {}
    for rule in program.rules:
        own.setdefault(rule.name, []).append(rule)
    rules = tuple(rule for rule in program.rules if not rule.name.startswith(_MARK))
    return replace(program, rules=rules, queries=tuple(_query(query, own) for query in syntax.queries))


def _query(query: Query, rules: dict[str, list[FactRule]]) -> FactQuery:
    settings = dict(query.settings)
    depth, solutions = settings.get("max-depth", DEFAULT_DEPTH), settings.get("max-solutions", DEFAULT_SOLUTIONS)
    goals, failure, missing = (rules[f"{_MARK}{query.name}\n{key}"] for key in ANSWERS)
    return FactQuery(query.name, tuple(goals), failure[0], missing[0], int(depth), int(solutions), query.place)
