"""The typed representation of rules over facts: beside `ir`, whose expressions it uses, and never inside a `Program`.

A fact is a record of a type with a handle. A rule is a list of conditions that are looked at in order and bind
variables; `||` between patterns makes several rules of one name, its alternatives. In expressions a `Read` of `$o.total` is
a field of the fact bound to `$o`, a `Read` of a gather's name is its result, any other `Read` is a flat field.

Functions of `Apply` that exist only here: has(field), count(list), empty(list), member(list, value), first and last(list).
An expression reads an absent value only inside has: `fact_typer` puts `has(x) &&` before each test that may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from restock.engine.rules.errors import Place
from restock.engine.rules.ir import Expr, Field, Kind, Value, fields_read
from restock.engine.rules.syntax import MAIN, NOWHERE, Module

FactValue = Value | tuple[Value, ...] | None
"""A value of a fact: a list is a tuple, an absent value is None."""

_START: Final[dict[Kind, Value]] = {"number": Decimal(0), "bool": False, "text": ""}

Function = Literal["sum", "count", "avg", "min", "max"]
WindowKind = Literal["sliding", "tumbling", "session"]


@dataclass(frozen=True, slots=True)
class FactField:
    """A field of a type. `many`: a list of such values. `optional`: may be absent. `derived`: rules write it.
    `untyped`: rules only compare it with its like, or ask its length, so that it holds values of any kind.
    """

    field: Field
    many: bool = False
    optional: bool = False
    derived: bool = False
    untyped: bool = False

    @property
    def name(self) -> str:
        """The name inside its type."""
        return self.field.name

    @property
    def start(self) -> FactValue:
        """What stands before any rule fires, when the fact does not say."""
        if self.many:
            return ()
        if self.field.default is not None or not self.derived:
            return self.field.default
        return _START[self.field.kind]


@dataclass(frozen=True, slots=True)
class FactType:
    """A type of facts with the fields that rules use."""

    name: str
    fields: tuple[FactField, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """A fact of the type for which all tests hold; they may read what is bound before."""

    variable: str
    type: str
    tests: tuple[Expr, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """A test of what is bound before."""

    test: Expr


@dataclass(frozen=True, slots=True)
class Gather:
    """An aggregate of `value` over the facts of a type for which all tests hold; `variable` is the fact inside.

    sum and count of nothing are 0; avg, min and max of nothing do not match. avg has 6 decimals, rounded half up.
    """

    name: str
    type: str
    variable: str
    function: Function
    value: Expr
    tests: tuple[Expr, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Holds when one of the branches has a match, or, negated, when none has. What they bind stays inside."""

    negated: bool
    branches: tuple[tuple[Condition, ...], ...]


Condition = Match | Check | Gather | Group


@dataclass(frozen=True, slots=True)
class SetField:
    """Set a field of the fact bound to `variable`, or a flat field when that is empty."""

    variable: str
    path: str
    value: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AppendTo:
    """Add a value to the end of a list."""

    variable: str
    path: str
    value: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Remove:
    """Take the fact out of memory."""

    variable: str
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Focus:
    """Put an agenda group on top of the stack."""

    group: str


FactAction = SetField | AppendTo | Remove | Focus


@dataclass(frozen=True, slots=True)
class FactRule:
    """One rule over facts; `types` gives the type of each variable that its actions may name."""

    name: str
    salience: int
    no_loop: bool
    conditions: tuple[Condition, ...]
    actions: tuple[FactAction, ...]
    types: dict[str, str]
    alternative: int = 0
    module: str = MAIN
    group: str = MAIN
    lock_on_active: bool = False
    auto_focus: bool = False
    activation_group: str = ""
    effective: datetime | None = None
    expires: datetime | None = None
    description: str = field(default="", compare=False, repr=False)
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a stream in time, seen as a type of facts of its own. `length_ms` 0: everything, for ever."""

    type: str
    stream: str
    kind: WindowKind
    length_ms: int


@dataclass(frozen=True, slots=True)
class FactQuery:
    """A query: each match of a goal is a solution; `failure` and `missing` hold what is set when there is none.

    With `variables` a solution is their values, each from the first of its fields that the match has.
    """

    name: str
    goals: tuple[FactRule, ...]
    failure: FactRule
    missing: FactRule
    max_depth: int
    max_solutions: int
    variables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FactProgram:
    """A typed rulebook over facts: flat fields, types, rules in firing order, windows, and what only the text knows."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    types: tuple[FactType, ...]
    rules: tuple[FactRule, ...]
    windows: tuple[Window, ...] = ()
    modules: tuple[Module, ...] = ()
    queries: tuple[FactQuery, ...] = ()

    def type(self, name: str) -> FactType:
        """Give a type by its name."""
        return next(one for one in self.types if one.name == name)

    @property
    def dated(self) -> bool:
        """Whether some rule holds only for a time."""
        return any(rule.effective or rule.expires for rule in self.rules)


def tests_of(conditions: tuple[Condition, ...]) -> Iterator[Expr]:
    """Give every expression in conditions, groups included."""
    for one in conditions:
        match one:
            case Match():
                yield from one.tests
            case Check():
                yield one.test
            case Gather():
                yield from one.tests
                yield one.value
            case Group():
                for branch in one.branches:
                    yield from tests_of(branch)


def variables_of(conditions: tuple[Condition, ...]) -> dict[str, str]:
    """Give the type of each fact variable, groups and gathers included."""
    found: dict[str, str] = {}
    for one in conditions:
        if isinstance(one, Match | Gather):
            found[one.variable] = one.type
        elif isinstance(one, Group):
            for branch in one.branches:
                found |= variables_of(branch)
    return found


def place_of_read(name: str, variables: dict[str, str]) -> tuple[str, str]:
    """Give type and field of a read name; the type of a flat field is empty."""
    variable, dot, path = name.partition(".")
    if dot and variable in variables:
        return variables[variable], path
    return "", name


def reads_of(rule: FactRule) -> set[tuple[str, str]]:
    """Give what the conditions of a rule read, as type and field; a type alone stands for its presence."""
    variables = variables_of(rule.conditions)
    found = {(kind, "") for kind in variables.values()}
    return found | {place_of_read(name, variables) for name in fields_read(*tests_of(rule.conditions))}


def action_reads_of(rule: FactRule) -> set[tuple[str, str]]:
    """Give what the actions of a rule read."""
    values = [one.value for one in rule.actions if isinstance(one, SetField | AppendTo)]
    found = {place_of_read(name, rule.types) for name in fields_read(*values)}
    return found | {(rule.types.get(one.variable, ""), one.path) for one in rule.actions if isinstance(one, AppendTo)}


def writes_of(rule: FactRule) -> set[tuple[str, str]]:
    """Give what a rule writes; a fact that is removed changes every field of its type and its presence."""
    found: set[tuple[str, str]] = set()
    for one in rule.actions:
        if isinstance(one, SetField | AppendTo):
            found.add((rule.types.get(one.variable, ""), one.path))
        elif isinstance(one, Remove):
            found.add((rule.types[one.variable], ""))
    return found
