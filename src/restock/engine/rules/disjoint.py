"""Whether two conditions can be true together: a simple syntactic and interval check, never wrong when it says no.

Used for ties: two rules of equal salience whose conditions exclude one another cannot race. A proof engine may later
find more pairs; this finds `x < y` against `x >= y`, disjoint ranges of one field, and different fixed values.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from restock.engine.rules.ir import Compare, Const, Expr, Not, Read, Value, conjuncts, kind_of

_OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_EXCLUDED: Final = {
    "<": frozenset({">", ">=", "=="}),
    "<=": frozenset({">"}),
    ">": frozenset({"<", "<=", "=="}),
    ">=": frozenset({"<"}),
    "==": frozenset({"<", ">", "!="}),
    "!=": frozenset({"=="}),
}
"""For equal operands: the operators that cannot hold together with this one."""


def exclusive(first: Expr, second: Expr) -> bool:
    """Tell whether the conditions can never both be true; False means nothing was found."""
    left = [_normal(one) for one in conjuncts(first)]
    right = [_normal(one) for one in conjuncts(second)]
    return any(_contradict(one, other) for one in left for other in right)


def fixed_values(condition: Expr) -> dict[str, Value]:
    """Give the fields that a condition fixes to a constant: `category == "a" && ...`. A quick way to tell many apart."""
    found: dict[str, Value] = {}
    for test in conjuncts(condition):
        match test:
            case Compare(operator="==", left=Read(name=name), right=Const(value=value)):
                found.setdefault(name, value)
            case _:
                pass
    return found


def _normal(test: Expr) -> Expr:
    """Push `!` into a comparison, turn a bare bool into a comparison with true, put constants on the right."""
    if isinstance(test, Not):
        inner = _normal(test.operand)
        if isinstance(inner, Compare):
            return Compare(_OPPOSITE[inner.operator], inner.left, inner.right, inner.place)
        return Not(inner, test.place)
    if isinstance(test, Read) and kind_of(test) == "bool":
        return Compare("==", test, Const("bool", True), test.place)
    if isinstance(test, Compare):
        return _boolean(_mirrored(test))
    return test


def _mirrored(test: Compare) -> Compare:
    if isinstance(test.left, Const) and not isinstance(test.right, Const):
        return Compare(_MIRRORED[test.operator], test.right, test.left, test.place)
    return test


def _boolean(test: Compare) -> Compare:
    """Write comparisons with a bool as `== true` or `== false`."""
    if test.operator == "!=" and isinstance(test.right, Const) and isinstance(test.right.value, bool):
        return Compare("==", test.left, Const("bool", not test.right.value), test.place)
    return test


def _contradict(first: Expr, second: Expr) -> bool:
    if not isinstance(first, Compare) or not isinstance(second, Compare):
        negated = isinstance(first, Not) and first.operand == second
        return negated or (isinstance(second, Not) and second.operand == first)
    if first.left == second.left and first.right == second.right:
        return second.operator in _EXCLUDED[first.operator]
    if first.left == second.right and first.right == second.left:
        return _MIRRORED[second.operator] in _EXCLUDED[first.operator]
    if first.left != second.left or not isinstance(first.right, Const) or not isinstance(second.right, Const):
        return False
    one, other = first.right.value, second.right.value
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return _apart(first.operator, one, second.operator, other)
    return first.operator == second.operator == "==" and one != other


def _apart(first: str, one: Decimal, second: str, other: Decimal) -> bool:
    """Tell whether `x first one` and `x second other` exclude one another, for different or equal bounds."""
    if first in ("<", "<=") and second in (">", ">=", "=="):
        return one < other
    if first in (">", ">=") and second in ("<", "<=", "=="):
        return one > other
    if first == "==":
        tests = {"==": one == other, "<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}
        return not tests.get(second, True)
    return False
