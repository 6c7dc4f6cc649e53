"""The quick way from facts to outputs around a row function: generated code for ordinary int and Decimal facts.

Anything unusual (a text, a missing or computed input, a value out of range) raises `NotOrdinary`, and the caller goes
the careful way through `facts.FactReader`, which answers or explains. So this code needs no messages.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Final, cast

from restock.engine.rules.arithmetic import EXACT
from restock.engine.rules.facts import Facts, scaled
from restock.engine.rules.ir import Field, Value
from restock.engine.rules.limits import MAX_TEXT
from restock.engine.rules.row import RowProgram, RowValue


class NotOrdinary(Exception):
    """These facts need the careful way."""


Read = Callable[[Facts], tuple[tuple[RowValue, ...], dict[str, Value]]]
Finish = Callable[[tuple[RowValue, ...]], dict[str, Value]]

_ZERO: Final = Decimal(0)

REMEMBERED_NUMBERS: Final = 1 << 14
"""Numbers per field whose two forms are remembered: a catalogue has few different prices, minimums and lead times."""


def compile_reader(inputs: tuple[Field, ...]) -> Read:
    """Make the function from facts to (arguments of the row function, the facts as used).

    It raises NotOrdinary, or an ArithmeticError or ValueError for numbers such as NaN.
    """
    space: dict[str, object] = {"NotOrdinary": NotOrdinary, "Decimal": Decimal}
    lines = ["def read(facts):", "    get = facts.get"]
    for at, one in enumerate(inputs):
        lines += [f"    {line}" for line in _read_one(at, one, space)]
    arguments = "".join(f"n{at}, " for at in range(len(inputs)))
    used = ", ".join(f"{one.name!r}: v{at}" for at, one in enumerate(inputs) if not one.presence_of)
    lines.append(f"    used = {{{used}}}")
    lines += [f"    if not n{at}: del used[{one.presence_of!r}]" for at, one in enumerate(inputs) if one.presence_of]
    lines.append(f"    return ({arguments}), used")
    exec(compile("\n".join(lines), "<facts>", "exec"), space)  # noqa: S102 - names are quoted by repr
    return cast(Read, space["read"])


def _read_one(at: int, one: Field, space: dict[str, object]) -> list[str]:
    if one.presence_of:
        return [f"n{at} = get({one.name!r}) is not False and get({one.presence_of!r}) is not None"]
    lines = [f"v{at} = get({one.name!r})", f"t = type(v{at})"]
    if one.kind == "number":
        space[f"read{at}"] = _reader(one)
        power = 10**one.decimals
        lines += [
            "if t is int:",
            f"    if not {_whole(one.low, ROUND_CEILING)} <= v{at} <= {_whole(one.high, ROUND_FLOOR)}: raise NotOrdinary",
            f"    n{at} = v{at} * {power}",
            f"    v{at} = Decimal(v{at})",
            "elif t is Decimal:",
            f"    n{at}, v{at} = read{at}(v{at})",
        ]
    elif one.kind == "bool":
        lines += ["if t is bool:", f"    n{at} = v{at}"]
    else:
        allowed = f" and v{at} in {one.values!r}" if one.values else ""
        lines += [f"if t is str and len(v{at}) <= {MAX_TEXT}{allowed}:", f"    n{at} = v{at}"]
    if one.default is not None:
        space[f"default{at}"] = one.default
        lines += [f"elif v{at} is None:", f"    v{at} = default{at}", f"    n{at} = {scaled(one, one.default)!r}"]
    return [*lines, "else: raise NotOrdinary"]


def _reader(one: Field) -> Callable[[Decimal], tuple[int, Decimal]]:
    """Make the function from a Decimal to its scaled integer and its plain form; prices and minimums repeat."""
    low, high, decimals = one.low, one.high, one.decimals
    assert low is not None and high is not None, "every input number has a range"
    plain_decimal, scaleb = _plain_decimal(decimals), EXACT.scaleb

    @lru_cache(maxsize=REMEMBERED_NUMBERS)
    def read(number: Decimal) -> tuple[int, Decimal]:
        if not low <= number <= high:
            raise NotOrdinary
        exact = scaleb(number, decimals)
        whole = int(exact)
        if whole != exact:
            raise NotOrdinary
        return whole, plain_decimal(whole) if whole else _ZERO

    return read


def _whole(bound: Decimal | None, rounding: str) -> int:
    """Give a bound for ints, rounded into the range: an int inside it passes, one outside it goes the careful way."""
    assert bound is not None, "every input number has a range"
    return int(bound.to_integral_value(rounding=rounding, context=EXACT))


def compile_finish(row: RowProgram) -> Finish:
    """Make the function from the row function's results to outputs by name; numbers are plain decimals."""
    space: dict[str, object] = {"ZERO": _ZERO}
    items: list[str] = []
    for at, one in enumerate(row.outputs):
        if one.kind == "number":
            space[f"out{one.decimals}"] = _plain_decimal(one.decimals)
            items.append(f"{one.name!r}: out{one.decimals}(r{at}) if r{at} else ZERO")
        else:
            items.append(f"{one.name!r}: r{at}")
    names = "".join(f"r{at}, " for at in range(len(row.outputs)))
    code = f"def finish(results):\n    {names}mask = results\n    return {{{', '.join(items)}}}\n"
    exec(compile(code, "<outputs>", "exec"), space)  # noqa: S102 - names are quoted by repr
    return cast(Finish, space["finish"])


def _plain_decimal(decimals: int) -> Callable[[int], Decimal]:
    power = 10**decimals
    scaleb, normalize = EXACT.scaleb, EXACT.normalize

    @lru_cache(maxsize=REMEMBERED_NUMBERS)
    def plain_decimal(number: int) -> Decimal:
        whole, rest = divmod(number, power)
        return normalize(scaleb(Decimal(number), -decimals)) if rest else Decimal(whole)

    return plain_decimal
