"""Pass 5 for facts: kinds of expressions over facts, lists and absent values."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from restock.engine.rules.errors import SourceText
from restock.engine.rules.ir import Apply, Const, Expr, Kind, fields_read, kind_of
from restock.engine.rules.syntax import Binary, Call, Expression, Items, Name
from restock.engine.rules.typed import ExpressionTyper

LIST_CALLS: dict[str, Kind] = {"#count": "number", "#empty": "bool"}


class FactTyper(ExpressionTyper):
    """Types expressions whose names are written in full; knows lists and fields of facts beside what scalar rules know."""

    def __init__(
        self,
        source: SourceText,
        kinds: Mapping[str, Kind],
        allowed: Mapping[str, tuple[str, ...]],
        absent: Collection[str],
        of_facts: Collection[str],
    ) -> None:
        super().__init__(source, kinds, allowed, absent)
        self._of_facts = of_facts

    def _expression(self, node: Expression) -> Expr:
        if isinstance(node, Binary) and node.operator == "in" and not isinstance(node.right, Items):
            held = self._list(node.right)
            value = self.typed(node.left, kind_of(held), "the list holds such values")
            return Apply("bool", "member", (held, value), node.place)
        if isinstance(node, Call) and node.function.startswith("#"):
            held = self._list(node.arguments[0])
            if node.function == "#empty":
                return Apply("bool", "empty", (held,), node.place)
            if node.function == "#count":
                return Apply("number", "count", (held,), node.place)
            return Apply(kind_of(held), node.function[1:], (held,), node.place)
        return super()._expression(node)

    def _presence(self, node: Expression, whole: Expression) -> Expr:
        if isinstance(node, Name) and node.name in self._of_facts:
            return Apply("bool", "has", (self._name(node),), whole.place)
        return super()._presence(node, whole)

    def _list(self, node: Expression) -> Expr:
        if not isinstance(node, Name):
            raise self._error(node.place, "Expected a list: a field of a fact that holds several values.")
        return self._name(node)


def always(node: Expr) -> bool:
    """Tell whether a test is the constant true."""
    return isinstance(node, Const) and node.value is True


def needed(value: Expr, asked: Mapping[str, Expr]) -> tuple[Expr, ...]:
    """Give the tests that what may be absent in a value is there."""
    return tuple(asked[name] for name in fields_read(value) if name in asked)
