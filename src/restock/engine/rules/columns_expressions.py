"""Expressions over columns: from the IR to any kind of column, with a proof that each int64 on the way fits.

The same walk serves Polars and NumPy. It raises `TooWide` where a number, also one that only exists between two
operations, may need more than an int64; then columns refuse the rulebook with that sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.columns_algebra import (
    Algebra,
    Bounded,
    Column,
    applied_text,
    both,
    either,
    inverted,
    magnitude,
    product,
    remainder_column,
    rounded_quotient,
)
from restock.engine.rules.columns_plan import closed_texts
from restock.engine.rules.errors import Place
from restock.engine.rules.ir import (
    Apply,
    Arithmetic,
    Compare,
    Const,
    Expr,
    Logic,
    Negate,
    Not,
    Program,
    Read,
    Rounded,
    Value,
    kind_of,
    parts,
)
from restock.engine.rules.limits import INT64_LIMIT, MAX_TEXT
from restock.engine.rules.ranges import Shape, Shapes


class TooWide(Exception):
    """A number may not fit into an int64; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts that have codes, and the fields that hold codes instead of texts."""

    known: tuple[str, ...]
    closed: frozenset[str]
    codes: dict[str, int]

    @classmethod
    def of(cls, program: Program) -> Texts:
        """Find them."""
        closed, known = closed_texts(program)
        return cls(known, closed, {text: at for at, text in enumerate(known)})

    def code(self, text: str) -> int | None:
        """Give the code of a text, or None when it has none."""
        return self.codes.get(text)


@dataclass(frozen=True, slots=True)
class Number:
    """A column of scaled numbers with its decimals and its range; a fixed number is an int."""

    value: Column
    decimals: int
    low: int
    high: int

    def bounded(self) -> Bounded:
        """Give the column with its range."""
        return Bounded(self.value, self.low, self.high)


class ColumnExpressions:
    """Writes expressions of one program; `column` gives the present version of a field, or None for its default."""

    def __init__(self, algebra: Algebra, shapes: Shapes, texts: Texts, defaults: Mapping[str, Value | None]) -> None:
        self._algebra = algebra
        self._shapes = shapes
        self._texts = texts
        self._defaults = defaults
        self.column: Callable[[str], Column | None]

    def value(self, node: Expr, decimals: int, *, coded: bool) -> Column:
        """Give a value as a field of so many decimals holds it; `coded` texts as codes."""
        kind = kind_of(node)
        if kind == "number":
            return self.at(self.number(node), decimals, node.place).value
        if kind == "bool":
            return self.test(node)
        if not coded:
            return self.plain_text(node)
        text, is_code = self._text(node)
        assert is_code or isinstance(text, str), "a coded field only gets known texts"
        return self._texts.code(text) if isinstance(text, str) else text

    def test(self, node: Expr) -> Column:
        """Give a bool column, or a fixed bool."""
        match node:
            case Const():
                return bool(node.value)
            case Read():
                found = self.column(node.name)
                return bool(self._defaults[node.name]) if found is None else found
            case Not():
                return inverted(self.test(node.operand))
            case Logic():
                join = both if node.operator == "&&" else either
                return join(self.test(node.left), self.test(node.right))
            case Compare():
                return self._compare(node)
            case Apply():
                return self._applied_text(node)
            case _:
                raise AssertionError("numbers are written by `number`")

    def _compare(self, node: Compare) -> Column:
        if kind_of(node.left) == "number":
            left, right = self.number(node.left), self.number(node.right)
            decimals = max(left.decimals, right.decimals)
            one, other = (self.at(side, decimals, node.place).value for side in (left, right))
            return _OPERATORS[node.operator](one, other)
        if kind_of(node.left) == "bool":
            one, other = self.test(node.left), self.test(node.right)
            if isinstance(one, bool):
                one, other = other, one
            if isinstance(other, bool):
                return one if other == (node.operator == "==") else inverted(one)
            return _OPERATORS[node.operator](one, other)
        same = self._same_text(node.left, node.right)
        return same if node.operator == "==" else inverted(same)

    def _same_text(self, left: Expr, right: Expr) -> Column:
        (one, one_coded), (other, other_coded) = self._text(left), self._text(right)
        if isinstance(one, str) and isinstance(other, str):
            return one == other
        if isinstance(one, str):
            one, one_coded, other, other_coded = other, other_coded, one, one_coded
        if isinstance(other, str) and one_coded:
            code = self._texts.code(other)
            return False if code is None else one == code
        if one_coded and other_coded:
            return one == other
        decoded = [
            self._algebra.decoded(side, self._texts.known) if coded else side
            for side, coded in ((one, one_coded), (other, other_coded))
        ]
        return decoded[0] == decoded[1]

    def plain_text(self, node: Expr) -> Column:
        """Give a text column, or a fixed text; codes are decoded."""
        text, coded = self._text(node)
        return self._algebra.decoded(text, self._texts.known) if coded else text

    def _text(self, node: Expr) -> tuple[Column, bool]:
        """Give a text and whether the column holds codes; a fixed text is a text."""
        match node:
            case Const():
                return node.value, False
            case Read():
                found = self.column(node.name)
                if found is None or isinstance(found, str):
                    return (self._defaults[node.name] if found is None else found), False
                return found, node.name in self._texts.closed
            case Apply():
                return self._applied_text(node), False
            case _:
                raise AssertionError("the IR is typed")

    def _applied_text(self, node: Apply) -> Column:
        return applied_text(self._algebra, node.function, [self.plain_text(part) for part in node.arguments])

    def number(self, node: Expr) -> Number:
        """Give a number column. Raises TooWide."""
        value, decimals = self._number(node)
        return self._fitting(value, decimals, self._shapes.shape(node), node.place)

    def _number(self, node: Expr) -> tuple[Column, int]:
        match node:
            case Const():
                return scaled_number(node.value, decimals := self._shapes.shape(node).decimals), decimals
            case Read():
                found, decimals = self.column(node.name), self._shapes.shape(node).decimals
                return (scaled_number(self._defaults[node.name], decimals) if found is None else found), decimals
            case Negate():
                inner = self.number(node.operand)
                return -inner.value, inner.decimals
            case Arithmetic():
                return self._arithmetic(node)
            case Rounded():
                return self._rounded(node)
            case Apply():
                return self._applied(node)
            case _:
                raise AssertionError("texts and bools are written elsewhere")

    def _arithmetic(self, node: Arithmetic) -> tuple[Column, int]:
        left, right = self.number(node.left), self.number(node.right)
        if node.operator == "*":
            return product(left.value, right.value), left.decimals + right.decimals
        decimals = max(left.decimals, right.decimals)
        one, other = (self.at(side, decimals, node.place) for side in (left, right))
        if node.operator == "%":
            return remainder_column(self._algebra, one.bounded(), other.bounded()), decimals
        return (one.value + other.value if node.operator == "+" else one.value - other.value), decimals

    def _rounded(self, node: Rounded) -> tuple[Column, int]:
        operand = self.number(node.operand)
        if node.divisor is None:
            if node.decimals >= operand.decimals:
                return operand.value, operand.decimals
            power = 10 ** (operand.decimals - node.decimals)
            self._fitting(power, 0, Shape(0, Decimal(power), Decimal(power)), node.place)
            step = Bounded(power, power, power)
            return rounded_quotient(self._algebra, operand.bounded(), step, node.mode), node.decimals
        divisor = self.number(node.divisor)
        shift = node.decimals + divisor.decimals - operand.decimals
        over = self.at(operand, operand.decimals + max(shift, 0), node.place)
        under = self.at(divisor, divisor.decimals + max(-shift, 0), node.place)
        return rounded_quotient(self._algebra, over.bounded(), under.bounded(), node.mode), node.decimals

    def _applied(self, node: Apply) -> tuple[Column, int]:
        if node.function == "length":
            return self._applied_text(node), 0
        numbers = [self.number(argument) for argument in node.arguments]
        decimals = max(number.decimals for number in numbers)
        first, *others = (self.at(number, decimals, node.place) for number in numbers)
        if node.function == "abs":
            return magnitude(self._algebra, first.bounded()), decimals
        pick, fixed = (self._algebra.larger, max) if node.function == "max" else (self._algebra.smaller, min)
        result = first.value
        for other in others:
            both_fixed = isinstance(result, int) and isinstance(other.value, int)
            result = fixed(result, other.value) if both_fixed else pick(result, other.value)
        return result, decimals

    def at(self, number: Number, decimals: int, place: Place) -> Number:
        """Give a number with more decimals. Raises TooWide."""
        factor = 10 ** (decimals - number.decimals)
        if factor == 1:
            return number
        low, high = number.low * factor, number.high * factor
        _refuse_wide(low, high, place)
        return Number(number.value * factor, decimals, low, high)

    def _fitting(self, value: Column, decimals: int, shape: Shape, place: Place) -> Number:
        if shape.low is None or shape.high is None:
            message = "the range of a number is unknown; declare the ranges of the inputs"
            raise TooWide(f"line {place.line}: {message}")
        low = int(EXACT.scaleb(shape.low, decimals).to_integral_value(ROUND_FLOOR, EXACT))
        high = int(EXACT.scaleb(shape.high, decimals).to_integral_value(ROUND_CEILING, EXACT))
        _refuse_wide(low, high, place)
        return Number(value, decimals, low, high)

    def fails(self, node: Expr) -> Column:
        """Give where an expression may have no value, or one only the row function knows; such rows go the careful way."""
        if isinstance(node, Logic):
            left, right = self.fails(node.left), self.fails(node.right)
            if right is False:
                return left
            looked_at = self.test(node.left) if node.operator == "&&" else inverted(self.test(node.left))
            return either(left, both(looked_at, right))
        result: Column = self._fails_itself(node)
        for part in parts(node):
            result = either(result, self.fails(part))
        return result

    def _fails_itself(self, node: Expr) -> Column:
        if isinstance(node, Rounded) and node.divisor is not None:
            return self._zero(node.divisor)
        if isinstance(node, Arithmetic) and node.operator == "%":
            return self._zero(node.right)
        if not isinstance(node, Apply) or kind_of(node) != "text":
            return False
        texts = [self.plain_text(part) for part in node.arguments]
        if node.function == "join":
            one, other = (applied_text(self._algebra, "length", [text]) for text in texts)
            return one + other > MAX_TEXT
        return inverted(applied_text(self._algebra, "ascii", texts)) if node.function in ("lower", "upper") else False

    def _zero(self, divisor: Expr) -> Column:
        number = self.number(divisor)
        return number.value == 0 if number.low <= 0 <= number.high else False


def scaled_number(value: Value | None, decimals: int) -> int:
    """Give a fixed number as columns hold it."""
    assert isinstance(value, Decimal), "the IR is typed"
    return int(EXACT.scaleb(value, decimals))


def _refuse_wide(low: int, high: int, place: Place) -> None:
    widest = max(-low, high)
    if widest >= INT64_LIMIT:
        message = f"a number may need {len(str(widest))} digits, more than an int64 holds"
        raise TooWide(f"line {place.line}: {message}; declare narrower ranges or round")


_OPERATORS: Mapping[str, Callable[[Column, Column], Column]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
