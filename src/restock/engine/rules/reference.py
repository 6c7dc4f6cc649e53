"""The reference engine: an obvious interpreter over `Decimal`. The oracle of all other engines, and what explains.

    repeat: of the rules that can fire take the one with the highest salience, fire it, and look again from the top

A no-loop rule fires at most once per evaluation, any other again only after a field that its condition reads has changed.
It ends when no rule can fire, or with an error that names those that still do.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from restock.engine.rules.arithmetic import EXACT, join_texts, round_fraction, shown
from restock.engine.rules.errors import Place, RuleError, SourceText
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
    Program,
    Read,
    Rounded,
    RuleIR,
    Value,
)
from restock.engine.rules.limits import MAX_FIRINGS, REFERENCE_DIGITS


@dataclass(frozen=True, slots=True)
class Firing:
    """One rule that fired: what it read, and what it wrote."""

    rule: RuleIR
    reads: dict[str, Value]
    writes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Run:
    """An evaluation: every field's last value, and the firings in order."""

    values: dict[str, Value]
    firings: tuple[Firing, ...]


class Undefined(Exception):
    """An expression has no value: division by zero, a number or a text past the limits."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def run(source: SourceText, program: Program, inputs: Mapping[str, Value]) -> Run:
    """Evaluate complete inputs. Raises RuleError when a rule cannot be evaluated or the rules never settle."""
    values: dict[str, Value] = dict(inputs)
    for output in program.outputs:
        if output.default is not None:
            values.setdefault(output.name, output.default)
    fields = program.fields()
    readers = _readers(program)
    firings: list[Firing] = []
    settled: set[str] = set()  # rules with nothing to do until a field that their condition reads changes
    spent: set[str] = set()  # no-loop rules that fired
    while (chosen := next((rule for rule in program.rules if rule.name not in settled), None)) is not None:
        settled.add(chosen.name)
        if not _holds(source, chosen, values):
            continue
        before = {write.target: values[write.target] for write in chosen.writes}
        firings.append(_fire(source, chosen, values, fields))
        if len(firings) >= MAX_FIRINGS:
            raise never_settles(source, chosen.place, [firing.rule.name for firing in firings])
        if chosen.no_loop:
            spent.add(chosen.name)
        for name, value in before.items():
            if values[name] != value:
                settled -= readers.get(name, set()) - spent
    return Run(values, tuple(firings))


def _readers(program: Program) -> dict[str, set[str]]:
    """Give for each field the rules whose condition reads it."""
    readers: dict[str, set[str]] = {}
    for rule in program.rules:
        for name in rule.condition_reads:
            readers.setdefault(name, set()).add(rule.name)
    return readers


def never_settles(source: SourceText, place: Place, fired: Sequence[str]) -> RuleError:
    """Give the error of rules that fire without end: it names those that fired last."""
    looping = dict.fromkeys(fired[-100:])
    return source.error(
        place, f"The rules do not settle within {MAX_FIRINGS} firings; still firing: {', '.join(looping)}."
    )


def _holds(source: SourceText, rule: RuleIR, values: Mapping[str, Value]) -> bool:
    try:
        return evaluate(rule.condition, values) is True
    except Undefined as undefined:
        raise source.error(undefined.place, f"Rule {rule.name}: {undefined}") from None


def plain_values(values: Mapping[str, Value]) -> dict[str, Value]:
    """Give values as people read them: numbers without trailing zeros and without minus zero."""
    return {name: shown(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def _fire(source: SourceText, rule: RuleIR, values: dict[str, Value], fields: dict[str, Field]) -> Firing:
    reads = {name: values[name] for name in dict.fromkeys((*rule.condition_reads, *rule.action_reads))}
    writes: dict[str, Value] = {}
    for write in rule.writes:
        try:
            value = evaluate(write.value, values)
        except Undefined as undefined:
            message = f"Rule {rule.name} cannot set {write.target}: {undefined}"
            raise source.error(undefined.place, message) from None
        _check(source, rule, write.place, fields[write.target], value)
        values[write.target] = writes[write.target] = value
    return Firing(rule, reads, writes)


def _check(source: SourceText, rule: RuleIR, place: Place, field: Field, value: Value) -> None:
    """Refuse a value that the output's declaration does not allow."""
    if isinstance(value, str) and field.values and value not in field.values:
        raise _outside(source, rule, place, field, f'"{value}"', ", ".join(f'"{one}"' for one in field.values))
    if not field.checked or not isinstance(value, Decimal) or field.low is None or field.high is None:
        return
    if not field.low <= value <= field.high:
        bounds = f"{shown(field.low)}..{shown(field.high)}"
        raise _outside(source, rule, place, field, str(shown(value)), bounds)


def _outside(source: SourceText, rule: RuleIR, place: Place, field: Field, value: str, allowed: str) -> RuleError:
    return source.error(place, f"Rule {rule.name} cannot set {field.name}: {value} is outside {allowed}.")


def evaluate(node: Expr, values: Mapping[str, Value]) -> Value:
    """Give an expression's value. Raises Undefined."""
    match node:
        case Const():
            return node.value
        case Read():
            return values[node.name]
        case Not():
            return not evaluate(node.operand, values)
        case Logic():
            left = evaluate(node.left, values)
            return left if bool(left) == (node.operator == "||") else evaluate(node.right, values)
        case Compare():
            return _COMPARE[node.operator](evaluate(node.left, values), evaluate(node.right, values))
        case _:
            return _computed(node, values)


def _computed(node: Expr, values: Mapping[str, Value]) -> Value:
    try:
        match node:
            case Negate():
                return _number(node.operand, values).copy_negate()
            case Arithmetic():
                return _arithmetic(node, _number(node.left, values), _number(node.right, values))
            case Rounded():
                return _rounded(node, values)
            case Apply():
                return FUNCTIONS[node.function](*(evaluate(argument, values) for argument in node.arguments))
            case _:
                raise AssertionError("every node is known")
    except ZeroDivisionError:
        raise Undefined(node.place, "division by zero.") from None
    except decimal.DecimalException:
        raise Undefined(node.place, f"a number needs more than {REFERENCE_DIGITS} digits.") from None
    except OverflowError as error:
        raise Undefined(node.place, f"{error}.") from None


def _number(node: Expr, values: Mapping[str, Value]) -> Decimal:
    value = evaluate(node, values)
    assert isinstance(value, Decimal), "the IR is typed"
    return value


def _arithmetic(node: Arithmetic, left: Decimal, right: Decimal) -> Decimal:
    match node.operator:
        case "+":
            return EXACT.add(left, right)
        case "-":
            return EXACT.subtract(left, right)
        case "*":
            return EXACT.multiply(left, right)
        case _:
            if right == 0:
                raise ZeroDivisionError
            return EXACT.remainder(left, right)


def _rounded(node: Rounded, values: Mapping[str, Value]) -> Decimal:
    exact = Fraction(_number(node.operand, values))
    if node.divisor is not None:
        exact /= Fraction(_number(node.divisor, values))
    return round_fraction(exact, node.decimals, node.mode)


_COMPARE: Final[dict[str, Callable[[Value, Value], bool]]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: _decimal(left) < _decimal(right),
    "<=": lambda left, right: _decimal(left) <= _decimal(right),
    ">": lambda left, right: _decimal(left) > _decimal(right),
    ">=": lambda left, right: _decimal(left) >= _decimal(right),
}

FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {
    "abs": lambda value: value.copy_abs(),
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "length": lambda text: Decimal(len(text)),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "join": join_texts,
    # of facts only: an absent value is None, a list is a tuple
    "has": lambda value: value is not None,
    "count": lambda values: Decimal(len(values)),
    "empty": lambda values: not values,
    "member": lambda values, value: value in values,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}
"""What `Apply` computes."""


def _decimal(value: Value) -> Decimal:
    assert isinstance(value, Decimal), "the IR is typed"
    return value
