"""What an action of a fact rule writes: the value, checked against the declaration of the field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from restock.engine.rules.arithmetic import shown
from restock.engine.rules.errors import RuleError, SourceText
from restock.engine.rules.fact_memory import MAX_LIST
from restock.engine.rules.ir import Field, Value, fields_read
from restock.engine.rules.ir_patterns import AppendTo, FactProgram, FactRule, FactValue, SetField
from restock.engine.rules.reference import Undefined, evaluate


def checked(
    source: SourceText,
    program: FactProgram,
    rule: FactRule,
    action: SetField | AppendTo,
    kind: str,
    values: Mapping[str, FactValue],
) -> FactValue:
    """Give the value that an action writes. Raises RuleError that names rule and field."""
    name = f"{kind}.{action.path}" if kind else action.path
    for read in fields_read(action.value):
        if values.get(read) is None:
            message = f"Rule {rule.name} cannot set {name}: {read} is absent; test it with has({read})."
            raise source.error(action.place, message)
    try:
        value = evaluate(action.value, cast(Mapping[str, Value], values))
    except Undefined as undefined:
        raise source.error(undefined.place, f"Rule {rule.name} cannot set {name}: {undefined}") from None
    wrong = problem(declared_field(program, kind, action.path), value)
    if wrong:
        raise source.error(action.place, f"Rule {rule.name} cannot set {name}: {wrong}.")
    if isinstance(action, SetField):
        return value
    return _appended(source, rule, action, name, values.get(f"{action.variable}.{action.path}"), value)


def _appended(
    source: SourceText, rule: FactRule, action: AppendTo, name: str, before: FactValue, value: Value
) -> FactValue:
    items = before if isinstance(before, tuple) else ()
    if len(items) >= MAX_LIST:
        raise _too_long(source, rule, action, name)
    return (*items, value)


def _too_long(source: SourceText, rule: FactRule, action: AppendTo, name: str) -> RuleError:
    message = f"Rule {rule.name} cannot add to {name}: a list has at most {MAX_LIST} values."
    return source.error(action.place, message)


def declared_field(program: FactProgram, kind: str, path: str) -> Field:
    """Give a field of a type, or a flat output when the type is empty."""
    if not kind:
        return next(one for one in program.outputs if one.name == path)
    return next(one.field for one in program.type(kind).fields if one.name == path)


def problem(field: Field, value: Value) -> str:
    """Say why a field cannot hold a value; empty when it can."""
    if isinstance(value, str) and field.values and value not in field.values:
        return f'"{value}" is outside {", ".join(repr(one) for one in field.values)}'
    if not isinstance(value, Decimal) or not field.declared or field.low is None or field.high is None:
        return ""
    if not field.low <= value <= field.high:
        return f"{shown(value)} is outside {shown(field.low)}..{shown(field.high)}"
    exponent = shown(value).as_tuple().exponent
    if isinstance(exponent, int) and -exponent > field.decimals:
        return f"{shown(value)} has more than {field.decimals} decimals; round it"
    return ""
