"""The syntax of what looks over facts: patterns, quantifiers, accumulate, lists, streams, null and goals with WHERE.

They are expressions like the others, so that `&&`, `||` and `!` join them. Rules without any of them are scalar: they
decide one set of fields, and all engines can run them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from restock.engine.rules.errors import Place
from restock.engine.rules.syntax import NOWHERE, Element, Expression, children


@dataclass(frozen=True, slots=True)
class Null(Element):
    """`null`: what a field that is absent is compared with."""

    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pattern(Element):
    """`$o: Order(amount > 100)`: each fact of the type for which the condition holds."""

    type: str
    condition: Expression | None = None
    variable: str = ""
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def parts(self) -> tuple[Expression, ...]:
        """Give the condition."""
        return () if self.condition is None else (self.condition,)


@dataclass(frozen=True, slots=True)
class Bind(Element):
    """`$v: amount` inside a pattern: a name for a field of the fact."""

    variable: str
    path: str
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Quantified(Element):
    """`exists(...)`, `forall(...)` or `not(...)`."""

    word: str
    condition: Expression
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def parts(self) -> tuple[Expression, ...]:
        """Give the condition."""
        return (self.condition,)


@dataclass(frozen=True, slots=True)
class Accumulate(Element):
    """`$sum: accumulate(Order($v: amount, open), sum($v))`; `result` is the name before the colon."""

    type: str
    variable: str
    path: str
    tests: tuple[Expression, ...]
    function: str
    result: str = ""
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def parts(self) -> tuple[Expression, ...]:
        """Give the tests."""
        return self.tests


@dataclass(frozen=True, slots=True)
class Multifield(Element):
    """A list and a word behind it: all (`$?v`), count, first, last, empty, not_empty or collect."""

    path: str
    word: str
    variable: str = ""
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Stream(Element):
    """`e: Order from stream("orders") over window(5 min, sliding)`; without a window `amount` is 0."""

    variable: str
    type: str
    stream: str
    amount: int = 0
    unit: str = ""
    window: str = ""
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Where(Element):
    """`goal WHERE condition`, in queries."""

    goal: Expression
    condition: Expression
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def parts(self) -> tuple[Expression, ...]:
        """Give goal and condition."""
        return (self.goal, self.condition)


def elements(node: Expression) -> Iterator[Element]:
    """Give the elements in an expression, outer before inner."""
    if isinstance(node, Element):
        yield node
    for child in children(node):
        yield from elements(child)
