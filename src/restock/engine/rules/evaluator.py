"""Decides rows with one program, by the row function or the reference, on the quick or the careful way.

`engines` has the table of all engines and chooses between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules.absence import only_given
from restock.engine.rules.columns import ColumnsProgram
from restock.engine.rules.columns_fit import fit_columns
from restock.engine.rules.decision import Decision
from restock.engine.rules.errors import SourceText
from restock.engine.rules.facts import FactReader, Facts, scaled
from restock.engine.rules.fast import NotOrdinary, compile_finish, compile_reader
from restock.engine.rules.ir import Program, Value
from restock.engine.rules.reference import Run, plain_values, run
from restock.engine.rules.row import RowProgram, RowValue, compile_row
from restock.engine.rules.sql import SqlEngine, SqlRefused
from restock.engine.rules.stratify import reason_against_one_pass

MAX_REMEMBERED_MASKS = 10_000
"""Most masks whose names are kept: enough for every real rulebook, a bound for hostile ones."""


class Evaluator:
    """A program ready to decide. `reason_against_row` is empty when the row engine runs it."""

    def __init__(self, source: SourceText, program: Program) -> None:
        self._source = source
        self.program = program
        self._reader = FactReader(program)
        self.reason_against_row = reason_against_one_pass(program.rules)
        self._row: RowProgram | None = None
        if not self.reason_against_row:
            self._row = compile_row(source, program, self._reader.used)
            self._read = compile_reader(self._reader.used)
            self._finish = compile_finish(self._row)
        self._fired: dict[int, tuple[str, ...]] = {}

    @property
    def row(self) -> RowProgram:
        """The compiled function. Raises InvalidInput with the reason when the rules need forward chaining."""
        if self._row is None:
            remedy = "Use the reference engine, or order the rules so that each reads only what rules above it write."
            raise InvalidInput(f"The row engine cannot run these rules: {self.reason_against_row}.", remedy=remedy)
        return self._row

    def facts(self, facts: Facts) -> dict[str, Value]:
        """Complete and check the inputs. Raises InvalidInput."""
        return self._reader.complete(facts)

    def reference(self, facts: Facts) -> tuple[dict[str, Value], Run]:
        """Run the reference engine. Raises InvalidInput, or RuleError where a rule cannot be evaluated."""
        inputs = self.facts(facts)
        return inputs, run(self._source, self.program, inputs)

    @cached_property
    def reason_against_columns(self) -> str:
        """Why columns cannot run the program; empty when they can. Found when somebody asks."""
        return self.reason_against_row or self._fitted[1]

    @cached_property
    def _fitted(self) -> tuple[ColumnsProgram | None, str]:
        return fit_columns(self._source, self.program)

    def columns_for(self, decimals: Mapping[str, int]) -> ColumnsProgram:
        """Give the program over columns of so many decimals, or `columns` when these make it too wide."""
        columns = self.columns
        if columns.program is self.program:
            return columns
        return fit_columns(self._source, self.program, decimals)[0] or columns

    @property
    def columns(self) -> ColumnsProgram:
        """The program over columns. Raises InvalidInput with the reason when there is none."""
        found = None if self.reason_against_columns else self._fitted[0]
        if found is None:
            message = f"The columns engine cannot run these rules: {self.reason_against_columns}."
            raise InvalidInput(message, remedy="Use another engine; `restock rules plan` says which run them.")
        return found

    @cached_property
    def reason_against_sql(self) -> str:
        """Why SQL cannot run the program; empty when it can. Found when somebody asks."""
        return self._asked[1]

    @cached_property
    def _asked(self) -> tuple[SqlEngine | None, str]:
        try:
            return SqlEngine(self._source, self.program), ""
        except SqlRefused as refusal:
            return self._asked_narrowly(refusal.reason(self._source.name))

    def _asked_narrowly(self, refusal: str) -> tuple[SqlEngine | None, str]:
        """Where inputs have no declared ranges, ask for those that fit; rows outside go the careful way."""
        fitted = None if self.reason_against_columns else self._fitted[0]
        if fitted is None or fitted.program is self.program:
            return None, refusal
        try:
            return SqlEngine(self._source, fitted.program), ""
        except SqlRefused:
            return None, refusal

    def by_sql(self, rows: Iterable[Facts]) -> list[Decision | RestockError]:
        """Decide rows by SQL, in order; call it only when there is no reason against it."""
        engine = self._asked[0]
        assert engine is not None, "the caller looked"
        given = list(rows)
        return [
            self._again(facts) if isinstance(made, RestockError) else made
            for facts, made in zip(given, engine.decide_many(given), strict=True)
        ]

    def _again(self, facts: Facts) -> Decision | RestockError:
        try:
            return self.decide(facts)
        except RestockError as error:
            return error

    def decide(self, facts: Facts) -> Decision:
        """Decide with the row function, or with the reference where the rules need forward chaining."""
        return self.by_reference(facts) if self._row is None else self._by_row(facts, self._row)

    def by_row(self, facts: Facts) -> Decision:
        """Decide with the row function. Raises InvalidInput with the reason when there is none."""
        return self._by_row(facts, self.row)

    def by_reference(self, facts: Facts) -> Decision:
        """Decide with the reference engine."""
        inputs, done = self.reference(facts)
        outputs = plain_values({one.name: done.values[one.name] for one in self.program.outputs})
        return Decision(outputs, tuple(firing.rule.name for firing in done.firings), only_given(inputs))

    def _by_row(self, facts: Facts, row: RowProgram) -> Decision:
        try:
            arguments, used = self._read(facts)
            results = row.function(*arguments)
        except (NotOrdinary, ArithmeticError, ValueError, TypeError):  # a signalling NaN has no hash
            return self._carefully(facts, row)
        return self.decision(results, used)

    def arguments(self, facts: Facts) -> tuple[tuple[RowValue, ...], dict[str, Value]]:
        """Give complete inputs, scaled in the order of the row function, and as used. Raises InvalidInput."""
        row = self.row
        try:
            return self._read(facts)
        except (NotOrdinary, ArithmeticError, ValueError, TypeError):
            used = self.facts(facts)
            return tuple(scaled(one, used[one.name]) for one in row.inputs), only_given(used)

    def decision(self, results: tuple[RowValue, ...], used: dict[str, Value]) -> Decision:
        """Make a decision from what the row function gives: scaled outputs and, last, the mask of fired rules."""
        return Decision(self._finish(results), self._names(self.row, int(results[-1])), used)

    def _carefully(self, facts: Facts, row: RowProgram) -> Decision:
        used = self.facts(facts)
        try:
            results = row.function(*(scaled(one, used[one.name]) for one in row.inputs))
        except (ZeroDivisionError, OverflowError):
            return self.by_reference(facts)
        return self.decision(results, only_given(used))

    def _names(self, row: RowProgram, mask: int) -> tuple[str, ...]:
        """Name the fired rules; a million products show a dozen different masks."""
        names = self._fired.get(mask)
        if names is None:
            names = row.fired(mask)
            if len(self._fired) < MAX_REMEMBERED_MASKS:
                self._fired[mask] = names
        return names
