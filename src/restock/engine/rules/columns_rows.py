"""Rows through columns: facts of many rows become columns, are decided at once, and become decisions again.

It exists so that every engine answers the same call with the same decisions; whoever has columns already should use
`decide_frame`, which saves both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from restock.core.errors import RestockError
from restock.engine.rules.columns import WORD, ColumnsProgram
from restock.engine.rules.columns_expressions import scaled_number
from restock.engine.rules.columns_inputs import Given
from restock.engine.rules.columns_numpy import NumpyColumns
from restock.engine.rules.columns_polars import CAREFUL, PolarsColumns, code_type, word_names
from restock.engine.rules.decision import Decision
from restock.engine.rules.evaluator import Evaluator
from restock.engine.rules.facts import Facts, encodable
from restock.engine.rules.ir import Field, Value
from restock.engine.rules.row import RowProgram, RowValue

Rows = list[tuple[Sequence[RowValue], bool]]
"""For each row the scaled outputs with the mask, and whether it must be decided carefully."""

Backend = Callable[[ColumnsProgram, Mapping[str, Sequence[RowValue]], int], Rows]


def decide_by_columns(
    evaluator: Evaluator, rows: Iterable[Facts], backend: Backend | None = None
) -> list[Decision | RestockError]:
    """Decide rows at once; a row that cannot be decided gives its error in its place.

    Raises InvalidInput with the reason when columns cannot run the rules.
    """
    program = evaluator.columns
    facts = list(rows)
    results: list[Decision | RestockError | None] = [None] * len(facts)
    at: list[int] = []
    read: list[tuple[RowValue, ...]] = []
    used: list[dict[str, Value]] = []
    for position, row in enumerate(facts):
        try:
            arguments, complete = evaluator.arguments(row)
        except RestockError as error:
            results[position] = error
            continue
        at.append(position)
        read.append(arguments)
        used.append(complete)
    columns, outside = _columns(program, evaluator.row.inputs, read)
    decided = (backend or _best())(program, columns, len(read))
    for number, (position, complete, (outputs, careful)) in enumerate(zip(at, used, decided, strict=True)):
        if careful or number in outside:
            results[position] = _one(evaluator, facts[position])
        else:
            results[position] = evaluator.decision(_widened(evaluator.row, program, outputs), complete)
    return [result for result in results if result is not None]


def _one(evaluator: Evaluator, facts: Facts) -> Decision | RestockError:
    try:
        return evaluator.by_row(facts)
    except RestockError as error:
        return error


def _columns(
    program: ColumnsProgram, wide: tuple[Field, ...], rows: Sequence[tuple[RowValue, ...]]
) -> tuple[dict[str, list[RowValue]], set[int]]:
    """Turn rows into columns; what only the row function holds sends its row to `outside`."""
    columns: dict[str, list[RowValue]] = {}
    outside: set[int] = set()
    for at, (one, whole) in enumerate(zip(program.inputs, wide, strict=True)):
        column = [row[at] for row in rows]
        if program.coded(one):
            column = [program.texts.codes[str(text)] for text in column]
        elif one.kind == "text":
            outside |= {number for number, text in enumerate(column) if not encodable(text)}
            column = ["" if number in outside else text for number, text in enumerate(column)]
        elif one != whole:
            column = _narrowed(one, 10 ** (whole.decimals - one.decimals), [int(value) for value in column], outside)
        columns[one.name] = column
    return columns, outside


def _narrowed(one: Field, step: int, column: list[int], outside: set[int]) -> list[RowValue]:
    assert one.low is not None and one.high is not None, "every input number has a range"
    low, high = (scaled_number(bound, one.decimals) for bound in (one.low, one.high))
    result: list[RowValue] = []
    for at, number in enumerate(column):
        value, rest = divmod(number, step)
        if rest or not low <= value <= high:
            outside.add(at)
        result.append(0 if at in outside else value)
    return result


def _widened(row: RowProgram, program: ColumnsProgram, outputs: Sequence[RowValue]) -> tuple[RowValue, ...]:
    """Give the outputs as the row function would, which may hold more decimals."""
    if program.outputs is row.outputs:
        return tuple(outputs)
    pairs = zip(row.outputs, program.outputs, outputs, strict=False)
    numbers = [
        value if wide.kind != "number" else value * 10 ** (wide.decimals - one.decimals) for wide, one, value in pairs
    ]
    return (*numbers, outputs[-1])


def _best() -> Backend:
    return by_polars if find_spec("polars") else by_numpy


def by_polars(program: ColumnsProgram, columns: Mapping[str, Sequence[RowValue]], rows: int) -> Rows:
    """Decide scaled columns with Polars."""
    import polars

    kinds: dict[str, Any] = {"number": polars.Int64, "bool": polars.Boolean, "text": polars.String}
    code = code_type(len(program.texts.known))
    types = {one.name: code if program.coded(one) else kinds[one.kind] for one in program.inputs}
    frame = polars.DataFrame({"": range(rows)}).with_columns(
        polars.Series(one.name, columns[one.name], dtype=types[one.name]) for one in program.inputs
    )
    given = {one.name: Given(polars.col(one.name), inside=True) for one in program.inputs}
    done = PolarsColumns(program, given).decide(frame.lazy()).collect()
    outputs = {one.name: done.get_column(one.name).to_list() for one in program.outputs}
    words = [done.get_column(name).to_list() for name in word_names(len(program.rules))]
    return _rows(program, outputs, words, done.get_column(CAREFUL).to_list())


def by_numpy(program: ColumnsProgram, columns: Mapping[str, Sequence[RowValue]], rows: int) -> Rows:
    """Decide scaled columns with NumPy."""
    import numpy

    def array(one: Field) -> Any:  # Any: an array of any type
        kinds: dict[str, Any] = {"number": numpy.int64, "bool": numpy.bool_, "text": object}
        result = numpy.empty(rows, numpy.int64 if program.coded(one) else kinds[one.kind])
        result[:] = columns[one.name]
        return result

    compiled = NumpyColumns(program, {one.name: False for one in program.inputs}, inside=True)
    done = compiled.run({one.name: array(one) for one in program.inputs}, {}, rows)
    outputs = {name: column.tolist() for name, column in done.outputs.items()}
    return _rows(program, outputs, [word.tolist() for word in done.words], done.careful.tolist())


def _rows(
    program: ColumnsProgram, outputs: Mapping[str, list[Any]], words: Sequence[list[int]], careful: list[bool]
) -> Rows:
    known = program.texts.known
    columns = [
        [known[code] for code in outputs[one.name]] if program.coded(one) else outputs[one.name]
        for one in program.outputs
    ]
    masks = [sum(word << WORD * at for at, word in enumerate(row)) for row in zip(*words, strict=True)]
    return [(row, flag) for row, flag in zip(zip(*columns, masks, strict=True), careful, strict=True)]
