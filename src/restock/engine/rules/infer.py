"""Pass 3: kinds of fields that the text does not declare, from their use.

A field compared with true is a bool, one compared with a text is a text, one in arithmetic or under `<` is a number,
two fields compared or assigned have the same kind; what nothing decides is a number. The first use decides; a later use
that disagrees is an error there, raised by `resolve`.
"""

from __future__ import annotations

from collections.abc import Iterable

from restock.engine.rules.ir import Kind
from restock.engine.rules.syntax import Assignment, Binary, Call, Element, Expression, Items, Literal, Name, Rule, Unary

AVERAGES = frozenset({"avg", "average"})
"""Functions that divide: they stand directly inside one of `ROUNDING`."""

ROUNDING = frozenset({"round", "floor", "ceil"})

NUMERIC_FUNCTIONS = frozenset({"abs", "min", "max", "sum"}) | ROUNDING | AVERAGES
"""Functions of numbers that give a number."""

TEXT_FUNCTIONS = frozenset({"lower", "upper", "trim", "lowercase", "uppercase"})
"""Functions of a text that give a text."""

TEXT_TESTS = frozenset({"contains", "startsWith", "endsWith", "startswith", "endswith"})
"""Tests of two texts."""

_LOGIC = frozenset({"&&", "||"})
_ARITHMETIC = frozenset({"-", "*", "/", "%", "<", "<=", ">", ">="})


def infer_kinds(
    known: dict[str, Kind],
    rules: Iterable[Rule],
    conditions: Iterable[Expression],
    undecided: set[str] | None = None,
) -> dict[str, Kind]:
    """Give the kinds of `known` fields and of every other field that the rules and conditions name.

    Runs until nothing new is learnt, which is after at most as many rounds as there are fields. What nothing decides is a
    number; its names are added to `undecided`.
    """
    kinds = dict(known)
    inference = _Inference(kinds)
    all_rules, all_conditions = list(rules), list(conditions)
    before = -1
    while len(kinds) != before:
        before = len(kinds)
        for rule in all_rules:
            inference.visit(rule.condition, "bool")
            for action in rule.actions:
                if isinstance(action, Assignment):
                    inference.same(Name(action.target), action.value)
        for condition in all_conditions:
            inference.visit(condition, "bool")
    if undecided is not None:
        undecided |= set(inference.seen) - set(kinds)
    for name in inference.seen:
        kinds.setdefault(name, "number")
    return kinds


class _Inference:
    def __init__(self, kinds: dict[str, Kind]) -> None:
        self._kinds = kinds
        self.seen: dict[str, None] = {}

    def same(self, left: Expression, right: Expression) -> None:
        """Learn from two expressions of equal kind."""
        left_kind = self.visit(left, None)
        right_kind = self.visit(right, left_kind)
        if left_kind is None and right_kind is not None:
            self._push(left, right_kind)

    def _push(self, node: Expression, kind: Kind) -> None:
        """Give a kind to a name, or to the names of a sum; never visits anything twice, so long sums stay cheap."""
        if isinstance(node, Name):
            self._kinds.setdefault(node.name, kind)
        elif isinstance(node, Binary) and node.operator == "+":
            self._push(node.left, kind)
            self._push(node.right, kind)

    def visit(self, node: Expression, expected: Kind | None) -> Kind | None:
        """Learn from an expression whose kind is expected, and give its kind if that is known."""
        match node:
            case Literal():
                return literal_kind(node)
            case Name():
                self.seen[node.name] = None
                if expected is not None:
                    self._kinds.setdefault(node.name, expected)
                return self._kinds.get(node.name)
            case Unary():
                kind: Kind = "bool" if node.operator == "!" else "number"
                self.visit(node.operand, kind)
                return kind
            case Binary():
                return self._binary(node, expected)
            case Call():
                return self._call(node)
            case Items():
                found = [self.visit(item, expected) for item in node.items]
                return next((kind for kind in found if kind is not None), None)
            case Element():
                return None

    def _binary(self, node: Binary, expected: Kind | None) -> Kind | None:
        if node.operator == "+":
            wanted: Kind | None = "number" if expected == "bool" else expected
            left = self.visit(node.left, wanted)
            right = self.visit(node.right, left or wanted)
            if left is None and right is not None:
                self._push(node.left, right)
            return left or right
        if node.operator in ("==", "!=", "in"):
            self.same(node.left, node.right)
            return "bool"
        part: Kind = "text"
        if node.operator in _LOGIC:
            part = "bool"
        elif node.operator in _ARITHMETIC:
            part = "number"
        self.visit(node.left, part)
        self.visit(node.right, part)
        return "number" if node.operator in ("-", "*", "/", "%") else "bool"

    def _call(self, node: Call) -> Kind | None:
        part: Kind | None = None
        result: Kind | None = None
        if node.function in NUMERIC_FUNCTIONS:
            part = result = "number"
        elif node.function in TEXT_FUNCTIONS:
            part = result = "text"
        elif node.function in TEXT_TESTS:
            part, result = "text", "bool"
        elif node.function == "length":
            part, result = "text", "number"
        arguments = node.arguments[:2] if node.function == "round" else node.arguments
        for argument in arguments:
            self.visit(argument, part)
        return result


def literal_kind(node: Literal) -> Kind:
    """Give the kind of a literal."""
    if isinstance(node.value, bool):
        return "bool"
    return "text" if isinstance(node.value, str) else "number"
