"""Queries as rules that never fire: the goal is a condition, the answers are actions, so that all checks hold for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from restock.engine.rules.errors import RuleError, SourceText
from restock.engine.rules.ir_patterns import FactProgram, FactQuery, FactRule
from restock.engine.rules.parser_blocks import ANSWERS
from restock.engine.rules.query_relations import RelationReader, fields_of_types
from restock.engine.rules.syntax import (
    ActionCall,
    Assignment,
    Binary,
    Literal,
    Query,
    Rule,
    RulebookSyntax,
)

DEFAULT_DEPTH: Final = 10
DEFAULT_SOLUTIONS: Final = 1

_MARK: Final = "query\n"
"""Begins the names of such rules; no text can write it."""


Variables = dict[str, dict[str, tuple[str, ...]]]
"""By query, and by variable of its goal, the fields that give its value."""


def with_queries(
    source: SourceText, syntax: RulebookSyntax, errors: list[RuleError]
) -> tuple[RulebookSyntax, Variables]:
    """Add the rules of the queries, and give their variables."""
    rules = list(syntax.rules)
    fields = fields_of_types(syntax)
    variables: Variables = {}
    seen: set[str] = set()
    for query in syntax.queries:
        if query.name in seen:
            errors.append(source.error(query.place, f"There is already a query '{query.name}'."))
        seen.add(query.name)
        goal = query.goal if query.condition is None else Binary("&&", query.condition, query.goal, query.place)
        try:
            goal, variables[query.name] = RelationReader(source, fields).goal(goal)
        except RuleError as error:
            errors.append(error)
            continue
        answers = dict(query.answers)
        for key, condition in zip(ANSWERS, (goal, Literal(True), Literal(True)), strict=True):
            actions = tuple(one for one in answers.get(key, ()) if isinstance(one, Assignment))
            for one in answers.get(key, ()):
                if not isinstance(one, Assignment | ActionCall):
                    errors.append(source.error(one.place, "An answer sets flat fields, or says something."))
            rules.append(Rule(f"{_MARK}{query.name}\n{key}", condition, actions, place=query.place))
    return replace(syntax, rules=tuple(rules)), variables


def split_queries(syntax: RulebookSyntax, program: FactProgram, variables: Variables) -> FactProgram:
    """Take the rules of the queries out of a program, and make queries of them."""
    own: dict[str, list[FactRule]] = {}
    for rule in program.rules:
        own.setdefault(rule.name, []).append(rule)
    rules = tuple(rule for rule in program.rules if not rule.name.startswith(_MARK))
    return replace(
        program, rules=rules, queries=tuple(_query(query, own, variables[query.name]) for query in syntax.queries)
    )


def _query(query: Query, rules: dict[str, list[FactRule]], variables: dict[str, tuple[str, ...]]) -> FactQuery:
    settings = dict(query.settings)
    depth, solutions = settings.get("max-depth", DEFAULT_DEPTH), settings.get("max-solutions", DEFAULT_SOLUTIONS)
    goals, failure, missing = (rules[f"{_MARK}{query.name}\n{key}"] for key in ANSWERS)
    return FactQuery(
        query.name, tuple(goals), failure[0], missing[0], int(depth), int(solutions), variables, query.place
    )
