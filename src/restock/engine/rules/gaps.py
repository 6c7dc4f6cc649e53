"""Uncovered values: rules that divide the range of one number among them and leave out a piece in the middle.

`total > 10000` and `total < 10000` leave out 10000 itself: the classic slip at a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from restock.core.quantity import plain
from restock.engine.rules.finding import Finding, Severity, about
from restock.engine.rules.ir import Compare, Const, Expr, Program, Read, RuleIR, conjuncts


class Span(NamedTuple):
    """The values of a number for which a rule fires, all other conditions apart; None is no bound."""

    low: Decimal | None
    low_open: bool
    high: Decimal | None
    high_open: bool


def gaps(program: Program) -> Iterator[Finding]:
    """Look at rules that set the same field and whose conditions differ in one number only.

    One value left out is a warning; a wider piece may be left to the default on purpose.
    """
    tables: dict[tuple[str, str, frozenset[str]], list[tuple[Span, RuleIR]]] = {}
    for rule in program.rules:
        for name, span, others in _spans(rule):
            for target in rule.targets:
                tables.setdefault((target, name, others), []).append((span, rule))
    seen: set[tuple[str, str, str]] = set()
    for (target, name, _), rows in tables.items():
        unit = Decimal(1).scaleb(-program.field(name).decimals)
        for rule, first, last in _missing(rows, unit):
            missing = f"== {first:f}" if first == last else f"is from {first:f} to {last:f}"
            if (rule.name, name, missing) not in seen:
                seen.add((rule.name, name, missing))
                message = f"no rule sets {target} where {name} {missing}."
                severity: Severity = "warning" if first == last else "note"
                yield about(rule, rule.place, "gap", message, "Move a bound, or add a rule.", severity)


def _spans(rule: RuleIR) -> Iterator[tuple[str, Span, frozenset[str]]]:
    """Give each number that the condition bounds, its span, and everything else the condition asks."""
    tests = conjuncts(rule.condition)
    by_name = {name: list(group) for name, group in groupby(sorted(tests, key=_bounded), key=_bounded)}
    for name, group in by_name.items():
        if name:
            span = Span(None, False, None, False)
            for test in group:
                span = _narrowed(span, test)
            others = frozenset(repr(test) for test in tests if _bounded(test) != name)
            yield name, span, others


def _bounded(test: Expr) -> str:
    """Give the field that a test compares with a fixed number, or nothing."""
    match test:
        case Compare(operator=operator, left=Read(name=name), right=Const(kind="number")) if operator != "!=":
            return name
        case _:
            return ""


def _narrowed(span: Span, test: Expr) -> Span:
    assert isinstance(test, Compare) and isinstance(test.right, Const) and isinstance(test.right.value, Decimal)
    bound, operator = test.right.value, test.operator
    if operator in (">", ">=", "==") and (span.low is None or bound >= span.low):
        span = span._replace(low=bound, low_open=operator == ">")
    if operator in ("<", "<=", "==") and (span.high is None or bound <= span.high):
        span = span._replace(high=bound, high_open=operator == "<")
    return span


def _missing(rows: list[tuple[Span, RuleIR]], unit: Decimal) -> Iterator[tuple[RuleIR, Decimal, Decimal]]:
    """Give the first and the last value of each piece between two spans, with the rule above it.

    Single values are named one by one in most tables, so what lies beside them is no gap.
    """
    least = Decimal("-Infinity")
    ordered = sorted(rows, key=lambda row: (least if row[0].low is None else row[0].low, row[0].low_open))
    before = ordered[0][0]
    for span, rule in ordered[1:]:
        if before.high is None:
            return
        assert span.low is not None or before.low is None, "spans without a lower bound come first"
        if span.low is not None and not _is_point(before) and not _is_point(span):
            first = plain(before.high if before.high_open else before.high + unit)
            last = plain(span.low if span.low_open else span.low - unit)
            if first <= last:
                yield rule, first, last
        if span.high is None or span.high > before.high or (span.high == before.high and before.high_open):
            before = span


def _is_point(span: Span) -> bool:
    return span.low is not None and span.low == span.high
