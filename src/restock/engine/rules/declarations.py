"""Pass 3a: what the text declares: fields with types, ranges and defaults, enums, assumptions and invariants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from restock.core.quantity import plain
from restock.engine.rules.errors import RuleError, SourceText, nearest
from restock.engine.rules.ir import Field, Kind, Role, Value
from restock.engine.rules.limits import MAX_DECIMALS, MAX_FIELDS, UNDECLARED_DECIMALS, UNDECLARED_LIMIT
from restock.engine.rules.ranges import decimals_of
from restock.engine.rules.syntax import (
    EnumDeclaration,
    Expression,
    FieldDeclaration,
    Literal,
    RulebookSyntax,
    Statement,
    TypeName,
    Unary,
)

TYPES: Final[dict[str, Kind]] = {
    "decimal": "number",
    "number": "number",
    "integer": "number",
    "int": "number",
    "bool": "bool",
    "boolean": "bool",
    "text": "text",
    "string": "text",
}
"""Names of types, published spellings included."""

_START: Final[dict[Kind, Value]] = {"number": Decimal(0), "bool": False, "text": ""}
"""What an output holds before any rule fires, unless it is declared otherwise."""


@dataclass
class Declared:
    """What was declared. `derived` holds defaults that compute an input, still untyped."""

    fields: dict[str, Field] = field(default_factory=dict)
    derived: dict[str, Expression] = field(default_factory=dict)
    claims: list[Statement] = field(default_factory=list)
    has_inputs: bool = False
    has_outputs: bool = False


def read_declarations(source: SourceText, syntax: RulebookSyntax, errors: list[RuleError]) -> Declared:
    """Read all declarations; what is wrong is added to `errors` and left out."""
    declared = Declared()
    enums: dict[str, tuple[str, ...]] = {}
    for declaration in syntax.declarations:
        if isinstance(declaration, EnumDeclaration):
            if declaration.name in enums or declaration.name in TYPES:
                errors.append(source.error(declaration.place, f"There is already a type '{declaration.name}'."))
            enums[declaration.name] = declaration.values
    for declaration in syntax.declarations:
        try:
            if isinstance(declaration, FieldDeclaration):
                _add(source, declared, declaration, enums)
            elif isinstance(declaration, Statement):
                declared.claims.append(declaration)
        except RuleError as error:
            errors.append(error)
    return declared


def _add(source: SourceText, declared: Declared, written: FieldDeclaration, enums: dict[str, tuple[str, ...]]) -> None:
    declared.has_inputs |= written.role == "input"
    declared.has_outputs |= written.role == "output"
    if written.name in declared.fields:
        raise source.error(written.place, f"'{written.name}' is declared twice.")
    if len(declared.fields) >= MAX_FIELDS:
        raise source.error(written.place, f"There are more than {MAX_FIELDS} fields.")
    built, derived = build_field(source, written, enums)
    declared.fields[written.name] = built
    if derived is not None:
        declared.derived[written.name] = derived


def build_field(
    source: SourceText, written: FieldDeclaration, enums: dict[str, tuple[str, ...]]
) -> tuple[Field, Expression | None]:
    """Make a field from its declaration; the second part is a default that must still be typed."""
    kind, values = _kind(source, written.type, enums)
    default, derived = _default(source, written, kind)
    if written.optional and (written.role == "output" or written.default is not None):
        what = "An output always has a value" if written.role == "output" else "An input with a default is never absent"
        raise source.error(written.place, f"{what}; leave 'optional' out.")
    if written.role == "output":
        if derived is not None:
            raise source.error(derived.place, "The default of an output is a fixed value.")
        default = _START[kind] if default is None else default
        values = ("", *values) if values and default == "" and "" not in values else values
    if values and isinstance(default, str) and default not in values:
        raise source.error(written.place, f'"{default}" is not a value of the enum.', nearest(default, values))
    if kind != "number":
        if written.low is not None:
            raise source.error(written.place, "Only a number has a range.")
        return Field(
            written.name,
            _role(written),
            kind,
            0,
            None,
            None,
            default,
            None,
            True,
            False,
            values,
            absent=written.optional,
            place=written.place,
        ), derived
    return replace(_number(source, written, default), absent=written.optional), derived


def _number(source: SourceText, written: FieldDeclaration, default: Value | None) -> Field:
    """Make a number: an output without digits and range gets both from its writes, an input gets Restock's widest."""
    type_name = written.type or TypeName("decimal")
    decimals, low, high = 0, written.low, written.high
    if type_name.digits is not None and type_name.decimals is not None:
        decimals = type_name.decimals
        if decimals > MAX_DECIMALS or type_name.digits > MAX_DECIMALS:
            raise source.error(type_name.place, f"A number has at most {MAX_DECIMALS} digits.")
        limit = Decimal(10) ** (type_name.digits - decimals) - Decimal(1).scaleb(-decimals)
        low, high = (-limit if low is None else low), (limit if high is None else high)
    elif type_name.name in ("decimal", "number"):
        decimals = UNDECLARED_DECIMALS
    else:
        low, high = (-UNDECLARED_LIMIT if low is None else low), (UNDECLARED_LIMIT if high is None else high)
    bounded = low is not None and high is not None
    if written.role == "input" and not bounded:
        low, high = -UNDECLARED_LIMIT, UNDECLARED_LIMIT
    if written.role == "output" and not bounded:
        decimals = 0
    for bound in (low, high, default):
        if isinstance(bound, Decimal) and decimals_of(bound) > decimals and (bounded or written.role == "input"):
            raise source.error(written.place, f"{plain(bound)} has more than {decimals} decimals.")
    if isinstance(default, Decimal) and low is not None and high is not None and not low <= default <= high:
        raise source.error(written.place, f"The default {plain(default)} is outside {plain(low)}..{plain(high)}.")
    return Field(
        written.name, _role(written), "number", decimals, low, high, default, None, bounded, False, place=written.place
    )


def _role(written: FieldDeclaration) -> Role:
    return "input" if written.role == "input" else "output"


def _kind(
    source: SourceText, written: TypeName | None, enums: dict[str, tuple[str, ...]]
) -> tuple[Kind, tuple[str, ...]]:
    if written is None:
        return "number", ()
    if written.name in enums:
        return "text", enums[written.name]
    kind = TYPES.get(written.name)
    if kind is None:
        message = f"There is no type '{written.name}'."
        raise source.error(written.place, message, nearest(written.name, (*TYPES, *enums)))
    if kind != "number" and written.digits is not None:
        raise source.error(written.place, f"A {written.name} has no digits.")
    return kind, ()


def _default(source: SourceText, written: FieldDeclaration, kind: Kind) -> tuple[Value | None, Expression | None]:
    expression = written.default
    value: Value | None = None
    if isinstance(expression, Literal):
        value = expression.value
    elif isinstance(expression, Unary) and isinstance(expression.operand, Literal):
        inner = expression.operand.value
        value = -inner if isinstance(inner, Decimal) and expression.operator == "-" else None
    if expression is None or value is None:
        return None, expression
    found: Kind = "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    if found != kind:
        raise source.error(expression.place, f"The default of '{written.name}' is not a {kind}.")
    return plain(value) if isinstance(value, Decimal) else value, None
