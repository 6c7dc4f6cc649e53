"""Columns in Polars: each layer becomes one `with_columns` of int64 expressions, lazy, so that Polars can stream.

Here everything is scaled: a number with d decimals is the int64 n x 10^d, a known text is its code. `columns_frame` puts
people's columns around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from restock.engine.rules.columns import WORD, ColumnsProgram, Decided
from restock.engine.rules.columns_algebra import Column, Held
from restock.engine.rules.columns_inputs import Given, complete
from restock.engine.rules.limits import MAX_TEXT

if TYPE_CHECKING:
    import polars

CAREFUL: Final = "#careful"
"""The bool column of rows that must be decided one by one."""

BYTE: Final = 8
"""Rules in one byte of it."""

SPACES: Final = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Python's `strip` takes away, and so `trim`."""


class PolarsAlgebra:
    """Expressions of Polars."""

    def __init__(self, codes: int) -> None:
        import polars

        self._polars = polars
        self._types: dict[Held, polars.DataType | type[polars.DataType]] = {
            "number": polars.Int64,
            "bool": polars.Boolean,
            "code": code_type(codes),
            "text": polars.String,
        }

    def literal(self, value: Column, held: Held) -> Column:
        """Give a fixed value as an expression of its type."""
        return self._polars.lit(value, dtype=self._types[held]) if isinstance(value, bool | int | str) else value

    def choose(self, test: Sequence[tuple[Column, Column]], otherwise: Column, held: Held) -> Column:
        """Give the value of the first test that holds."""
        chain: Column = self._polars
        for condition, value in test:
            chain = chain.when(condition).then(self.literal(value, held))
        return chain.otherwise(self.literal(otherwise, held))

    def smaller(self, one: Column, other: Column) -> Column:
        """Give the smaller number."""
        return self._polars.min_horizontal(self.literal(one, "number"), self.literal(other, "number"))

    def larger(self, one: Column, other: Column) -> Column:
        """Give the larger number."""
        return self._polars.max_horizontal(self.literal(one, "number"), self.literal(other, "number"))

    def absolute(self, one: Column) -> Column:
        """Give a number without its sign."""
        return one.abs()

    def text(self, function: str, arguments: Sequence[Column]) -> Column:
        """Apply a text function."""
        text, *others = (self.literal(one, "text") for one in arguments)
        match function:
            case "length":
                return text.str.len_chars().cast(self._polars.Int64)
            case "contains":
                return text.str.contains(others[0], literal=True)
            case "startsWith":
                return text.str.starts_with(others[0])
            case "endsWith":
                return text.str.ends_with(others[0])
            case "lower":
                return text.str.to_lowercase()
            case "upper":
                return text.str.to_uppercase()
            case "trim":
                return text.str.strip_chars(SPACES)
            case "ascii":
                return text.str.len_bytes() == text.str.len_chars()
            case _:
                joined = text + others[0]
                return (
                    self._polars.when(joined.str.len_chars() <= MAX_TEXT)
                    .then(joined)
                    .otherwise(self.literal("", "text"))
                )

    def decoded(self, codes: Column, texts: Sequence[str]) -> Column:
        """Give the texts of codes."""
        return self.enumerated(codes, texts).cast(self._polars.String)

    def enumerated(self, codes: Column, texts: Sequence[str]) -> Column:
        """Give codes as an enum of the texts, at no cost."""
        return codes.cat.to(self._polars.Enum(list(texts)))


def code_type(count: int) -> type[polars.DataType]:
    """Give the type that Polars itself uses for an enum of so many texts."""
    import polars

    return polars.UInt8 if count <= 1 << 8 else polars.UInt16 if count <= 1 << 16 else polars.UInt32


class PolarsColumns:
    """A program written once as expressions over a frame's columns; frames without end can be decided by it."""

    def __init__(self, program: ColumnsProgram, given: Mapping[str, Given]) -> None:
        """Write the layers; the expressions of `given` read the frame's columns."""
        algebra = PolarsAlgebra(len(program.texts.known))
        layers = _Layers()
        done = complete(program, algebra, given)
        inputs = layers.settle({f"#{name}": column for name, column in done.columns.items()})
        flagged = layers.settle({"##incomplete": done.careful})["##incomplete"]
        decided = program.walk(algebra, {name[1:]: column for name, column in inputs.items()}, layers.settle)
        ends = _ends(program, algebra, decided)
        careful = algebra.literal(decided.careful, "bool") | flagged
        self._layers: list[list[polars.Expr]] = [*layers.written, [careful.alias(CAREFUL), *ends]]
        self._results: list[polars.Expr | str] = [*(_name(one) for one in ends), CAREFUL]

    def decide(self, frame: polars.LazyFrame, keep: Sequence[str] = ()) -> polars.LazyFrame:
        """Add the layers to a frame; gives `keep`, the outputs, `fired` or `fired_1…`, and `#careful`.

        Outputs are scaled int64, bools, codes or texts.
        """
        for layer in self._layers:
            frame = frame.with_columns(layer)
        return frame.select(*keep, *self._results)


def _name(one: polars.Expr) -> polars.Expr:
    name = one.meta.output_name()
    import polars

    return polars.col(name).alias(name.removeprefix("="))


class _Layers:
    """Collects layers; what is fixed stays fixed."""

    def __init__(self) -> None:
        import polars

        self.written: list[list[polars.Expr]] = []
        self._column = polars.col

    def settle(self, values: dict[str, Column]) -> dict[str, Column]:
        fixed = {name: value for name, value in values.items() if isinstance(value, bool | int | str)}
        named = [value.alias(name) for name, value in values.items() if name not in fixed]
        if named:
            self.written.append(named)
        return {name: fixed[name] if name in fixed else self._column(name) for name in values}


def _ends(program: ColumnsProgram, algebra: PolarsAlgebra, decided: Decided) -> list[polars.Expr]:
    """Give outputs and fired words under names that no column of the frame has; `=` goes away in the last step."""
    held: dict[str, Held] = {one.name: "code" if program.coded(one) else one.kind for one in program.outputs}
    outputs = [algebra.literal(column, held[name]).alias(f"={name}") for name, column in decided.outputs.items()]
    return [*outputs, *fired_words(decided.tests)]


def word_names(rules: int) -> list[str]:
    """Give the names of the columns that hold the mask of fired rules: bit i of word w is rule 64 w + i."""
    words = max(1, -(-rules // WORD))
    return ["fired"] if words == 1 else [f"fired_{at + 1}" for at in range(words)]


def fired_words(tests: Sequence[Column]) -> list[polars.Expr]:
    """Pack the tests into words of the smallest type that holds them."""
    import polars

    sizes = ((8, polars.UInt8), (16, polars.UInt16), (32, polars.UInt32), (WORD, polars.UInt64))
    found = []
    for at, name in enumerate(word_names(len(tests))):
        some = tests[at * WORD : (at + 1) * WORD]
        kind = next(kind for room, kind in sizes if len(some) <= room)
        word: Column = polars.lit(0, dtype=kind)
        for part in range(0, len(some), BYTE):
            byte = _byte(some[part : part + BYTE]).cast(kind)
            word = byte if part == 0 else word | byte * polars.lit(1 << part, dtype=kind)
        found.append(word.alias(f"={name}"))
    return found


def _byte(tests: Sequence[Column]) -> Column:
    """Pack eight tests; a choice between two bytes costs a quarter of one between wider words."""
    import polars

    byte: Column = None
    for bit, test in enumerate(tests):
        value, nothing = (polars.lit(number, dtype=polars.UInt8) for number in (1 << bit, 0))
        if test is not False:
            bits = value if test is True else polars.when(test).then(value).otherwise(nothing)
            byte = bits if byte is None else byte | bits
    return nothing if byte is None else byte
