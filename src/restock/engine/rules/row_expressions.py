"""Expressions of the row engine: from the IR to Python text over scaled integers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

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
)
from restock.engine.rules.ranges import Shapes, decimals_of, fits

_METHODS: Final = {
    "lower": "lower",
    "upper": "upper",
    "trim": "strip",
    "startsWith": "startswith",
    "endsWith": "endswith",
}


class Scaled(NamedTuple):
    """Python text of an integer expression, its decimals, and its value when it is a constant."""

    code: str
    decimals: int
    constant: int | None = None

    def at(self, decimals: int) -> str:
        """Write the expression with more decimals."""
        factor = 10 ** (decimals - self.decimals)
        if self.constant is not None:
            return literal(self.constant * factor)
        return self.code if factor == 1 else f"({self.code} * {literal(factor)})"


def literal(number: int) -> str:
    """Write an integer; a negative one in parentheses, so that it can stand anywhere."""
    return f"({number})" if number < 0 else str(number)


def scaled_constant(value: Value, decimals: int) -> str:
    """Write a fixed value as the row function holds it."""
    if isinstance(value, Decimal):
        return literal(int(EXACT.scaleb(value, decimals)))
    return repr(value)


class RowExpressions:
    """Writes expressions of one program; `names` are the Python variables of its fields."""

    def __init__(self, source: SourceText, fields: Mapping[str, Field], names: Mapping[str, str]) -> None:
        self._fields = fields
        self._names = names
        self._shapes = Shapes.measured(source, fields)

    def assigned(self, field: Field, node: Expr) -> str:
        """Write a value as the field holds it."""
        return self.number(node).at(field.decimals) if field.kind == "number" else self.plain(node)

    def may_leave(self, field: Field, node: Expr) -> bool:
        """Tell whether a value must be checked against the field's declared range when it is written."""
        if not field.checked or field.low is None or field.high is None:
            return False
        return not fits(self._shapes.shape(node), field.low, field.high)

    def condition(self, node: Expr) -> str:
        """Write a condition."""
        return self.plain(node)

    def plain(self, node: Expr) -> str:
        """Write a bool or text expression."""
        match node:
            case Const():
                return repr(node.value)
            case Read():
                return self._names[node.name]
            case Not():
                return f"(not {self.plain(node.operand)})"
            case Logic():
                word = "and" if node.operator == "&&" else "or"
                return f"({self.plain(node.left)} {word} {self.plain(node.right)})"
            case Compare():
                return self._compare(node)
            case Apply():
                return self._text_function(node)
            case _:
                raise AssertionError("numbers are written by `number`")

    def _compare(self, node: Compare) -> str:
        if kind_of(node.left) == "number":
            left, right = self.number(node.left), self.number(node.right)
            decimals = max(left.decimals, right.decimals)
            return f"({left.at(decimals)} {node.operator} {right.at(decimals)})"
        if isinstance(node.right, Const) and isinstance(node.right.value, bool):
            same = node.right.value == (node.operator == "==")
            return self.plain(node.left) if same else f"(not {self.plain(node.left)})"
        return f"({self.plain(node.left)} {node.operator} {self.plain(node.right)})"

    def _text_function(self, node: Apply) -> str:
        texts = [self.plain(argument) for argument in node.arguments]
        if node.function == "contains":
            return f"({texts[1]} in {texts[0]})"
        if node.function == "join":
            return f"join_texts({', '.join(texts)})"
        return f"{texts[0]}.{_METHODS[node.function]}({', '.join(texts[1:])})"

    def number(self, node: Expr) -> Scaled:
        """Write a number expression."""
        match node:
            case Const():
                value = node.value
                assert isinstance(value, Decimal), "the IR is typed"
                decimals = decimals_of(value)
                scaled = int(EXACT.scaleb(value, decimals))
                return Scaled(literal(scaled), decimals, scaled)
            case Read():
                return Scaled(self._names[node.name], self._fields[node.name].decimals)
            case Negate():
                inner = self.number(node.operand)
                return Scaled(f"(-{inner.code})", inner.decimals)
            case Arithmetic():
                return self._arithmetic(node)
            case Rounded():
                return self._rounded(node)
            case Apply():
                return self._number_function(node)
            case _:
                raise AssertionError("texts and bools are written by `plain`")

    def _arithmetic(self, node: Arithmetic) -> Scaled:
        left, right = self.number(node.left), self.number(node.right)
        if node.operator == "*":
            return Scaled(f"({left.code} * {right.code})", left.decimals + right.decimals)
        decimals = max(left.decimals, right.decimals)
        if node.operator == "%":
            return Scaled(f"remainder({left.at(decimals)}, {right.at(decimals)})", decimals)
        return Scaled(f"({left.at(decimals)} {node.operator} {right.at(decimals)})", decimals)

    def _rounded(self, node: Rounded) -> Scaled:
        operand = self.number(node.operand)
        if node.divisor is None:
            if node.decimals >= operand.decimals:
                return operand
            power = 10 ** (operand.decimals - node.decimals)
            return Scaled(self._quotient(node, operand.code, literal(power), power), node.decimals)
        divisor = self.number(node.divisor)
        shift = node.decimals + divisor.decimals - operand.decimals
        dividend = operand.at(operand.decimals + max(shift, 0))
        return Scaled(
            self._quotient(node, dividend, divisor.at(divisor.decimals + max(-shift, 0)), None), node.decimals
        )

    def _quotient(self, node: Rounded, dividend: str, divisor: str, power: int | None) -> str:
        """Write a rounded quotient; the frequent cases in place, the others as a call."""
        if node.mode == "floor":
            return f"({dividend} // {divisor})"
        if node.mode == "ceil":
            return f"(-(-{dividend} // {divisor}))"
        low = self._shapes.shape(node.operand).low
        if power is not None and low is not None and low >= 0 and node.mode in ("half_up", "down"):
            half = f"({dividend} + {power // 2})" if node.mode == "half_up" else dividend
            return f"({half} // {divisor})"
        return f"divide({dividend}, {divisor}, {node.mode!r})"

    def _number_function(self, node: Apply) -> Scaled:
        if node.function == "length":
            return Scaled(f"len({self.plain(node.arguments[0])})", 0)
        numbers = [self.number(argument) for argument in node.arguments]
        decimals = max(number.decimals for number in numbers)
        codes = [number.at(decimals) for number in numbers]
        if len(codes) == 2 and all(code.isalnum() for code in codes):
            sign = ">=" if node.function == "max" else "<="
            return Scaled(f"({codes[0]} if {codes[0]} {sign} {codes[1]} else {codes[1]})", decimals)
        return Scaled(f"{node.function}({', '.join(codes)})", decimals)
