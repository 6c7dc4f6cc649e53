"""`matches`: a whole text against a pattern with `*`, written as tests that every engine has.

The published engine has three meanings for it. Here a star stands for any characters and everything else for itself, so
that no pattern can be slow. Other patterns (`?`, a star in two places inside) are refused by name.
"""

from __future__ import annotations

from decimal import Decimal

from restock.engine.rules.errors import Place, RuleError, SourceText
from restock.engine.rules.syntax import Binary, Call, Expression, Literal, Unary


def wildcard(source: SourceText, node: Binary) -> Expression:
    """Write `text matches "pattern"` as comparisons. Raises RuleError for a pattern that has no such form."""
    pattern = node.right.value if isinstance(node.right, Literal) else None
    if not isinstance(pattern, str):
        raise _refused(source, node, "'matches' takes a text in quotes.")
    if "?" in pattern:
        raise _refused(source, node, "In 'matches' only '*' stands for other characters; '?' is not supported.")
    if "*" not in pattern:
        return _test(node, "==", pattern)
    head, *inner, tail = pattern.split("*")
    middle = [part for part in inner if part]
    if not middle:
        return _ends(node, head, tail)
    if len(middle) == 1 and not head and not tail:
        return _test(node, "contains", middle[0])
    raise _refused(source, node, '\'matches\' takes one star inside, or one at each end: "a*b", "*a*".')


def _ends(node: Binary, head: str, tail: str) -> Expression:
    tests: list[Expression] = [
        _test(node, word, part) for word, part in (("startsWith", head), ("endsWith", tail)) if part
    ]
    if len(tests) == 2:
        length = Call("length", (node.left,), node.place)
        tests.append(Binary(">=", length, Literal(Decimal(len(head + tail)), node.place), node.place))
    if len(tests) < 2:
        return tests[0] if tests else _test(node, "startsWith", "")
    return Unary("!", _any([Unary("!", test, node.place) for test in tests], node.place), node.place)


def _any(tests: list[Unary], place: Place) -> Expression:
    """Join with `||`: three tests in one conjunct, so that explanations show `matches` as it was written."""
    first, second, third = tests
    return Binary("||", Binary("||", first, second, place), third, place)


def _test(node: Binary, operator: str, text: str) -> Expression:
    return Binary(operator, node.left, Literal(text, node.right.place), node.place)


def _refused(source: SourceText, node: Binary, message: str) -> RuleError:
    return source.error(node.right.place, message)
