"""A tape of operations on NumPy columns: written once from the steps, then played block by block without Python's help.

Writing the tape needs no NumPy; equal operations are written once. Playing it costs a microsecond an operation, so
blocks are as long as caches allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from restock.engine.rules.columns_algebra import Column, Held


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name, and registers or fixed values it works on."""

    name: str
    arguments: tuple[Column, ...]


class Register:
    """The result of an operation on the tape; Python's operators write further ones."""

    __slots__ = ("at", "tape")
    __hash__ = object.__hash__

    def __init__(self, tape: Tape, at: int) -> None:
        self.tape = tape
        self.at = at

    def __add__(self, other: Column) -> Register:
        return self.tape.write("add", self, other)

    def __radd__(self, other: Column) -> Register:
        return self.tape.write("add", other, self)

    def __sub__(self, other: Column) -> Register:
        return self.tape.write("subtract", self, other)

    def __rsub__(self, other: Column) -> Register:
        return self.tape.write("subtract", other, self)

    def __mul__(self, other: Column) -> Register:
        return self.tape.write("multiply", self, other)

    def __rmul__(self, other: Column) -> Register:
        return self.tape.write("multiply", other, self)

    def __floordiv__(self, other: Column) -> Register:
        return self.tape.write("floor_divide", self, other)

    def __rfloordiv__(self, other: Column) -> Register:
        return self.tape.write("floor_divide", other, self)

    def __neg__(self) -> Register:
        return self.tape.write("negative", self)

    def __invert__(self) -> Register:
        return self.tape.write("logical_not", self)

    def __and__(self, other: Column) -> Register:
        return self.tape.write("logical_and", self, other)

    def __or__(self, other: Column) -> Register:
        return self.tape.write("logical_or", self, other)

    def __lt__(self, other: Column) -> Register:
        return self.tape.write("less", self, other)

    def __le__(self, other: Column) -> Register:
        return self.tape.write("less_equal", self, other)

    def __gt__(self, other: Column) -> Register:
        return self.tape.write("greater", self, other)

    def __ge__(self, other: Column) -> Register:
        return self.tape.write("greater_equal", self, other)

    def __eq__(self, other: Column) -> Register:  # type: ignore[override]  # a column of answers, not one answer
        return self.tape.write("equal", self, other)

    def __ne__(self, other: Column) -> Register:  # type: ignore[override]  # as above
        return self.tape.write("not_equal", self, other)


class Tape:
    """The operations in order; an `Algebra` whose columns are registers."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._written: dict[tuple[object, ...], Register] = {}

    def write(self, name: str, *arguments: Column) -> Register:
        """Write an operation, or give the register of an equal one."""
        key = (name, *((True, one.at) if isinstance(one, Register) else (type(one), one) for one in arguments))
        found = self._written.get(key)
        if found is None:
            found = self._written[key] = Register(self, len(self.operations))
            self.operations.append(Operation(name, arguments))
        return found

    def choose(self, test: Sequence[tuple[Column, Column]], otherwise: Column, held: Held) -> Column:
        """Give the value of the first test that holds."""
        result = otherwise
        for condition, value in reversed(test):
            result = self.write("where", condition, value, result)
        return result

    def smaller(self, one: Column, other: Column) -> Column:
        """Give the smaller number."""
        return self.write("minimum", one, other)

    def larger(self, one: Column, other: Column) -> Column:
        """Give the larger number."""
        return self.write("maximum", one, other)

    def absolute(self, one: Column) -> Column:
        """Give a number without its sign."""
        return self.write("absolute", one)

    def text(self, function: str, arguments: Sequence[Column]) -> Column:
        """Apply a text function."""
        return self.write("text:" + function, *arguments)

    def decoded(self, codes: Column, texts: Sequence[str]) -> Column:
        """Give the texts of codes."""
        return self.write("decoded", codes, tuple(texts))
