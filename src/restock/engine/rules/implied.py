"""What holds by ranges and by other conditions, without a solver: never wrong when it says yes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from restock.engine.rules.disjoint import exclusive
from restock.engine.rules.errors import SourceText
from restock.engine.rules.ir import Compare, Const, Expr, Field, Not, Program, Read, RuleIR, Value, fields_read, kind_of
from restock.engine.rules.ranges import Shapes


class Values:
    """Which values fields can have at all: numbers by range, texts and bools by what is ever written."""

    def __init__(self, source: SourceText, program: Program) -> None:
        self._shapes = Shapes.measured(source, program.fields())
        self._finite = {one.name: _possible(one, program) for one in program.fields().values()}

    def never(self, test: Expr) -> bool:
        """Tell whether a condition is false for all values its fields can have."""
        return self._known(test) is False

    def always(self, test: Expr) -> bool:
        """Tell whether a condition is true for all values its fields can have."""
        return self._known(test) is True

    def _known(self, test: Expr) -> bool | None:
        match test:
            case Const():
                return bool(test.value)
            case Not():
                inner = self._known(test.operand)
                return None if inner is None else not inner
            case Read():
                return self._among(test, "==", True)
            case Compare() if kind_of(test.left) == "number":
                return self._by_range(test)
            case Compare(operator=operator, left=Read() as read, right=Const(value=value)):
                return self._among(read, operator, value)
            case _:
                return None

    def _among(self, read: Read, operator: str, value: Value) -> bool | None:
        possible = self._finite.get(read.name)
        if possible is None:
            return None
        if value not in possible:
            return operator == "!="
        return operator == "==" if len(possible) == 1 else None

    def _by_range(self, test: Compare) -> bool | None:
        left, right = self._shapes.shape(test.left), self._shapes.shape(test.right)
        below, at_most = _below(left.high, right.low), _at_most(left.high, right.low)
        above, at_least = _below(right.high, left.low), _at_most(right.high, left.low)
        match test.operator:
            case "<":
                return _decided(below, at_least)
            case "<=":
                return _decided(at_most, above)
            case ">":
                return _decided(above, at_most)
            case ">=":
                return _decided(at_least, below)
            case "==":
                return _decided(at_most and at_least, below or above)
            case _:
                return _decided(below or above, at_most and at_least)


def _below(one: Decimal | None, other: Decimal | None) -> bool:
    return one is not None and other is not None and one < other


def _at_most(one: Decimal | None, other: Decimal | None) -> bool:
    return one is not None and other is not None and one <= other


def _decided(true: bool, false: bool) -> bool | None:
    return True if true else False if false else None


def _possible(one: Field, program: Program) -> set[Value] | None:
    """Give the values a text or a bool can have; None when any."""
    if one.kind == "number":
        return None
    if one.role == "input":
        return set(one.values) or ({True, False} if one.kind == "bool" else None)
    found: set[Value] = {one.default} if one.default is not None else set()
    for rule in program.rules:
        for write in rule.writes:
            if write.target == one.name:
                if not isinstance(write.value, Const):
                    return set(one.values) or None
                found.add(write.value.value)
    return found


def implied(test: Expr, premises: Iterable[Expr]) -> bool:
    """Tell whether a condition follows from one of those that hold."""
    return any(premise == test or exclusive(premise, Not(test)) for premise in premises)


def known_after(rule: RuleIR, tests: Iterable[Expr]) -> list[Expr]:
    """Give what holds right after a rule fired: what it tested and did not write, and the fixed values it wrote."""
    kept = [test for test in tests if not set(fields_read(test)) & set(rule.targets)]
    last: Mapping[str, Expr] = {write.target: write.value for write in rule.writes}
    written = [
        Compare("==", Read(value.kind, target), value) for target, value in last.items() if isinstance(value, Const)
    ]
    return [*kept, *written]
