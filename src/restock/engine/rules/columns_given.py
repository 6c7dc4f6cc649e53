"""From people's Polars columns to scaled ones: int, Decimal or decimal text to int64, texts with codes to codes.

A value that plain expressions cannot take (too many decimals, an exponent, an unknown text) only flags its row; the
careful way then reads it as `facts.read_value` does, and answers or explains. A column of a wrong type is refused whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final

from restock.core.errors import InvalidInput
from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.columns import ColumnsProgram, missing_input
from restock.engine.rules.columns_inputs import Given, columns_read
from restock.engine.rules.columns_polars import code_type
from restock.engine.rules.errors import nearest
from restock.engine.rules.ir import Field

if TYPE_CHECKING:
    import polars

INT64_DIGITS: Final = 18
"""Digits that every int64 holds."""

Schema = Mapping[str, "polars.DataType"]


def given_columns(program: ColumnsProgram, schema: Schema, prefix: str = "") -> dict[str, Given]:
    """Give for each input that the frame has how its column, called with the prefix, is read.

    Raises InvalidInput for a column of a wrong type, and for one that is missing.
    """
    inputs = [one for one in columns_read(program) if one.name in schema]
    found = {one.name: _given(program, one, schema[one.name], prefix + one.name) for one in inputs}
    for one in program.inputs:
        if one.presence_of in found:
            missing = found[one.presence_of].missing
            found[one.name] = Given(~missing if missing is not True else False, inside=True)
    for one in program.inputs:
        if one.name not in found and not one.optional:
            unknown = nearest(one.name, [name for name in schema if name not in found])
            error = missing_input(one.name)
            if unknown:
                error.remedy = f"There is an unknown column '{unknown}': did you mean '{one.name}'?"
            raise error
    return found


def _given(program: ColumnsProgram, one: Field, kind: polars.DataType, name: str) -> Given:
    import polars

    if kind == polars.Null:
        return Given(_nothing(program, one), missing=True)
    column = polars.col(name)
    if one.kind == "bool":
        return _bool(one, column, kind)
    if one.kind == "text":
        return _text(program, one, column, kind)
    if kind.is_integer():
        return _whole_numbers(one, column)
    if isinstance(kind, polars.Decimal):
        return _decimals(one, column, kind)
    if kind == polars.String:
        return _number_texts(one, column)
    why = "A float has already lost digits." if kind.is_float() else f"A column of {kind} holds no numbers."
    raise InvalidInput(why, field=one.name, remedy="Give integers, decimals or decimal text.")


def _nothing(program: ColumnsProgram, one: Field) -> object:
    if one.kind == "text":
        return 0 if program.coded(one) else ""
    return 0 if one.kind == "number" else False


def _bool(one: Field, column: polars.Expr, kind: polars.DataType) -> Given:
    import polars

    missing = column.is_null()
    if kind == polars.Boolean:
        return Given(column.fill_null(False), missing, inside=True)
    if kind == polars.String:
        word = column.str.to_lowercase()
        return Given((word == "true").fill_null(False), missing, ~missing & ~word.is_in(["true", "false"]), inside=True)
    raise InvalidInput(f"A column of {kind} does not hold true and false.", field=one.name, remedy="Give bools.")


def _text(program: ColumnsProgram, one: Field, column: polars.Expr, kind: polars.DataType) -> Given:
    import polars

    if not isinstance(kind, polars.String | polars.Categorical | polars.Enum):
        raise InvalidInput(f"A column of {kind} holds no texts.", field=one.name, remedy="Give texts.")
    missing, text = column.is_null(), column.cast(polars.String)
    if not program.coded(one):
        return Given(text.fill_null(""), missing)
    known = program.texts.known
    codes = text.cast(polars.Enum(list(known)), strict=False).to_physical().cast(code_type(len(known)))
    return Given(codes.fill_null(0), missing, ~missing & codes.is_null())


def _whole_numbers(one: Field, column: polars.Expr) -> Given:
    import polars

    missing, (low, high) = column.is_null(), _bounds(one, 0)
    odd = ((column < low) | (column > high)).fill_null(False)
    number = column.cast(polars.Int64, strict=False).fill_null(0)
    return Given(_times(number, one.decimals), missing, odd, inside=True)


def _decimals(one: Field, column: polars.Expr, kind: polars.Decimal) -> Given:
    import polars

    missing, (low, high) = column.is_null(), _bounds(one, kind.scale)
    exact = column.to_physical()
    odd = ((exact < low) | (exact > high)).fill_null(False)
    number = exact.cast(polars.Int64, strict=False).fill_null(0)
    if kind.scale <= one.decimals:
        return Given(_times(number, one.decimals - kind.scale), missing, odd, inside=True)
    step = 10 ** (kind.scale - one.decimals)
    return Given(number // step, missing, odd | (number // step * step != number), inside=True)


def _number_texts(one: Field, column: polars.Expr) -> Given:
    import polars

    fraction = rf"(\.[0-9]{{1,{one.decimals}}}0*)?" if one.decimals else r"(\.0+)?"
    ordinary = column.str.contains(rf"^-?[0-9]{{1,{INT64_DIGITS - one.decimals}}}{fraction}$")
    missing = column.is_null()
    exact = polars.when(ordinary).then(column).cast(polars.Decimal(38, one.decimals), strict=False).to_physical()
    return Given(exact.cast(polars.Int64, strict=False).fill_null(0), missing, ~missing & ~ordinary)


def _bounds(one: Field, decimals: int) -> tuple[int, int]:
    """Give the field's range as whole numbers of so many decimals, rounded into it."""
    assert one.low is not None and one.high is not None, "every input number has a range"
    return _whole(one.low, decimals, ROUND_CEILING), _whole(one.high, decimals, ROUND_FLOOR)


def _whole(bound: Decimal, decimals: int, rounding: str) -> int:
    return int(EXACT.scaleb(bound, decimals).to_integral_value(rounding=rounding, context=EXACT))


def _times(number: polars.Expr, decimals: int) -> polars.Expr:
    return number * 10**decimals if decimals else number
