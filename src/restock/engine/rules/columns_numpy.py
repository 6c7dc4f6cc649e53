"""Columns in NumPy, where Polars is absent: the tape of a program played over blocks of scaled int64 columns.

The same layers, the same flags, the same answers as `columns_polars`; about a quarter of its pace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from restock.engine.rules.columns import WORD, ColumnsProgram, Decided
from restock.engine.rules.columns_algebra import FIXED_TEXT, Column, either
from restock.engine.rules.columns_inputs import Given, complete
from restock.engine.rules.columns_tape import Operation, Register, Tape

if TYPE_CHECKING:
    import numpy

BLOCK: Final = 1 << 14
"""Rows at a time: sixty columns of a block stay in a core's cache."""

Array = Any  # Any: an array of any type


@dataclass(frozen=True)
class Arrays:
    """What was decided: outputs by name (int64, bool, codes, or texts as objects), words of fired rules, and flags."""

    outputs: dict[str, Array]
    words: list[Array]
    careful: Array


class NumpyColumns:
    """A program compiled for columns that are present, and masked or not, as `given` says by name."""

    def __init__(self, program: ColumnsProgram, masked: Mapping[str, bool], *, inside: bool = False) -> None:
        self._program = program
        self._tape = Tape()
        given = {name: self._given(name, gaps, inside) for name, gaps in masked.items()}
        done = complete(program, self._tape, given)
        decided = program.walk(self._tape, done.columns, lambda layer: layer)
        self._decided = Decided(decided.outputs, decided.tests, either(done.careful, decided.careful))

    def _given(self, name: str, gaps: bool, inside: bool) -> Given:
        missing = self._tape.write("missing", name) if gaps else False
        return Given(self._tape.write("input", name), missing, inside=inside)

    @cached_property
    def _steps(self) -> list[tuple[Callable[..., Array], tuple[Column, ...]]]:
        return [_playable(operation) for operation in self._tape.operations]

    def run(self, columns: Mapping[str, Array], missing: Mapping[str, Array], rows: int) -> Arrays:
        """Decide `rows` rows, block by block."""
        import numpy

        result = self._empty(rows)
        with numpy.errstate(all="ignore"):  # flagged rows hold numbers that mean nothing
            for start in range(0, rows, BLOCK):
                self._block(columns, missing, slice(start, min(start + BLOCK, rows)), result)
        return result

    def _block(self, columns: Mapping[str, Array], missing: Mapping[str, Array], at: slice, result: Arrays) -> None:
        registers: list[Array] = []
        for operation, (function, arguments) in zip(self._tape.operations, self._steps, strict=True):
            if operation.name in ("input", "missing"):
                registers.append((columns if operation.name == "input" else missing)[operation.arguments[0]][at])
            else:
                found = (registers[one.at] if isinstance(one, Register) else one for one in arguments)
                registers.append(function(*found))

        def settled(column: Column) -> Array:
            return registers[column.at] if isinstance(column, Register) else column

        for name, column in self._decided.outputs.items():
            result.outputs[name][at] = settled(column)
        result.careful[at] = settled(self._decided.careful)
        for word, target in enumerate(result.words):
            tests = self._decided.tests[word * WORD : (word + 1) * WORD]
            _pack([settled(test) for test in tests], target[at])

    def _empty(self, rows: int) -> Arrays:
        import numpy

        codes = len(self._program.texts.known)
        code = numpy.uint8 if codes <= 1 << 8 else numpy.uint16 if codes <= 1 << 16 else numpy.uint32
        types: dict[str, Any] = {"number": numpy.int64, "bool": numpy.bool_, "text": object}
        outputs = {
            one.name: numpy.empty(rows, code if self._program.coded(one) else types[one.kind])
            for one in self._program.outputs
        }
        rules = len(self._program.rules)
        word: type = next(
            (kind for bits, kind in ((8, numpy.uint8), (16, numpy.uint16), (32, numpy.uint32)) if rules <= bits),
            numpy.uint64,
        )
        words: list[Array] = [numpy.zeros(rows, word) for _ in range(max(1, -(-rules // WORD)))]
        return Arrays(outputs, words, numpy.empty(rows, numpy.bool_))


def _pack(tests: Sequence[Array], target: Array) -> None:
    """Set bit i where test i holds."""
    for bit, test in enumerate(tests):
        kind = target.dtype.type
        if test is True:
            target |= kind(1 << bit)
        elif test is not False:
            target |= test.astype(target.dtype) << kind(bit)


def _playable(operation: Operation) -> tuple[Callable[..., Array], tuple[Column, ...]]:
    """Give the function of an operation; fixed texts as objects, since NumPy's own texts lose trailing NULs."""
    import numpy

    if operation.name in ("input", "missing"):
        return _nothing, operation.arguments
    if operation.name == "decoded":
        codes, texts = operation.arguments
        known = numpy.array([*texts, None], dtype=object)[:-1]
        return (lambda column: known[column]), (codes,)
    arguments = tuple(_object(one) if isinstance(one, str) else one for one in operation.arguments)
    if operation.name.startswith("text:"):
        return _text_function(operation.name.removeprefix("text:")), operation.arguments
    return getattr(numpy, operation.name), arguments


def _nothing() -> Array:
    raise AssertionError("inputs are read, not computed")


def _object(text: str) -> numpy.ndarray[Any, Any]:
    import numpy

    return numpy.array(text, dtype=object)


def _text_function(name: str) -> Callable[..., Array]:
    """Give a text function over arrays of texts; a fixed text stands for every row."""
    import numpy

    function = FIXED_TEXT[name]
    kind: Any = {"length": numpy.int64, "lower": object, "upper": object, "trim": object, "join": object}.get(
        name, bool
    )

    def over(*columns: Array) -> Array:
        rows = next(len(column) for column in columns if not isinstance(column, str))
        wide = [[column] * rows if isinstance(column, str) else column for column in columns]
        result = numpy.empty(rows, kind)
        result[:] = [function(*texts) for texts in zip(*wide, strict=True)]
        return result

    return over
