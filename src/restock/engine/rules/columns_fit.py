"""Whether int64 columns can hold a program, found by writing it once on a tape that nobody plays."""

from __future__ import annotations

from restock.engine.rules.columns import ColumnsProgram
from restock.engine.rules.columns_expressions import TooWide
from restock.engine.rules.columns_inputs import Given, complete
from restock.engine.rules.columns_tape import Tape
from restock.engine.rules.errors import SourceText
from restock.engine.rules.ir import Program


def fit_columns(source: SourceText, program: Program) -> tuple[ColumnsProgram | None, str]:
    """Give the program over columns, or the reason why there is none."""
    try:
        columns, tape = ColumnsProgram(source, program), Tape()
        given = {one.name: Given(tape.write("input", one.name)) for one in columns.inputs}
        columns.walk(tape, complete(columns, tape, given).columns, lambda layer: layer)
    except TooWide as reason:
        return None, str(reason)
    return columns, ""
