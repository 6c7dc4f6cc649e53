"""Expressions of the IR as terms of the solver, together with where they have a value at all.

A division by zero is an error of the run, so the terms describe the runs without one: `defined` collects, for each place
that can fail, that it does not, under the conditions on which that place is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from restock.engine.rules.arithmetic import join_texts
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
    kind_of,
)
from restock.engine.rules.proof.numbers import Number, Numbers
from restock.engine.rules.proof.solver import Term, z3
from restock.engine.rules.proof.texts import Codes

Held = Number | Term
"""What a field holds: a Number, a Bool term, or the Int term of a text's code."""

State = dict[str, Held]

_TEXTS: Final[dict[str, Callable[..., str | bool | int]]] = {
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
    "length": len,
    "contains": lambda text, part: part in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "join": join_texts,
}

MAX_KNOWN = 40
"""Most texts a function of texts is tabulated for; past them its value is left open, which proves less."""


class Terms:
    """Translates expressions over a state of fields. `open` tells that a value was left open, so examples may not replay."""

    def __init__(self, numbers: Numbers, codes: Codes, fields: Mapping[str, Field]) -> None:
        self.numbers = numbers
        self.codes = codes
        self.fields = fields
        self.state: State = {}
        self.defined: list[Term] = []
        self.open = False
        self._path: list[Term] = []

    @contextmanager
    def given(self, condition: Term) -> Iterator[None]:
        """Translate what is only reached when a condition holds."""
        self._path.append(condition)
        yield
        self._path.pop()

    def require(self, condition: Term) -> None:
        """Note that a run without error has this wherever it comes here."""
        self.defined.append(z3.Implies(z3.And(*self._path), condition) if self._path else condition)

    def variable(self, field: Field, name: str) -> Held:
        """Make a free value for a field."""
        if field.kind == "number":
            return self.numbers.variable(name, field.decimals)
        return z3.Bool(name) if field.kind == "bool" else z3.Int(name)

    def limits(self, field: Field, held: Held) -> list[Term]:
        """Say which values a field can have."""
        if isinstance(held, Number):
            bounds = [(bound, low) for bound, low in ((field.low, True), (field.high, False)) if bound is not None]
            limits = []
            for bound, low in bounds:
                (left, right), _ = self.numbers.same(held, self.numbers.constant(bound))
                limits.append(left >= right if low else left <= right)
            return limits
        if field.kind == "bool":
            return []
        if field.values:
            return [z3.Or(*(held == self.codes.code(text) for text in field.values))]
        return [held >= 0]

    def held(self, field: Field, node: Expr) -> Held:
        """Give the value of an expression as a field holds it."""
        if field.kind == "number":
            found = self.number(node)
            return Number(self.numbers.at(found, field.decimals), field.decimals if self.numbers.grid else 0)
        return self.plain(node)

    def same(self, left: Held, right: Held) -> Term:
        """Say that two values are equal."""
        if isinstance(left, Number):
            (one, other), _ = self.numbers.same(left, right)
            return one == other
        return left == right

    def plain(self, node: Expr) -> Term:
        """Translate a bool or a text."""
        match node:
            case Const():
                return z3.BoolVal(node.value) if node.kind == "bool" else z3.IntVal(self.codes.code(str(node.value)))
            case Read():
                return self.state[node.name]
            case Not():
                return z3.Not(self.plain(node.operand))
            case Logic():
                left = self.plain(node.left)
                with self.given(left if node.operator == "&&" else z3.Not(left)):
                    right = self.plain(node.right)
                return z3.And(left, right) if node.operator == "&&" else z3.Or(left, right)
            case Compare():
                return self._compare(node)
            case Apply():
                return self._text_function(node)
            case _:
                raise AssertionError("numbers are translated by `number`")

    def _compare(self, node: Compare) -> Term:
        if kind_of(node.left) != "number":
            equal = self.plain(node.left) == self.plain(node.right)
            return equal if node.operator == "==" else z3.Not(equal)
        (left, right), _ = self.numbers.same(self.number(node.left), self.number(node.right))
        return compared(node.operator, left, right)

    def number(self, node: Expr) -> Number:
        """Translate a number."""
        match node:
            case Const():
                assert not isinstance(node.value, bool | str), "the IR is typed"
                return self.numbers.constant(node.value)
            case Read():
                held = self.state[node.name]
                assert isinstance(held, Number), "the IR is typed"
                return held
            case Negate():
                inner = self.number(node.operand)
                return Number(-inner.term, inner.decimals)
            case Arithmetic():
                return self._arithmetic(node)
            case Rounded():
                operand = self.number(node.operand)
                divisor = None if node.divisor is None else self.number(node.divisor)
                if divisor is not None and not isinstance(node.divisor, Const):
                    self.require(divisor.term != 0)
                return self.numbers.rounded(operand, divisor, node.decimals, node.mode)
            case Apply():
                return self._number_function(node)
            case _:
                raise AssertionError("texts and bools are translated by `plain`")

    def _arithmetic(self, node: Arithmetic) -> Number:
        left, right = self.number(node.left), self.number(node.right)
        if node.operator == "*":
            return Number(left.term * right.term, left.decimals + right.decimals)
        if node.operator == "%":
            self.require(right.term != 0)
            return self.numbers.remainder(left, right)
        (one, other), decimals = self.numbers.same(left, right)
        return Number(one + other if node.operator == "+" else one - other, decimals)

    def _number_function(self, node: Apply) -> Number:
        if node.function == "length":
            return Number(self._tabulated(node, self.numbers.variable("length", 0).term), 0)
        terms, decimals = self.numbers.same(*(self.number(argument) for argument in node.arguments))
        found = terms[0]
        if node.function == "abs":
            return Number(z3.If(found >= 0, found, -found), decimals)
        for term in terms[1:]:
            found = z3.If(found >= term if node.function == "max" else found <= term, found, term)
        return Number(found, decimals)

    def _text_function(self, node: Apply) -> Term:
        return self._tabulated(node, z3.BoolVal(False) if node.kind == "bool" else z3.IntVal(0))

    def _tabulated(self, node: Apply, like: Term) -> Term:
        """Give a function of texts as a table over the known texts, and an open value for all others."""
        arguments = [self.plain(argument) for argument in node.arguments]
        found = z3.FreshConst(like.sort(), "open")
        if node.kind != "bool":
            self.require(found >= 0)
        known = {text: code for text, code in self.codes.known().items() if code <= MAX_KNOWN}
        self.open = True
        for texts, test in _combinations(arguments, known):
            value = _TEXTS[node.function](*texts)
            term = z3.BoolVal(value) if isinstance(value, bool) else value
            term = z3.IntVal(self.codes.code(value)) if isinstance(value, str) else term
            term = z3.ToReal(z3.IntVal(term)) if isinstance(value, int) and z3.is_real(like) else term
            found = z3.If(test, term, found)
        return found


def compared(operator: str, left: Term, right: Term) -> Term:
    """Compare two terms by an operator of the language."""
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right


def _combinations(arguments: list[Term], known: Mapping[str, int]) -> Iterator[tuple[tuple[str, ...], Term]]:
    """Give the texts that arguments can be, with the condition that they are; a fixed text is only itself."""
    options = []
    for argument in arguments:
        fixed = argument.as_long() if z3.is_int_value(argument) else None
        options.append([(text, code) for text, code in known.items() if fixed is None or code == fixed])
    for first, code in options[0]:
        if len(arguments) == 1:
            yield (first,), arguments[0] == code
            continue
        for second, other in options[1]:
            yield (first, second), z3.And(arguments[0] == code, arguments[1] == other)
