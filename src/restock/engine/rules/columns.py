"""The columns engine: a program that one pass decides, laid out as a few layers over whole columns of scaled int64.

`ColumnsProgram` knows the layers and proves that int64 holds every number on the way; `columns_polars` and
`columns_numpy` run it. A row that has no value somewhere, leaves a declared range or needs more than plain operations
is only flagged (`careful`): the caller decides these few rows one by one, so every row has the reference's outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from restock.core.errors import InvalidInput
from restock.engine.rules.columns_algebra import Algebra, Column, any_of, both, chosen, either, inverted
from restock.engine.rules.columns_expressions import ColumnExpressions, Texts, scaled_number
from restock.engine.rules.columns_plan import START, Branch, Computed, Merge, Plan, Step, Test, Versions, plan
from restock.engine.rules.errors import SourceText
from restock.engine.rules.facts import inputs_used
from restock.engine.rules.ir import Const, Expr, Field, Program, Write
from restock.engine.rules.ranges import Shapes, fits

WORD: Final = 64
"""Rules in one word of the fired mask."""

Settle = Callable[[dict[str, Column]], dict[str, Column]]
"""Takes the columns of one layer by name and gives what later layers read in their place."""


@dataclass(frozen=True)
class Decided:
    """Columns at the end: outputs by name, the test of each rule in firing order, and the rows to decide carefully."""

    outputs: dict[str, Column]
    tests: tuple[Column, ...]
    careful: Column


class ColumnsProgram:
    """A program over columns. Raises TooWide when an int64 may not hold one of its numbers."""

    def __init__(self, source: SourceText, program: Program) -> None:
        self.program = program
        self.inputs = inputs_used(program)
        self.outputs = program.outputs
        self.rules = tuple(rule.name for rule in program.rules)
        self.texts = Texts.of(program)
        self.shapes = Shapes.measured(source, program.fields())
        self._defaults = {one.name: one.default for one in program.outputs}
        writes = [write for rule in program.rules for write in rule.writes]
        self.plan: Plan = plan(program, {id(write): self._must_check(write) for write in writes})

    def _must_check(self, write: Write) -> bool:
        one = self.program.field(write.target)
        if one.values:
            return not isinstance(write.value, Const)
        if not one.checked or one.low is None or one.high is None:
            return False
        return not fits(self.shapes.shape(write.value), one.low, one.high)

    def coded(self, one: Field) -> bool:
        """Tell whether the field's columns hold codes of `texts.known`."""
        return one.name in self.texts.closed

    def expressions(self, algebra: Algebra) -> ColumnExpressions:
        """Give the writer of expressions for one kind of column."""
        return ColumnExpressions(algebra, self.shapes, self.texts, self._defaults)

    def start(self, one: Field) -> Column:
        """Give a field's default as columns hold it."""
        value = one.default
        if isinstance(value, Decimal):
            return scaled_number(value, one.decimals)
        return self.texts.code(value) if isinstance(value, str) and self.coded(one) else value

    def walk(self, algebra: Algebra, given: Mapping[str, Column], settle: Settle) -> Decided:
        """Decide over complete inputs, layer by layer. Raises TooWide."""
        known: dict[str, Column] = dict(given)
        work = _Work(self, algebra, known)
        for layer in self.plan.layers:
            known |= settle({step.name: work.value(step) for step in layer})
        careful = any_of([work.flag(step) for step in self.plan.steps()])
        finals = self.plan.finals
        outputs = {one.name: known[finals[one.name]] if finals[one.name] else self.start(one) for one in self.outputs}
        return Decided(outputs, tuple(known[test] for test in self.plan.tests), careful)


class _Work:
    """Turns steps into columns; `known` are the columns of the versions made so far."""

    def __init__(self, program: ColumnsProgram, algebra: Algebra, known: Mapping[str, Column]) -> None:
        self._program = program
        self._algebra = algebra
        self._known = known
        self._expressions = program.expressions(algebra)

    def _at(self, reads: Versions) -> ColumnExpressions:
        self._expressions.column = lambda name: None if reads[name] == START else self._known[reads[name]]
        return self._expressions

    def value(self, step: Step) -> Column:
        match step:
            case Test():
                return self._at(step.reads).test(step.condition)
            case Computed():
                return self._assigned(step.target, step.value, step.reads)
            case Merge():
                return self._merged(step)

    def _assigned(self, target: Field, value: Expr, reads: Versions) -> Column:
        return self._at(reads).value(value, target.decimals, coded=self._program.coded(target))

    def _merged(self, step: Merge) -> Column:
        one = step.target
        before = self._known[step.before] if step.before else self._program.start(one)
        branches = [(self._known[branch.test], self._branch(one, branch)) for branch in step.branches]
        held = "code" if self._program.coded(one) else one.kind
        return chosen(self._algebra, branches, before, held)

    def _branch(self, one: Field, branch: Branch) -> Column:
        if branch.computed:
            return self._known[branch.computed]
        return self._assigned(one, branch.value, branch.reads)

    def flag(self, step: Step) -> Column:
        """Give where a step has no value, or one that its field does not allow."""
        match step:
            case Test():
                return self._at(step.reads).fails(step.condition)
            case Computed():
                wrong = self._at(step.reads).fails(step.value)
                if step.checked:
                    wrong = either(wrong, outside(self._program, step.target, self._known[step.name]))
                return both(self._known[step.test], wrong)
            case Merge():
                result: Column = False
                for branch in step.branches:
                    if not branch.computed:
                        wrong = self._at(branch.reads).fails(branch.value)
                        result = either(result, both(self._known[branch.test], wrong))
                return result


def outside(program: ColumnsProgram, one: Field, column: Column) -> Column:
    """Give where a field's column holds what its declaration does not allow."""
    if one.values:
        inside: Column = False
        for text in one.values:
            inside = either(inside, column == (program.texts.code(text) if program.coded(one) else text))
        return inverted(inside)
    if one.kind != "number" or one.low is None or one.high is None:
        return False
    low, high = (scaled_number(bound, one.decimals) for bound in (one.low, one.high))
    return either(column < low, column > high)


def missing_input(name: str) -> InvalidInput:
    """Make the error for an input that no column gives."""
    return InvalidInput("No column gives this input.", field=name, remedy="Add the column, or declare a default.")
