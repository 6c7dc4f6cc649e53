"""NumPy columns in, NumPy columns out, where Polars is absent: everything scaled, since NumPy has no decimals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules.arithmetic import shown
from restock.engine.rules.columns import WORD, ColumnsProgram
from restock.engine.rules.columns_inputs import columns_read
from restock.engine.rules.columns_numpy import Array, Arrays, NumpyColumns
from restock.engine.rules.evaluator import Evaluator
from restock.engine.rules.facts import scaled
from restock.engine.rules.ir import Field

KINDS: Final = {"number": "iu", "bool": "b", "text": "OUT"}
"""Kinds of arrays, as NumPy calls them, that hold numbers, bools and texts."""


def decide_arrays(evaluator: Evaluator, given: Mapping[str, Array]) -> dict[str, Array]:
    """Decide every row of arrays; see `Rulebook.decide_arrays`."""
    import numpy

    program = evaluator.columns
    if program.program is not evaluator.program:
        raise InvalidInput(
            "Arrays need inputs with declared digits: without them nobody knows what a scaled number means.",
            remedy="Declare them, for example: input moq: decimal(9,2) in 0..10000;",
        )
    fields = {one.name: one for one in columns_read(program) if one.name in given}
    arrays = {name: _checked(one, given[name]) for name, one in fields.items()}
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        raise InvalidInput(f"The columns have different lengths: {', '.join(map(str, sorted(lengths)))}.")
    rows = lengths.pop() if lengths else max(map(len, given.values()), default=0)
    missing = {name: numpy.ma.getmaskarray(array) for name, array in arrays.items() if numpy.ma.isMaskedArray(array)}
    plain = {name: numpy.ma.getdata(array) for name, array in arrays.items()}
    columns = {name: _coded(program, one, plain[name]) for name, one in fields.items()}
    for one in program.inputs:
        if one.presence_of in fields:
            absent = missing.get(one.presence_of)
            columns[one.name] = numpy.ones(rows, numpy.bool_) if absent is None else ~absent
    compiled = NumpyColumns(program, {name: name in missing for name in columns})
    return _Result(evaluator, program, fields, plain, missing).of(compiled.run(columns, missing, rows))


def _checked(one: Field, array: Array) -> Array:
    kind = array.dtype.kind
    if kind not in KINDS[one.kind]:
        why = "A float has already lost digits." if kind == "f" else f"An array of {array.dtype} holds no {one.kind}s."
        raise InvalidInput(why, field=one.name, remedy="Give int64 for scaled numbers, bools, or texts.")
    return array


def _coded(program: ColumnsProgram, one: Field, array: Array) -> Array:
    """Give texts as objects, known ones as codes; -1 is no code and sends its row the careful way."""
    import numpy

    if one.kind != "text":
        return array.astype(numpy.int64, copy=False) if one.kind == "number" else array
    if not program.coded(one):
        return array.astype(object)
    return numpy.array([program.texts.codes.get(text, -1) for text in array.tolist()], numpy.int64)


class _Result:
    """Puts what was decided into the caller's form, and decides the flagged rows one by one."""

    def __init__(
        self,
        evaluator: Evaluator,
        program: ColumnsProgram,
        fields: Mapping[str, Field],
        given: Mapping[str, Array],
        missing: Mapping[str, Array],
    ) -> None:
        self._evaluator = evaluator
        self._program = program
        self._fields = fields
        self._given = given
        self._missing = missing

    def of(self, done: Arrays) -> dict[str, Array]:
        import numpy

        rows = len(done.careful)
        known = numpy.array([*self._program.texts.known, None], dtype=object)
        result: dict[str, Array] = {
            one.name: known[done.outputs[one.name]] if self._program.coded(one) else done.outputs[one.name]
            for one in self._program.outputs
        }
        result["fired"] = done.words[0] if len(done.words) == 1 else self._wide(done)
        result["error"] = numpy.full(rows, None, dtype=object)
        for at in numpy.flatnonzero(done.careful).tolist():
            self._carefully(at, result)
        return result

    def _wide(self, done: Arrays) -> Array:
        """Give masks past 64 rules as Python's whole numbers."""
        mask: Array = 0
        for at, word in enumerate(done.words):
            mask = mask + word.astype(object) * (1 << WORD * at)
        return mask

    def _carefully(self, at: int, result: dict[str, Array]) -> None:
        try:
            decision = self._evaluator.decide(self._facts(at))
        except RestockError as error:
            result["error"][at] = RestockError.__str__(error)
            values: dict[str, Any] = {one.name: _START[one.kind] for one in self._program.outputs}
            mask = 0
        else:
            values = {one.name: scaled(one, decision.outputs[one.name]) for one in self._program.outputs}
            mask = sum(1 << place for place, name in enumerate(self._program.rules) if name in decision.fired)
        for name, value in values.items():
            result[name][at] = value
        result["fired"][at] = mask

    def _facts(self, at: int) -> dict[str, object]:
        facts: dict[str, object] = {}
        for name, one in self._fields.items():
            if name in self._missing and self._missing[name][at]:
                continue
            value = self._given[name][at]
            if one.kind == "number":
                facts[name] = shown(Decimal(int(value)).scaleb(-one.decimals))
            else:
                facts[name] = bool(value) if one.kind == "bool" else value if value is None else str(value)
        return facts


_START: Final = {"number": 0, "bool": False, "text": ""}
"""What outputs of a row with an error hold, since an int64 cannot be absent."""
