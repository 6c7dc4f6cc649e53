"""From the caller's facts to complete, checked inputs; every refusal names the field and says what would be right.

Numbers come as int, Decimal or decimal text, never as float, which has already lost digits. Facts that no rule knows
are ignored, but a missing input names the unknown fact that was probably meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from restock.core.errors import InvalidInput
from restock.engine.rules.arithmetic import EXACT, shown
from restock.engine.rules.errors import nearest
from restock.engine.rules.ir import Field, Program, Value, fields_read
from restock.engine.rules.limits import MAX_TEXT
from restock.engine.rules.reference import Undefined, evaluate

MAX_NUMBER_TEXT: Final = 100
"""Longest text that is read as a number: more digits than any field has."""

Facts = Mapping[str, object]


def inputs_used(program: Program) -> tuple[Field, ...]:
    """Give the inputs that rules read, in order of declaration; the rest serve only to compute these."""
    nodes = [rule.condition for rule in program.rules]
    nodes += [write.value for rule in program.rules for write in rule.writes]
    read = set(fields_read(*nodes))
    read |= {one.presence_of for one in program.inputs if one.presence_of and one.name in read}
    return tuple(one for one in program.inputs if one.name in read)


class FactReader:
    """Completes facts for one program."""

    def __init__(self, program: Program) -> None:
        self._fields = program.fields()
        self.used = inputs_used(program)

    def complete(self, facts: Facts) -> dict[str, Value]:
        """Give every input that rules read, from the facts, from others or from its default. Raises InvalidInput.

        Of an input that may be absent also the bool that says whether it is there; facts that were completed before may
        be completed again.
        """
        return {one.name: self._input(one, facts) for one in self.used}

    def _input(self, one: Field, facts: Facts) -> Value:
        given = facts.get(one.name)
        if one.presence_of:
            return given is not False and facts.get(one.presence_of) is not None
        if given is not None:
            return read_value(one, given)
        if one.derived is not None:
            return self._derived(one, facts)
        if one.default is None:
            raise self._missing(one.name, facts)
        return one.default

    def _derived(self, one: Field, facts: Facts) -> Value:
        assert one.derived is not None, "the caller looked"
        names = fields_read(one.derived)
        absent = [name for name in names if facts.get(name) is None and self._fields[name].default is None]
        if absent:
            raise self._missing(one.name, facts, f"It is computed from {', '.join(names)}; {absent[0]} is missing too.")
        parts = {name: self._input(self._fields[name], facts) for name in names}
        try:
            value = evaluate(one.derived, parts)
        except Undefined as undefined:
            raise InvalidInput(f"It cannot be computed: {undefined}", field=one.name) from None
        return _in_range(one, value) if isinstance(value, Decimal) else value

    def _missing(self, name: str, facts: Facts, detail: str = "") -> InvalidInput:
        unknown = [given for given in facts if given not in self._fields]
        suggestion = nearest(name, unknown)
        remedy = f"There is an unknown '{suggestion}': did you mean '{name}'?" if suggestion else "Give a value."
        return InvalidInput(" ".join(("This input is missing.", detail)).strip(), field=name, remedy=remedy)


def read_value(one: Field, given: object) -> Value:
    """Check one given value against its field. Raises InvalidInput that names the field."""
    if one.kind == "bool":
        if isinstance(given, bool):
            return given
        raise InvalidInput(f"{_quoted(given)} is not true or false.", field=one.name, remedy="Give true or false.")
    if one.kind == "text":
        return _read_text(one, given)
    if isinstance(given, str) and len(given) > MAX_NUMBER_TEXT:
        raise InvalidInput(f"A number of {len(given)} characters is too long.", field=one.name)
    if isinstance(given, bool) or not isinstance(given, int | str | Decimal):
        why = "A float has already lost digits." if isinstance(given, float) else f"{_quoted(given)} is not a number."
        raise InvalidInput(why, field=one.name, remedy="Give an int, a Decimal or a text like 12.5.")
    try:
        number = Decimal(given)
    except InvalidOperation:
        raise InvalidInput(
            f"{_quoted(given)} is not a number.", field=one.name, remedy="Write it like 12 or 12.5."
        ) from None
    if not number.is_finite():
        raise InvalidInput(f"{number} is not a finite number.", field=one.name, remedy="Write it like 12 or 12.5.")
    return _in_range(one, number)


def _read_text(one: Field, given: object) -> str:
    if not isinstance(given, str):
        raise InvalidInput(f"{_quoted(given)} is not a text.", field=one.name, remedy="Give a text.")
    if len(given) > MAX_TEXT:
        raise InvalidInput(f"A text of {len(given)} characters is too long.", field=one.name)
    if one.values and given not in one.values:
        suggestion = nearest(given, one.values)
        remedy = f"Did you mean {suggestion!r}?" if suggestion else f"Allowed: {', '.join(one.values)}."
        raise InvalidInput(f"{_quoted(given)} is not a value of this field.", field=one.name, remedy=remedy)
    return given


def _in_range(one: Field, number: Decimal) -> Decimal:
    assert one.low is not None and one.high is not None, "every input number has a range"
    if not one.low <= number <= one.high:
        bounds = f"{shown(one.low)} to {shown(one.high)}"
        raise InvalidInput(f"{_quoted(number)} is outside {bounds}.", field=one.name, remedy="Correct the value.")
    number = shown(number)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > one.decimals:
        remedy = "Round it first." if one.decimals else "Give a whole number."
        raise InvalidInput(f"{_quoted(number)} has more than {one.decimals} decimals.", field=one.name, remedy=remedy)
    return number


def scaled(one: Field, value: Value) -> int | bool | str:
    """Give a checked value as the row function takes it."""
    return int(EXACT.scaleb(value, one.decimals)) if isinstance(value, Decimal) else value


def encodable(value: object) -> bool:
    """Tell whether others can hold a text: half a character pair, which Python and JSON may carry, they cannot."""
    return not isinstance(value, str) or value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _quoted(given: object) -> str:
    if isinstance(given, int) and not isinstance(given, bool):
        given = Decimal(given)  # Python refuses to write ints of thousands of digits
    text = str(given) if isinstance(given, Decimal) else repr(given)
    return text if len(text) <= MAX_NUMBER_TEXT else text[:MAX_NUMBER_TEXT] + "..."
