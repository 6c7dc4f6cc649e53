"""Expressions over facts as Python functions: the same values as `reference.evaluate`, without walking a tree.

They raise ArithmeticError or OverflowError where the reference has no value; the network then leaves increments alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, cast

from restock.engine.rules.arithmetic import EXACT, round_fraction
from restock.engine.rules.ir import (
    Apply,
    Arithmetic,
    Compare,
    Const,
    Expr,
    Logic,
    Negate,
    Not,
    Read,
    Rounded,
    RoundingMode,
)
from restock.engine.rules.reference import FUNCTIONS

Naming = Callable[[str], str]
"""From the name that is read to Python text."""


def _rounded(operand: Decimal, divisor: Decimal | None, decimals: int, mode: RoundingMode) -> Decimal:
    exact = Fraction(operand)
    if divisor is not None:
        exact /= Fraction(divisor)
    return round_fraction(exact, decimals, mode)


def _remainder(left: Decimal, right: Decimal) -> Decimal:
    if right == 0:
        raise ZeroDivisionError
    return EXACT.remainder(left, right)


_SPACE: Final[dict[str, object]] = {
    "Decimal": Decimal,
    "add": EXACT.add,
    "subtract": EXACT.subtract,
    "multiply": EXACT.multiply,
    "remainder": _remainder,
    "rounded": _rounded,
    "functions": FUNCTIONS,
}

_ARITHMETIC: Final = {"+": "add", "-": "subtract", "*": "multiply", "%": "remainder"}


class Code:
    """Writes expressions; numbers become names, so that nothing is read again at each call."""

    def __init__(self) -> None:
        self._space = dict(_SPACE)
        self._numbers: dict[Decimal, str] = {}

    def bind(self, name: str, value: object) -> None:
        """Give the functions a name to call."""
        self._space[name] = value

    def text(self, node: Expr, names: Naming) -> str:
        """Write an expression."""
        match node:
            case Const(value=Decimal() as value):
                return self._number(value)
            case Const():
                return repr(node.value)
            case Read():
                return names(node.name)
            case Not():
                return f"(not {self.text(node.operand, names)})"
            case Logic():
                word = "and" if node.operator == "&&" else "or"
                return f"({self.text(node.left, names)} {word} {self.text(node.right, names)})"
            case Compare():
                return f"({self.text(node.left, names)} {node.operator} {self.text(node.right, names)})"
            case Apply():
                return self._applied(node, names)
            case _:
                return self._computed(node, names)

    def _computed(self, node: Negate | Arithmetic | Rounded, names: Naming) -> str:
        match node:
            case Negate():
                return f"{self.text(node.operand, names)}.copy_negate()"
            case Arithmetic():
                left, right = self.text(node.left, names), self.text(node.right, names)
                return f"{_ARITHMETIC[node.operator]}({left}, {right})"
            case Rounded():
                divisor = "None" if node.divisor is None else self.text(node.divisor, names)
                return f"rounded({self.text(node.operand, names)}, {divisor}, {node.decimals}, {node.mode!r})"

    def _applied(self, node: Apply, names: Naming) -> str:
        texts = [self.text(argument, names) for argument in node.arguments]
        if node.function == "has":
            return f"({texts[0]} is not None)"
        if node.function == "member":
            return f"({texts[1]} in {texts[0]})"
        return f"functions[{node.function!r}]({', '.join(texts)})"

    def _number(self, value: Decimal) -> str:
        name = self._numbers.setdefault(value, f"c{len(self._numbers)}")
        self._space[name] = value
        return name

    def function(self, parameters: str, body: str) -> Callable[..., object]:
        """Compile a function."""
        made = eval(compile(f"lambda {parameters}: {body}", "<network>", "eval"), self._space)  # noqa: S307 - from the IR
        return cast(Callable[..., object], made)


def conjunction(texts: Sequence[str]) -> str:
    """Join tests; empty when there are none."""
    return " and ".join(texts)
