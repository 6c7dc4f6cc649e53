"""Decides with one program: chooses the engine, takes the quick or the careful way, and makes decisions."""

from __future__ import annotations

from collections.abc import Iterable

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules.decision import Decision
from restock.engine.rules.errors import SourceText, nearest
from restock.engine.rules.facts import FactReader, Facts, scaled
from restock.engine.rules.fast import NotOrdinary, compile_finish, compile_reader
from restock.engine.rules.ir import Program, Value
from restock.engine.rules.reference import Run, plain_values, run
from restock.engine.rules.row import RowProgram, compile_row
from restock.engine.rules.stratify import reason_against_one_pass

ENGINES = ("row", "reference")
"""Engines by preference."""

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

    def decide(self, facts: Facts, engine: str | None) -> Decision:
        """Decide with the named engine, or with the best one that runs the program."""
        if engine is not None and engine not in ENGINES:
            raise InvalidInput(
                f"There is no engine {engine!r}.", remedy=f"Did you mean {nearest(engine, ENGINES) or 'row'}?"
            )
        if engine == "reference" or (engine is None and self._row is None):
            return self._by_reference(facts)
        return self._by_row(facts, self.row)

    def decide_many(self, rows: Iterable[Facts], engine: str | None) -> list[Decision | RestockError]:
        """Decide each row; a row that cannot be decided gives its error in its place."""
        results: list[Decision | RestockError] = []
        for facts in rows:
            try:
                results.append(self.decide(facts, engine))
            except RestockError as error:
                results.append(error)
        return results

    def _by_reference(self, facts: Facts) -> Decision:
        inputs, done = self.reference(facts)
        outputs = plain_values({one.name: done.values[one.name] for one in self.program.outputs})
        return Decision(outputs, tuple(firing.rule.name for firing in done.firings), inputs)

    def _by_row(self, facts: Facts, row: RowProgram) -> Decision:
        try:
            arguments, used = self._read(facts)
            results = row.function(*arguments)
        except (NotOrdinary, ArithmeticError, ValueError, TypeError):  # a signalling NaN has no hash
            return self._carefully(facts, row)
        return Decision(self._finish(results), self._names(row, int(results[-1])), used)

    def _carefully(self, facts: Facts, row: RowProgram) -> Decision:
        used = self.facts(facts)
        try:
            results = row.function(*(scaled(one, used[one.name]) for one in row.inputs))
        except (ZeroDivisionError, OverflowError):
            return self._by_reference(facts)
        return Decision(self._finish(results), self._names(row, int(results[-1])), used)

    def _names(self, row: RowProgram, mask: int) -> tuple[str, ...]:
        """Name the fired rules; a million products show a dozen different masks."""
        names = self._fired.get(mask)
        if names is None:
            names = row.fired(mask)
            if len(self._fired) < MAX_REMEMBERED_MASKS:
                self._fired[mask] = names
        return names
