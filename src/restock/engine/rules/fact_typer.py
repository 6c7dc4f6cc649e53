"""Pass 5 for facts: kinds of expressions over facts, lists and absent values."""

from __future__ import annotations

from collections.abc import Iterator

from restock.engine.rules.ir import Apply, Const, Expr, Kind, Logic, Not, Read, fields_read, kind_of, parts
from restock.engine.rules.syntax import Binary, Call, Expression, Items, Name
from restock.engine.rules.syntax_patterns import Null
from restock.engine.rules.typed import ExpressionTyper

LIST_CALLS: dict[str, Kind] = {"#count": "number", "#empty": "bool"}


class FactTyper(ExpressionTyper):
    """Types expressions whose names are written in full; knows lists and null beside what scalar rules know."""

    def _expression(self, node: Expression) -> Expr:
        if isinstance(node, Binary) and node.operator in ("==", "!=") and isinstance(node.right, Null):
            there = self._has(node.left, node)
            return there if node.operator == "!=" else Not(there, node.place)
        if isinstance(node, Binary) and node.operator == "in" and not isinstance(node.right, Items):
            held = self._list(node.right)
            value = self.typed(node.left, kind_of(held), "the list holds such values")
            return Apply("bool", "member", (held, value), node.place)
        if isinstance(node, Call) and node.function == "has" and len(node.arguments) == 1:
            return self._has(node.arguments[0], node)
        if isinstance(node, Call) and node.function.startswith("#"):
            held = self._list(node.arguments[0])
            if node.function == "#empty":
                return Apply("bool", "empty", (held,), node.place)
            if node.function == "#count":
                return Apply("number", "count", (held,), node.place)
            return Apply(kind_of(held), node.function[1:], (held,), node.place)
        return super()._expression(node)

    def _has(self, node: Expression, whole: Expression) -> Expr:
        if not isinstance(node, Name) or "." not in node.name:
            raise self._error(whole.place, "Only a field of a fact may be absent: has($o.mail), $o.mail == null.")
        return Apply("bool", "has", (self._name(node),), whole.place)

    def _list(self, node: Expression) -> Expr:
        if not isinstance(node, Name):
            raise self._error(node.place, "Expected a list: a field of a fact that holds several values.")
        return self._name(node)


def guarded(node: Expr, optional: frozenset[str]) -> Expr:
    """Make each test that reads an absent value false: put `has(x) &&` before it."""
    if not optional:
        return node
    if isinstance(node, Logic):
        left, right = guarded(node.left, optional), guarded(node.right, optional)
        return Logic(node.operator, left, right, node.place)
    if isinstance(node, Not):
        return Not(guarded(node.operand, optional), node.place)
    for name in sorted(set(_values_read(node)) & optional, reverse=True):
        there = Apply("bool", "has", (Read("text", name, node.place),), node.place)
        node = Logic("&&", there, node, node.place)
    return node


def _values_read(node: Expr) -> Iterator[str]:
    """Give the names whose values an expression needs; `has` needs none."""
    if isinstance(node, Apply) and node.function == "has":
        return
    if isinstance(node, Read):
        yield node.name
    for part in parts(node):
        yield from _values_read(part)


def always(node: Expr) -> bool:
    """Tell whether a test is the constant true."""
    return isinstance(node, Const) and node.value is True


def needed(value: Expr, optional: frozenset[str]) -> tuple[Expr, ...]:
    """Give the tests that the optional fields of a value are there."""
    names = [name for name in fields_read(value) if name in optional]
    return tuple(Apply("bool", "has", (Read("text", name),)) for name in names)
