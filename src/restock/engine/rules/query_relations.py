"""Goals with variables: `parent(?x, "bob") WHERE Person(name == ?x)` as patterns that are joined where a variable returns.

A variable gets its value from the first pattern that gives it one; wherever it stands again, the values must be equal, which
is unification over facts. Arguments without a name are the fields of the type in the order of their declarations. Patterns
are looked at before tests and negations, so that `NOT banned(?x)` may stand anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Final

from restock.engine.rules.errors import Place, RuleError, SourceText, nearest
from restock.engine.rules.fact_scopes import MAX_ALTERNATIVES
from restock.engine.rules.syntax import (
    Binary,
    Call,
    Expression,
    FieldDeclaration,
    Literal,
    Name,
    RulebookSyntax,
    Unary,
    children,
    rebuilt,
)
from restock.engine.rules.syntax_patterns import Pattern, Quantified, Where

AGGREGATES: Final = ("count", "sum", "avg", "average", "min", "max", "first", "last")
"""Goals of the published language that add up solutions; here `accumulate` does."""

Bound = dict[str, str]
"""By variable the field that gives its value."""


def fields_of_types(syntax: RulebookSyntax) -> dict[str, tuple[str, ...]]:
    """Give by type its declared fields in the order of the text."""
    found: dict[str, tuple[str, ...]] = {}
    for one in syntax.declarations:
        if isinstance(one, FieldDeclaration) and "." in one.name:
            kind, _, path = one.name.partition(".")
            found[kind] = (*found.get(kind, ()), path)
    return found


class RelationReader:
    """Reads the goal of one query."""

    def __init__(self, source: SourceText, fields: Mapping[str, tuple[str, ...]]) -> None:
        self._source = source
        self._fields = fields
        self._count = 0

    def goal(self, node: Expression) -> tuple[Expression, dict[str, tuple[str, ...]]]:
        """Give the goal as patterns and tests, and for each variable the fields that give its value. Raises RuleError."""
        variables: dict[str, tuple[str, ...]] = {}
        alternatives: list[Expression] = []
        for conjuncts in self._alternatives(node):
            bound: Bound = {}
            patterns = [self._pattern(one, bound) for one in conjuncts if self._is_pattern(one)]
            others = [self._inside(one, bound) for one in conjuncts if not self._is_pattern(one)]
            alternatives.append(reduce(lambda left, right: Binary("&&", left, right, node.place), patterns + others))
            for name, field in bound.items():
                variables[name] = (*variables.get(name, ()), field)
        return reduce(lambda left, right: Binary("||", left, right, node.place), alternatives), variables

    def _alternatives(self, node: Expression) -> list[list[Expression]]:
        """Split at WHERE and `&&`, and at those `||` between which variables get their values."""
        match node:
            case Where(goal=Call(function=word)) if word in AGGREGATES and word not in self._fields:
                reason = f"'{word}(…) WHERE' is not supported; write accumulate(Order($v: total), sum($v)) > 0."
                raise self._source.error(node.place, reason)
            case Where():
                return self._both(node.goal, node.condition, node.place)
            case Binary(operator="&&"):
                return self._both(node.left, node.right, node.place)
            case Binary(operator="||") if self._has_relations(node):
                return self._few(self._alternatives(node.left) + self._alternatives(node.right), node.place)
            case _:
                return [[node]]

    def _both(self, left: Expression, right: Expression, place: Place) -> list[list[Expression]]:
        return self._few([a + b for a in self._alternatives(left) for b in self._alternatives(right)], place)

    def _few(self, found: list[list[Expression]], place: Place) -> list[list[Expression]]:
        if len(found) > MAX_ALTERNATIVES:
            raise self._source.error(place, f"'||' between patterns gives more than {MAX_ALTERNATIVES} alternatives.")
        return found

    def _has_relations(self, node: Expression) -> bool:
        return self._is_pattern(node) or _is_variable(node) or any(map(self._has_relations, children(node)))

    def _is_pattern(self, node: Expression) -> bool:
        if isinstance(node, Call):
            return node.function in self._fields or any(map(_is_variable, node.arguments))
        return isinstance(node, Pattern)

    def _pattern(self, node: Expression, bound: Bound) -> Pattern:
        """Give a pattern that names its fact; what its variables get is added to `bound`."""
        if isinstance(node, Call):
            kind, name, tests = node.function, "", list(node.arguments)
        else:
            assert isinstance(node, Pattern), "only these are patterns"
            kind, name, tests = node.type, node.variable, _conjuncts(node.condition)
        self._count += 1
        variable = name or f"$?{self._count}"
        done = [
            self._test(variable, one, bound) for one in self._named(kind, tests, isinstance(node, Call), node.place)
        ]
        condition = reduce(lambda left, right: Binary("&&", left, right, node.place), done) if done else None
        return Pattern(kind, condition, variable, node.place)

    def _named(self, kind: str, tests: list[Expression], call: bool, place: Place) -> list[Expression]:
        """Write arguments by place as tests of the fields that stand there."""
        if not call and not any(map(_is_variable, tests)):
            return tests
        fields = iter(self._fields.get(kind, ()))
        found: list[Expression] = []
        for one in tests:
            if not _is_variable(one) and not isinstance(one, Literal):
                found.append(one)
                continue
            field = next(fields, "")
            if not field:
                meant = nearest(kind, self._fields) if kind not in self._fields else ""
                message = (
                    f"'{kind}' has no field for this argument; declare its fields in order: input {kind}.name: text;"
                )
                raise self._source.error(one.place if _is_variable(one) else place, message, meant)
            found.append(Binary("==", Name(field, one.place), one, one.place))
        return found

    def _test(self, variable: str, node: Expression, bound: Bound) -> Expression:
        """Give a test of a pattern; the first that asks for equality gives a variable its value, and is always true."""
        if isinstance(node, Binary) and node.operator == "==":
            field, asked = (node.left, node.right) if _is_variable(node.right) else (node.right, node.left)
            if isinstance(field, Name) and isinstance(asked, Name) and self._is_new(field, asked, bound):
                bound[asked.name] = f"{variable}.{field.name}"
                return Binary("==", field, field, node.place)
        return self._inside(node, bound)

    def _is_new(self, field: Name, asked: Name, bound: Bound) -> bool:
        return _is_variable(asked) and asked.name not in bound and not _is_variable(field)

    def _inside(self, node: Expression, bound: Bound) -> Expression:
        """Write fields for variables; what a negation or one side of `||` gives a value stays inside."""
        if isinstance(node, Name) and _is_variable(node):
            if node.name not in bound:
                raise self._unbound(node)
            return replace(node, name=bound[node.name])
        if self._is_pattern(node):
            return self._pattern(node, bound)
        if isinstance(node, Quantified):
            return replace(node, condition=self._inside(node.condition, dict(bound)))
        if isinstance(node, Unary) or (isinstance(node, Binary) and node.operator == "||"):
            return rebuilt(node, lambda part: self._inside(part, dict(bound)))
        return rebuilt(node, lambda part: self._inside(part, bound))

    def _unbound(self, node: Name) -> RuleError:
        message = f"Nothing before gives '{node.name}' a value; a pattern does: Order(customer == {node.name})."
        return self._source.error(node.place, message)


def _is_variable(node: Expression) -> bool:
    return isinstance(node, Name) and node.name.startswith("?")


def _conjuncts(node: Expression | None) -> list[Expression]:
    if node is None:
        return []
    if isinstance(node, Binary) and node.operator == "&&":
        return [*_conjuncts(node.left), *_conjuncts(node.right)]
    return [node]
