"""Typed expressions and conditions as text: what an explanation shows of rules over facts."""

from __future__ import annotations

from typing import Final

from restock.engine.rules.ir import Apply, Arithmetic, Compare, Const, Expr, Logic, Negate, Not, Read, Rounded
from restock.engine.rules.ir_patterns import Check, Condition, Gather, Group, Match
from restock.engine.rules.printer import print_value

BETWEEN: Final = {"contains": "contains", "startsWith": "startsWith", "endsWith": "endsWith", "join": "+"}
"""Functions that stand between their two operands in a text."""

BEHIND: Final = {"count": "count", "empty": "empty", "first": "first", "last": "last"}
"""Functions of lists that stand behind the list."""


def expression_text(node: Expr, own: str = "") -> str:
    """Write an expression; fields of the fact `own` are written without it."""
    match node:
        case Const():
            return print_value(node.value)
        case Read():
            return node.name.removeprefix(f"{own}.") if own else node.name
        case Negate():
            return f"-{_part(node.operand, own)}"
        case Not():
            return f"!{_part(node.operand, own)}"
        case Arithmetic() | Compare() | Logic():
            return f"{_part(node.left, own)} {node.operator} {_part(node.right, own)}"
        case Rounded():
            divided = "" if node.divisor is None else f" / {_part(node.divisor, own)}"
            return f"round({_part(node.operand, own)}{divided}, {node.decimals}, {node.mode})"
        case Apply():
            return _applied(node, own)


def condition_text(condition: Condition) -> str:
    """Write a condition as a rule has it."""
    match condition:
        case Check():
            return expression_text(condition.test)
        case Match():
            return f"{condition.type}({_tests(condition)})"
        case Gather():
            return f"accumulate({condition.type}({_tests(condition)}), {condition.function})"
        case Group():
            inner = " || ".join(" && ".join(map(condition_text, branch)) for branch in condition.branches)
            return f"{'not' if condition.negated else 'exists'}({inner})"


def _tests(condition: Match | Gather) -> str:
    return " && ".join(expression_text(test, condition.variable) for test in condition.tests)


def _applied(node: Apply, own: str) -> str:
    parts = [_part(one, own) for one in node.arguments]
    if node.function in BETWEEN:
        return f"{parts[0]} {BETWEEN[node.function]} {parts[1]}"
    if node.function == "member":
        return f"{parts[1]} in {parts[0]}"
    if node.function in BEHIND:
        return f"{parts[0]} {BEHIND[node.function]}"
    return f"{node.function}({', '.join(expression_text(one, own) for one in node.arguments)})"


def _part(node: Expr, own: str) -> str:
    """Write a part, in parentheses when it has parts of its own."""
    text = expression_text(node, own)
    return f"({text})" if isinstance(node, Arithmetic | Compare | Logic) else text
