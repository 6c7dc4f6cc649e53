"""Expressions of the rules as SQL terms. What has no value (a division by 0, a text past the limits) is NULL.

SQL looks at operands in any order, so where the left operand of `&&` or `||` may have no value a CASE keeps the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.errors import SourceText
from restock.engine.rules.ir import (
    Apply,
    Arithmetic,
    Compare,
    Const,
    Expr,
    Field,
    Logic,
    Negate,
    Not,
    Read,
    Rounded,
    Value,
    kind_of,
    walk,
)
from restock.engine.rules.ranges import Shapes, decimals_of
from restock.engine.rules.reference import Undefined, evaluate
from restock.engine.rules.sql.layers import Layers
from restock.engine.rules.sql.rounding import rounded
from restock.engine.rules.sql.terms import INT64, Integers, Term, whole
from restock.engine.rules.sql.texts import Texts

ReadField = Callable[[str], Term]


class Expressions:
    """Writes expressions of one program; `read` gives the present column of a field."""

    def __init__(
        self, source: SourceText, fields: Mapping[str, Field], layers: Layers, integers: Integers, texts: Texts
    ) -> None:
        self._layers = layers
        self._integers = integers
        self._texts = texts
        self._shapes = Shapes.measured(source, fields)

    def value(self, node: Expr, read: ReadField) -> Term:
        """Write an expression of any kind."""
        constant = _constant(node)
        if constant is not None:
            return literal(constant)
        match kind_of(node):
            case "number":
                return self._bounded(node, self._number(node, read))
            case "text":
                return self._text(node, read)
            case _:
                return self._condition(node, read)

    def decoded(self, term: Term) -> Term:
        """Give the text of a coded column."""
        return self._texts.decoded(term)

    def _condition(self, node: Expr, read: ReadField) -> Term:
        match node:
            case Read():
                return read(node.name)
            case Not():
                inner = self.value(node.operand, read)
                return self._integers.made(f"(NOT {inner.code})", (inner,), 0, 0)
            case Logic():
                return self._logic(node, read)
            case Compare():
                return self._compare(node, read)
            case Apply():
                return self._texts.test(node.function, *(self.value(one, read) for one in node.arguments))
            case _:
                raise AssertionError("the IR is typed")

    def _logic(self, node: Logic, read: ReadField) -> Term:
        left, right = self.value(node.left, read), self.value(node.right, read)
        both = node.operator == "&&"
        if left.undefined:
            left = self._layers.column("test", left)
            code = f"CASE WHEN {left.code} THEN {right.code} WHEN NOT {left.code} THEN FALSE END"
            if not both:
                code = f"CASE WHEN {left.code} THEN TRUE WHEN NOT {left.code} THEN {right.code} END"
        else:
            code = f"({left.code} {'AND' if both else 'OR'} {right.code})"
        return self._integers.made(code, (left, right), 0, 0)

    def _compare(self, node: Compare, read: ReadField) -> Term:
        left, right = self.value(node.left, read), self.value(node.right, read)
        sign = {"==": "=", "!=": "<>"}.get(node.operator, node.operator)
        if kind_of(node.left) == "number":
            left, right = self._integers.alike(left, right)
        elif kind_of(node.left) == "text":
            return self._texts.compare(sign, left, right)
        elif isinstance(right.constant, bool):
            same = right.constant == (node.operator == "==")
            return left if same else self._integers.made(f"(NOT {left.code})", (left,), 0, 0)
        return self._integers.made(f"({left.code} {sign} {right.code})", (left, right), 0, 0)

    def _text(self, node: Expr, read: ReadField) -> Term:
        if isinstance(node, Read):
            return read(node.name)
        assert isinstance(node, Apply), "the IR is typed"
        terms = [self._layers.column("text", self.value(one, read)) for one in node.arguments]
        return self._texts.join(*terms) if node.function == "join" else self._texts.changed(node.function, terms[0])

    def _number(self, node: Expr, read: ReadField) -> Term:
        integers = self._integers
        match node:
            case Read():
                return read(node.name)
            case Negate():
                return integers.negate(self.value(node.operand, read))
            case Arithmetic():
                return self._arithmetic(node, read)
            case Rounded():
                return self._rounded(node, read)
            case Apply():
                terms = [self.value(one, read) for one in node.arguments]
                return self._texts.length(terms[0]) if node.function == "length" else self._chosen(node.function, terms)
            case _:
                raise AssertionError("the IR is typed")

    def _arithmetic(self, node: Arithmetic, read: ReadField) -> Term:
        integers = self._integers
        left, right = self.value(node.left, read), self.value(node.right, read)
        if node.operator == "*":
            low, high = self._range(node, left.decimals + right.decimals)
            return integers.multiply(left, right, low, high)
        left, right = integers.alike(left, right)
        if node.operator == "%":
            return integers.remainder(left, integers.divisor(right))
        return integers.add(left, right) if node.operator == "+" else integers.subtract(left, right)

    def _rounded(self, node: Rounded, read: ReadField) -> Term:
        integers, layers = self._integers, self._layers
        operand = self.value(node.operand, read)
        if node.divisor is None:
            if node.decimals >= operand.decimals:
                return operand
            divisor = whole(10 ** (operand.decimals - node.decimals))
        else:
            divisor = self.value(node.divisor, read)
            shift = node.decimals + divisor.decimals - operand.decimals
            operand = integers.at(operand, operand.decimals + max(shift, 0))
            divisor = layers.column("divisor", integers.at(divisor, divisor.decimals + max(-shift, 0)))
            divisor = layers.column("divisor", integers.divisor(divisor))
        return replace(rounded(integers, layers, operand, divisor, node.mode), decimals=node.decimals)

    def _chosen(self, function: str, terms: list[Term]) -> Term:
        """Write abs, min and max; GREATEST passes over NULL, so what may have no value is looked at first."""
        decimals = max(term.decimals for term in terms)
        terms = [self._layers.column("part", self._integers.at(term, decimals)) for term in terms]
        known = [term.constant for term in terms if isinstance(term.constant, int)]
        if len(known) == len(terms):
            return whole({"abs": abs(known[0]), "min": min(known), "max": max(known)}[function], decimals)
        lows, highs = [term.low for term in terms], [term.high for term in terms]
        if function == "abs":
            bounds = (max(0, lows[0], -highs[0]), max(-lows[0], highs[0]))
            return replace(self._integers.made(f"ABS({terms[0].code})", (terms[0],), *bounds), decimals=decimals)
        pick = max if function == "max" else min
        word = "GREATEST" if function == "max" else "LEAST"
        code = f"{word}({', '.join(term.code for term in terms)})"
        open_terms = [f"{term.code} IS NULL" for term in terms if term.undefined]
        if open_terms:
            code = f"CASE WHEN {' OR '.join(open_terms)} THEN NULL ELSE {code} END"
        made = self._integers.made(code, tuple(terms), pick(lows), pick(highs))
        return replace(made, decimals=decimals)

    def _bounded(self, node: Expr, term: Term) -> Term:
        """Add what the analysis of ranges knows beyond the arithmetic of intervals."""
        if term.constant is not None:
            return term
        low, high = self._range(node, term.decimals)
        least = term.low if low is None else max(term.low, low)
        most = term.high if high is None else min(term.high, high)
        known = replace(term, low=least, high=most)
        return self._integers.slim(known) if known.wide and least >= -INT64 and most < INT64 else known

    def _range(self, node: Expr, decimals: int) -> tuple[int | None, int | None]:
        shape = self._shapes.shape(node)
        scale = 10**decimals
        low = None if shape.low is None else -int(-Fraction(shape.low) * scale // 1)
        high = None if shape.high is None else int(Fraction(shape.high) * scale // 1)
        return low, high


def literal(value: Value, decimals: int | None = None) -> Term:
    """Give a fixed value; a number with as many decimals as it has, or as asked."""
    if isinstance(value, Decimal):
        places = decimals_of(value) if decimals is None else decimals
        return whole(int(EXACT.scaleb(value, places)), places)
    if isinstance(value, bool):
        return Term("TRUE" if value else "FALSE", constant=value)
    return Term("'" + value.replace("'", "''") + "'", low=len(value), high=len(value), constant=value)


def _constant(node: Expr) -> Value | None:
    """Give the value of an expression that reads nothing; None when it reads or has none."""
    if isinstance(node, Const):
        return node.value
    if any(isinstance(part, Read) for part in walk(node)):
        return None
    try:
        return evaluate(node, {})
    except Undefined:
        return None
