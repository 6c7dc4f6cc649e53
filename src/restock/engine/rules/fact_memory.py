"""Facts: read and checked against their types, kept by handle. The base that callers give, and what rules make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from restock.core.errors import InvalidInput
from restock.engine.rules.arithmetic import shown
from restock.engine.rules.errors import meant, nearest
from restock.engine.rules.facts import FactReader, read_value
from restock.engine.rules.ir import Apply, Field, Program, Read, RuleIR, Value
from restock.engine.rules.ir_patterns import FactField, FactProgram, FactType, FactValue
from restock.engine.rules.limits import MAX_TEXT
from restock.engine.rules.syntax import MAIN

MAX_FACTS: Final = 1_000_000
"""Most facts of one memory: a big catalogue, and a bound for hostile callers."""

MAX_LIST: Final = 10_000
"""Most values of one list."""

Values = dict[str, FactValue]


def read_fact(kind: FactType, given: Mapping[str, object]) -> Values:
    """Check one fact. Fields that no rule knows are left out. Raises InvalidInput that names type and field."""
    return {one.name: read_field(kind, one, given) for one in kind.fields}


def read_field(kind: FactType, one: FactField, given: Mapping[str, object]) -> FactValue:
    """Check one field of a fact. Raises InvalidInput."""
    value = given.get(one.name)
    full = f"{kind.name}.{one.name}"
    if value is None:
        if one.start is None and not one.optional:
            suggestion = nearest(one.name, [name for name in given if all(name != known.name for known in kind.fields)])
            remedy = f"Did you mean '{one.name}' by '{suggestion}'?" if suggestion else "Give a value."
            raise InvalidInput("This field of a fact is missing.", field=full, remedy=remedy)
        return one.start
    if not one.many:
        return _one(one, full, value)
    if not isinstance(value, list | tuple):
        raise InvalidInput("This field is a list.", field=full, remedy="Give its values in brackets.")
    if len(value) > MAX_LIST:
        raise InvalidInput(f"A list of {len(value)} values is too long.", field=full, remedy=f"Give up to {MAX_LIST}.")
    return tuple(_one(one, full, item) for item in value)


def _one(one: FactField, full: str, value: object) -> Value:
    if one.untyped:
        if isinstance(value, bool) or (isinstance(value, str) and len(value) <= MAX_TEXT):
            return value
        if isinstance(value, int | Decimal):
            return Decimal(value)
        raise InvalidInput("A value is a number, a text, true or false.", field=full, remedy="Correct the value.")
    low, high = one.field.low, one.field.high
    if type(value) is int and low is not None and high is not None and low <= value <= high:
        return Decimal(value)
    try:
        return read_value(one.field, value)
    except InvalidInput as error:
        raise InvalidInput(error.what, field=full, remedy=error.remedy) from None


def plain_fact(values: Mapping[str, FactValue]) -> Values:
    """Give the values of a fact as people read them: numbers without trailing zeros."""
    return {path: shown(value) if isinstance(value, Decimal) else value for path, value in values.items()}


def flat_reader(program: FactProgram) -> FactReader:
    """Give the reader of the flat inputs that rules read."""
    reads = tuple(Read(one.kind, one.name) for one in program.inputs if not one.helper)
    rule = RuleIR("", 0, False, MAIN, Apply("bool", "has", reads), ())
    return FactReader(Program(program.inputs, (), (rule,)))


class Memory:
    """Facts by type and handle, and the flat fields. Handles increase and are never used again."""

    def __init__(self, program: FactProgram) -> None:
        self._types = {one.name: one for one in program.types}
        self.flat: dict[str, Value] = {one.name: start_of(one) for one in program.outputs}
        self.facts: dict[str, dict[int, Values]] = {name: {} for name in self._types}
        self.given: dict[int, Mapping[str, object]] = {}
        self._next = 1

    def insert(self, kind: str, given: Mapping[str, object]) -> int:
        """Add a fact and give its handle. Raises InvalidInput."""
        values = read_fact(type_of(self._types, kind), given)
        if self._next > MAX_FACTS:
            raise InvalidInput(f"There are more than {MAX_FACTS} facts.", remedy="Decide in parts.")
        handle = self._next
        self._next += 1
        self.facts[kind][handle] = values
        self.given[handle] = given
        return handle

    def load(self, document: Mapping[str, object]) -> None:
        """Add every fact of a document: `{"Order": [{...}], "Customer1": {...}}`; other names are flat fields."""
        for kind, fact in facts_in(self._types, document):
            self.insert(kind, fact)

    def document(self) -> dict[str, list[dict[str, object]]]:
        """Give all facts by type: what was given, with the values that rules know and set."""
        return {
            kind: [{**self.given[handle], **plain_fact(values)} for handle, values in found.items()]
            for kind, found in self.facts.items()
        }

    def all(self) -> Iterator[tuple[str, int, Values]]:
        """Give type, handle and values of each fact."""
        for kind, found in self.facts.items():
            for handle, values in found.items():
                yield kind, handle, values


def facts_in(
    types: Mapping[str, FactType], document: Mapping[str, object]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give type and fact for each fact of a document: `Order` may hold one or a list, so may Order1, Order2."""
    for name, value in document.items():
        stripped = name.rstrip("0123456789")
        kind = name if name in types else stripped if stripped in types else ""
        for one in (value if isinstance(value, list | tuple) else [value]) if kind else ():
            if not isinstance(one, Mapping):
                raise InvalidInput("A fact is an object with fields.", field=name, remedy='Write {"field": value}.')
            yield kind, one


def type_of(types: Mapping[str, FactType], kind: str) -> FactType:
    """Give a type by its name. Raises InvalidInput with the nearest one."""
    found = types.get(kind)
    if found is None:
        raise InvalidInput(f"No rule looks at facts of type {kind!r}.", remedy=meant(kind, types))
    return found


def start_of(one: Field) -> Value:
    """Give what a flat output holds before any rule fires."""
    assert one.default is not None, "every output has a default"
    return one.default
