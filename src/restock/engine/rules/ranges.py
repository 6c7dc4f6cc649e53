"""Pass 6: decimals and ranges of every number, so that scaled integers are exact and int64 engines cannot overflow.

A sum needs the larger number of decimals of its parts, a product the sum of them; a field needs what its writes need.
Ranges follow interval arithmetic; where a loop makes one grow without end it becomes unknown, where a loop makes the
decimals grow the rulebook is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact, Overflow
from fractions import Fraction
from typing import NamedTuple

from restock.core.quantity import plain
from restock.engine.rules.arithmetic import round_fraction
from restock.engine.rules.errors import Place, SourceText
from restock.engine.rules.ir import (
    Apply,
    Arithmetic,
    Compare,
    Const,
    Expr,
    Field,
    Negate,
    Read,
    Rounded,
    RuleIR,
    kind_of,
    parts,
)
from restock.engine.rules.limits import INT64_LIMIT, MAX_DECIMALS, MAX_DIGITS, MAX_TEXT
from restock.engine.rules.syntax import NOWHERE

ROUNDS = 16
"""Rounds until a range that still grows is called unknown; rules in firing order need two."""

_WIDE = Context(prec=3 * MAX_DIGITS, traps=[Inexact, Overflow])


class Shape(NamedTuple):
    """What a number can be: how many decimals, and its range (None: unknown)."""

    decimals: int
    low: Decimal | None
    high: Decimal | None

    def magnitude(self) -> Decimal | None:
        """Give the largest absolute value."""
        return None if self.low is None or self.high is None else max(-self.low, self.high)

    def join(self, other: Shape) -> Shape:
        """Give the shape that holds both."""
        low = None if self.low is None or other.low is None else min(self.low, other.low)
        high = None if self.high is None or other.high is None else max(self.high, other.high)
        return Shape(max(self.decimals, other.decimals), low, high)


class Widest(NamedTuple):
    """The number, field or intermediate, that needs most room: |value| x 10^decimals (None: unknown), and its place."""

    scaled: Decimal | None
    place: Place


@dataclass(frozen=True)
class Ranges:
    """Fields with decimals and ranges filled in, and the widest number of all."""

    fields: dict[str, Field]
    widest: Widest

    def int64(self) -> str:
        """Say why int64 cannot hold every number, or nothing when it can."""
        if self.widest.scaled is None:
            return f"line {self.widest.place.line}: the range of a number is unknown; declare the ranges of the inputs."
        if self.widest.scaled < INT64_LIMIT:
            return ""
        return (
            f"line {self.widest.place.line}: a number may need {self.widest.scaled.adjusted() + 1} digits,"
            " more than an int64 holds; declare narrower ranges or round."
        )


def measure(source: SourceText, fields: Mapping[str, Field], rules: tuple[RuleIR, ...]) -> Ranges:
    """Find decimals and ranges of all fields. Raises RuleError where decimals or digits pass the limits."""
    analysis = Shapes(source, fields)
    for round_number in range(2 * ROUNDS):
        before = dict(analysis.shapes)
        for rule in rules:
            for write in rule.writes:
                if kind_of(write.value) == "number":
                    analysis.write(write.target, write.value, write.place)
        changed = [name for name, shape in analysis.shapes.items() if shape != before[name]]
        if not changed:
            break
        if round_number >= ROUNDS:
            analysis.widen(changed, before)
    else:
        raise source.error(rules[0].place, "The decimals of a number grow without end in a loop of rules; round it.")
    return analysis.result(rules)


class Shapes:
    """Shapes of fields and expressions, from declarations and, once measured, from all writes."""

    def __init__(self, source: SourceText, fields: Mapping[str, Field]) -> None:
        self._source = source
        self._fields = dict(fields)
        self.shapes = {name: _declared(one) for name, one in fields.items() if one.kind == "number"}
        self._unchecked: set[str] = set()
        self._widest = Widest(Decimal(0), NOWHERE)
        self._known: dict[int, Shape] = {}

    @classmethod
    def measured(cls, source: SourceText, fields: Mapping[str, Field]) -> Shapes:
        """Take the shapes of fields that `measure` filled in."""
        shapes = cls(source, fields)
        shapes.shapes = {
            name: Shape(one.decimals, one.low, one.high) for name, one in fields.items() if one.kind == "number"
        }
        return shapes

    def write(self, target: str, value: Expr, place: Place) -> None:
        """Take in an assignment."""
        self._known.clear()
        shape, one = self.shape(value), self._fields[target]
        if one.declared and shape.decimals > one.decimals:
            raise self._source.error(
                place,
                f"'{target}' has {one.decimals} decimals, this value can have {shape.decimals};"
                f" write round(..., {one.decimals}, half_up).",
            )
        if one.low is not None and one.high is not None:
            if not fits(shape, one.low, one.high):
                self._unchecked.add(target)
            low = one.low if shape.low is None else min(max(shape.low, one.low), one.high)
            shape = Shape(shape.decimals, low, one.high if shape.high is None else max(min(shape.high, one.high), low))
        self.shapes[target] = self.shapes[target].join(shape)

    def widen(self, names: list[str], before: Mapping[str, Shape]) -> None:
        """Call unknown the bounds that still move."""
        for name in names:
            old, new = before[name], self.shapes[name]
            low = new.low if new.low == old.low else None
            self.shapes[name] = Shape(new.decimals, low, new.high if new.high == old.high else None)

    def result(self, rules: tuple[RuleIR, ...]) -> Ranges:
        """Give the fields filled in, and the widest number of fields and expressions."""
        self._widest = Widest(Decimal(0), NOWHERE)
        self._known.clear()
        for rule in rules:
            for node in (rule.condition, *(write.value for write in rule.writes)):
                self._all_numbers(node)
        filled = dict(self._fields)
        for name, shape in self.shapes.items():
            checked, declared = name in self._unchecked, filled[name]
            bounds = (declared.low, declared.high) if checked else (shape.low, shape.high)
            filled[name] = replace(declared, decimals=shape.decimals, low=bounds[0], high=bounds[1], checked=checked)
            if filled[name].role == "output":
                self._note(shape, filled[name].place)
        return Ranges(filled, self._widest)

    def _all_numbers(self, node: Expr) -> None:
        if kind_of(node) == "number":
            self.shape(node)
            return
        if isinstance(node, Compare) and kind_of(node.left) == "number":
            left, right = self.shape(node.left), self.shape(node.right)
            decimals = max(left.decimals, right.decimals)
            self._note(left._replace(decimals=decimals), node.place)
            self._note(right._replace(decimals=decimals), node.place)
            return
        for part in parts(node):
            self._all_numbers(part)

    def shape(self, node: Expr) -> Shape:
        """Give the shape of a number expression; raises RuleError past the limits.

        Shapes are remembered until a field changes: some parts are asked for twice at each level of nesting.
        """
        known = self._known.get(id(node))
        if known is not None:
            return known
        result = self._shape(node)
        magnitude = result.magnitude()
        too_long = magnitude is not None and magnitude.adjusted() + result.decimals > MAX_DIGITS
        if result.decimals > MAX_DECIMALS or too_long:
            limit = f"{MAX_DECIMALS} decimals" if result.decimals > MAX_DECIMALS else f"{MAX_DIGITS} digits"
            raise self._source.error(node.place, f"This number can need more than {limit}; round it.")
        self._note(result, node.place)
        self._known[id(node)] = result
        return result

    def _note(self, shape: Shape, place: Place) -> None:
        magnitude = shape.magnitude()
        if self._widest.scaled is None:
            return
        scaled = None if magnitude is None else magnitude.scaleb(shape.decimals, _WIDE)
        if scaled is None or scaled > self._widest.scaled:
            self._widest = Widest(scaled, place)

    def _shape(self, node: Expr) -> Shape:
        match node:
            case Const():
                value = node.value if isinstance(node.value, Decimal) else Decimal(0)
                return Shape(decimals_of(value), value, value)
            case Read():
                return self.shapes[node.name]
            case Negate():
                inner = self.shape(node.operand)
                return Shape(inner.decimals, _minus(inner.high), _minus(inner.low))
            case Arithmetic():
                return self._arithmetic(node)
            case Rounded():
                return self._rounded(node)
            case Apply():
                return self._applied(node)
            case _:
                raise AssertionError("only numbers have a shape")

    def _arithmetic(self, node: Arithmetic) -> Shape:
        left, right = self.shape(node.left), self.shape(node.right)
        decimals = max(left.decimals, right.decimals)
        match node.operator:
            case "+":
                return Shape(decimals, _add(left.low, right.low), _add(left.high, right.high))
            case "-":
                return Shape(decimals, _add(left.low, _minus(right.high)), _add(left.high, _minus(right.low)))
            case "%":
                return Shape(decimals, left.low and min(left.low, Decimal(0)), left.high and max(left.high, Decimal(0)))
            case _:
                return self._product(node, left, right)

    def _product(self, node: Arithmetic, left: Shape, right: Shape) -> Shape:
        decimals = left.decimals + right.decimals
        if None in (left.low, left.high, right.low, right.high):
            return Shape(decimals, None, None)
        corners = [
            _WIDE.multiply(one, other)
            for one in (left.low, left.high)
            for other in (right.low, right.high)
            if one is not None and other is not None
        ]
        multiple = self._multiple_of(node.left, node.right) or self._multiple_of(node.right, node.left)
        low, high = min(corners), max(corners)
        return Shape(decimals, low, high if multiple is None else min(high, multiple))

    def _multiple_of(self, quotient: Expr, step: Expr) -> Decimal | None:
        """Bound ceil(a / step) * step by a + step, which interval arithmetic alone cannot see."""
        if not isinstance(quotient, Rounded) or quotient.divisor != step or quotient.decimals:
            return None
        operand, width = self.shape(quotient.operand), self.shape(step)
        if operand.high is None or width.high is None or width.low is None or width.low < 0:
            return None
        return _WIDE.add(max(operand.high, Decimal(0)), width.high)

    def _rounded(self, node: Rounded) -> Shape:
        operand = self.shape(node.operand)
        if operand.low is None or operand.high is None:
            if node.divisor is not None:
                self.shape(node.divisor)
            return Shape(node.decimals, None, None)
        low, high = Fraction(operand.low), Fraction(operand.high)
        if node.divisor is not None:
            divisor = self.shape(node.divisor)
            least = Fraction(1, 10**divisor.decimals)
            positive = divisor.low is not None and divisor.low >= 0
            if positive and divisor.low is not None:
                least = max(least, Fraction(divisor.low))
            largest = max(abs(low), abs(high)) / least
            low, high = (-largest if low < 0 or not positive else Fraction(0)), largest
        decimals = min(node.decimals, operand.decimals) if node.divisor is None else node.decimals
        return Shape(
            decimals,
            round_fraction(low, node.decimals, "floor" if node.divisor else node.mode),
            round_fraction(high, node.decimals, "ceil" if node.divisor else node.mode),
        )

    def _applied(self, node: Apply) -> Shape:
        if node.function == "length":
            return Shape(0, Decimal(0), Decimal(MAX_TEXT))
        shapes = [self.shape(argument) for argument in node.arguments]
        decimals = max(shape.decimals for shape in shapes)
        if node.function == "abs":
            return Shape(decimals, Decimal(0), shapes[0].magnitude())
        pick = max if node.function == "max" else min
        lows = [shape.low for shape in shapes if shape.low is not None]
        highs = [shape.high for shape in shapes if shape.high is not None]
        all_low, all_high = len(lows) == len(shapes), len(highs) == len(shapes)
        return Shape(decimals, pick(lows) if all_low else None, pick(highs) if all_high else None)


def decimals_of(value: Decimal) -> int:
    """Give how many decimals a value has without its trailing zeros."""
    exponent = plain(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def fits(shape: Shape, low: Decimal, high: Decimal) -> bool:
    """Tell whether every number of this shape lies within the bounds."""
    return shape.low is not None and shape.high is not None and low <= shape.low and shape.high <= high


def _declared(one: Field) -> Shape:
    if one.role == "input":
        return Shape(one.decimals, one.low, one.high)
    default = one.default if isinstance(one.default, Decimal) else Decimal(0)
    return Shape(max(one.decimals, decimals_of(default)), default, default)


def _minus(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value


def _add(left: Decimal | None, right: Decimal | None) -> Decimal | None:
    return None if left is None or right is None else _WIDE.add(left, right)
