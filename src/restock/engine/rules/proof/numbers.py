"""Exact arithmetic in terms of the solver, in two ways: as reals for proofs, as scaled integers for counterexamples.

As reals a number is any real, which is more than the decimal grid allows: what is proved for reals holds on the grid. As
integers a number n with d decimals is the integer n x 10^d, as the row engine has it: what is found can be replayed.
A rounding is a new integer with the inequalities that define it, so no term divides.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.ir import RoundingMode
from restock.engine.rules.proof.solver import Term, z3
from restock.engine.rules.ranges import decimals_of

MAX_ALIKE = 8
"""Most other roundings by the same divisor that one is set beside."""


class Number(NamedTuple):
    """A term and its decimals; as reals these are always 0."""

    term: Term
    decimals: int


class Numbers:
    """Builds numbers; the definitions of roundings collect in `axioms`, what follows from them in `lemmas`.

    That equal quotients are rounded equally is clear, but hard to find for a solver where the divisor is a field.
    """

    def __init__(self, *, grid: bool) -> None:
        self.grid = grid
        self.axioms: list[Term] = []
        self.lemmas: list[Term] = []
        self._known: dict[tuple[int, ...], Term] = {}
        self._kept: list[Term] = []
        self._roundings: dict[tuple[int, str], list[tuple[Term, Term]]] = {}

    def variable(self, name: str, decimals: int) -> Number:
        """Make a free number."""
        return Number(z3.Int(name), decimals) if self.grid else Number(z3.Real(name), 0)

    def constant(self, value: Decimal) -> Number:
        """Make a fixed number."""
        if not self.grid:
            return Number(z3.RealVal(f"{value:f}"), 0)
        decimals = decimals_of(value)
        return Number(z3.IntVal(int(EXACT.scaleb(value, decimals))), decimals)

    def whole(self, term: Term) -> Number:
        """Make a number of a whole term."""
        return Number(term if self.grid else z3.ToReal(term), 0)

    def at(self, number: Number, decimals: int) -> Term:
        """Give the term with more decimals."""
        more = decimals - number.decimals
        if not self.grid or more <= 0:
            return number.term
        if z3.is_int_value(number.term):
            return z3.IntVal(number.term.as_long() * 10**more)
        return number.term * 10**more

    def same(self, *numbers: Number) -> tuple[list[Term], int]:
        """Give terms with the same decimals."""
        decimals = max(number.decimals for number in numbers)
        return [self.at(number, decimals) for number in numbers], decimals

    def value(self, number: Number, model: Term) -> Decimal | None:
        """Read a number from a model; None where it is not a decimal number."""
        found = model.eval(number.term, model_completion=True)
        if self.grid:
            return EXACT.scaleb(Decimal(found.as_long()), -number.decimals)
        if not z3.is_rational_value(found):
            return None
        numerator, denominator = Decimal(found.numerator_as_long()), found.denominator_as_long()
        for decimals in range(40):
            if 10**decimals % denominator == 0:
                return EXACT.scaleb(EXACT.multiply(numerator, Decimal(10**decimals // denominator)), -decimals)
        return None

    def rounded(self, operand: Number, divisor: Number | None, decimals: int, mode: RoundingMode) -> Number:
        """Round a number, or a quotient whose divisor is not 0, to so many decimals."""
        if divisor is None and self.grid and decimals >= operand.decimals:
            return operand
        dividend, by = self._fraction(operand, divisor, decimals)
        key = (dividend.get_id(), by if isinstance(by, int) else by.get_id(), hash(mode))
        if key not in self._known:
            self._kept += [dividend, by]
            self._known[key] = self._quotient(dividend, by, mode)
        whole = self._known[key]
        if self.grid:
            return Number(whole, decimals)
        return Number(z3.ToReal(whole) / 10**decimals if decimals else z3.ToReal(whole), 0)

    def _fraction(self, operand: Number, divisor: Number | None, decimals: int) -> tuple[Term, Term]:
        """Give dividend and divisor whose quotient is the whole number to round."""
        if not self.grid:
            by = 1 if divisor is None else divisor.term
            return z3.simplify(operand.term * 10**decimals), by
        if divisor is None:
            return operand.term, 10 ** (operand.decimals - decimals)
        shift = decimals + divisor.decimals - operand.decimals
        return self.at(operand, operand.decimals + max(shift, 0)), self.at(divisor, divisor.decimals + max(-shift, 0))

    def _quotient(self, dividend: Term, by: Term, mode: RoundingMode) -> Term:
        whole = z3.FreshInt("rounded")
        alike = self._roundings.setdefault((by if isinstance(by, int) else by.get_id(), mode), [])
        if not isinstance(by, int):
            self.lemmas += [z3.Implies(dividend == other, whole == known) for other, known in alike[:MAX_ALIKE]]
        alike.append((dividend, whole))
        number = whole if self.grid else z3.ToReal(whole)
        if isinstance(by, int):
            self.axioms.append(_defined(number, dividend, by, mode, whole))
        else:
            over, under = _defined(number, dividend, by, mode, whole), _defined(number, -dividend, -by, mode, whole)
            self.axioms += [z3.Implies(by > 0, over), z3.Implies(by < 0, under)]
        return whole

    def remainder(self, dividend: Number, divisor: Number) -> Number:
        """Give the remainder with the sign of the dividend, for a divisor that is not 0."""
        (left, right), decimals = self.same(dividend, divisor)
        return Number(self._rest(left, right), decimals)

    def _rest(self, left: Term, right: Term) -> Term:
        """Look through choices first: a multiple of the divisor leaves nothing, whatever the solver can see of products."""
        key = (left.get_id(), right.get_id())
        if key in self._known:
            return self._known[key]
        self._kept += [left, right]
        if left.decl().kind() == z3.Z3_OP_ITE:
            test, then, other = left.children()
            found = z3.If(test, self._rest(then, right), self._rest(other, right))
        elif _is_multiple(left, right):
            found = z3.IntVal(0) if self.grid else z3.RealVal(0)
        else:
            found = self._new_rest(left, right)
        self._known[key] = found
        return found

    def _new_rest(self, left: Term, right: Term) -> Term:
        whole = z3.FreshInt("quotient")
        rest = left - (whole if self.grid else z3.ToReal(whole)) * right
        size = z3.If(right >= 0, right, -right)
        positive, negative = z3.And(rest >= 0, rest < size), z3.And(rest <= 0, rest > -size)
        self.axioms.append(z3.Implies(right != 0, z3.If(left >= 0, positive, negative)))
        return rest


def _defined(number: Term, dividend: Term, by: Term, mode: RoundingMode, whole: Term) -> Term:
    """Say what `number` is when `dividend / by` is rounded and `by` is above 0."""
    floor = z3.And(number * by <= dividend, dividend < (number + 1) * by)
    ceil = z3.And((number - 1) * by < dividend, dividend <= number * by)
    if mode in ("floor", "ceil"):
        return floor if mode == "floor" else ceil
    if mode in ("up", "down"):
        above, below = (ceil, floor) if mode == "up" else (floor, ceil)
        return z3.If(dividend >= 0, above, below)
    low, double, high = (2 * number - 1) * by, 2 * dividend, (2 * number + 1) * by
    if mode == "half_up":
        return z3.If(dividend >= 0, z3.And(low <= double, double < high), z3.And(low < double, double <= high))
    tie = z3.Or(double == low, double == high)
    return z3.And(low <= double, double <= high, z3.Implies(tie, whole % 2 == 0))


def _factors(term: Term) -> list[Term]:
    if term.decl().kind() == z3.Z3_OP_MUL:
        return [factor for part in term.children() for factor in _factors(part)]
    return [term]


def _is_multiple(term: Term, of: Term) -> bool:
    """Tell whether a product is visibly a whole multiple of another."""
    if z3.is_rational_value(term) or z3.is_int_value(term):
        return bool(z3.is_true(z3.simplify(term == 0)))
    rest = _factors(term)
    for factor in _factors(of):
        found = next((at for at, one in enumerate(rest) if one.eq(factor)), None)
        if found is None:
            return False
        del rest[found]
    return all(_is_whole(one) for one in rest)


def _is_whole(term: Term) -> bool:
    if z3.is_int(term) or term.decl().kind() == z3.Z3_OP_TO_REAL:
        return True
    return bool(z3.is_rational_value(term) and term.denominator_as_long() == 1)
