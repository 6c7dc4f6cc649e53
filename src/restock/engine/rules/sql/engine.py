"""Decides facts from Python by SQL: completes them as every engine does, hands whole columns to DuckDB, reads decisions.

It pays for agreement and for whole batches; a single decision is quicker by the row function. A row that SQL cannot decide
goes to the reference engine, which answers or says why not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from restock.core.errors import RestockError
from restock.engine.rules.absence import only_given
from restock.engine.rules.arithmetic import EXACT, shown
from restock.engine.rules.decision import Decision
from restock.engine.rules.errors import SourceText
from restock.engine.rules.facts import FactReader, Facts, encodable, scaled
from restock.engine.rules.ir import Field, Program, Value
from restock.engine.rules.reference import plain_values, run
from restock.engine.rules.sql.duck import connected
from restock.engine.rules.sql.inputs import Column, identifier
from restock.engine.rules.sql.query import SqlQuery, Wanted, compile_sql

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE: Final = 100_000
"""Rows handed to DuckDB at once: some ten megabytes of columns."""

NUMBER: Final = "row_number"
"""The column that keeps rows in their order; a field of this name is quoted and in a column of its own."""


class SqlEngine:
    """A program ready to decide by SQL. Raises SqlRefused, with the reason, when SQL cannot run it."""

    def __init__(self, source: SourceText, program: Program) -> None:
        self._source = source
        self._program = program
        self._reader = FactReader(program)
        columns = {one.name: Column("scaled") for one in self._reader.used}
        names = {one.name: f"i{at}" for at, one in enumerate(self._reader.used)}
        self._names = names
        renamed = ", ".join([*(f"{names[one]} AS {identifier(one)}" for one in names), NUMBER])
        wanted = Wanted(keep=(NUMBER,), people=False)
        table = f"(SELECT {renamed} FROM facts) AS facts"  # noqa: S608 - names are quoted by `identifier`
        self.query = compile_sql(source, program, table, columns, wanted)
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._text = f"{self.query.text}ORDER BY 1"

    def decide_many(self, rows: Iterable[Facts]) -> list[Decision | RestockError]:
        """Decide each row, in order; a row that cannot be decided gives its error in its place."""
        results: list[Decision | RestockError] = []
        complete: list[tuple[int, dict[str, Value]]] = []
        for facts in rows:
            try:
                used = self._reader.complete(facts)
            except RestockError as error:
                results.append(error)
                continue
            complete.append((len(results), used))
            results.append(_UNDECIDED)
            if len(complete) == ROWS_AT_ONCE:
                self._fill(complete, results)
                complete = []
        if complete:
            self._fill(complete, results)
        return results

    def _fill(self, complete: Sequence[tuple[int, dict[str, Value]]], results: list[Decision | RestockError]) -> None:
        odd = {at for at, used in complete if not all(map(encodable, used.values()))}
        for at, used in complete:
            if at in odd:
                results[at] = self._by_reference(used)
        ordinary = [one for one in complete if one[0] not in odd]
        if not ordinary:
            return
        for (at, used), row in zip(ordinary, self._run([used for _, used in ordinary]), strict=True):
            results[at] = self._decision(used, row)

    def _run(self, rows: Sequence[dict[str, Value]]) -> list[tuple[Any, ...]]:  # Any: a row of DuckDB
        import numpy  # noqa: PLC0415 - only SQL from Python pays for it

        kinds: dict[str, Any] = {"number": numpy.int64, "bool": numpy.bool_, "text": object}  # Any: NumPy's types
        columns: dict[str, Any] = {NUMBER: numpy.arange(len(rows), dtype=numpy.int64)}
        for one in self._reader.used:
            values = [scaled(one, row[one.name]) for row in rows]
            columns[self._names[one.name]] = numpy.array(values, dtype=kinds[one.kind])
        if self._connection is None:
            self._connection = connected()
        with self._connection.cursor() as cursor:
            cursor.execute("SET disabled_optimizers = 'filter_pushdown'")
            cursor.register("facts", columns)
            return cursor.execute(self._text).fetchall()

    def _decision(self, used: dict[str, Value], row: tuple[Any, ...]) -> Decision | RestockError:  # Any: as above
        query: SqlQuery = self.query
        if row[-1]:
            return self._by_reference(used)
        outputs = {one.name: _value(one, row[at]) for at, one in enumerate(query.outputs, 1)}
        return Decision(outputs, query.fired(row[1 + len(query.outputs) : -1]), only_given(used))

    def _by_reference(self, used: dict[str, Value]) -> Decision | RestockError:
        try:
            done = run(self._source, self._program, used)
        except RestockError as error:
            return error
        outputs = plain_values({one.name: done.values[one.name] for one in self._program.outputs})
        return Decision(outputs, tuple(firing.rule.name for firing in done.firings), only_given(used))


def decide_by_sql(source: SourceText, program: Program, rows: Iterable[Facts]) -> list[Decision | RestockError]:
    """Decide each row by SQL, in order. Raises SqlRefused when SQL cannot run the program."""
    return SqlEngine(source, program).decide_many(rows)


_UNDECIDED: Final = RestockError("This row has not been decided.")


def _value(one: Field, held: Any) -> Value:  # Any: a value of DuckDB
    if one.kind == "number":
        return shown(EXACT.scaleb(EXACT.create_decimal(held), -one.decimals))
    value: bool | str = held
    return value
