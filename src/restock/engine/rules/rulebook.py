"""A rulebook: a text of rules, checked as a whole and compiled once. Immutable, safe to share between threads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules.columns import ColumnsProgram
from restock.engine.rules.columns_arrays import decide_arrays
from restock.engine.rules.columns_frame import decide_frame
from restock.engine.rules.decision import Decision
from restock.engine.rules.engines import COLUMNS, Plan, decide_many_best, engine_named, plan_engines
from restock.engine.rules.errors import Problems, SourceText, meant
from restock.engine.rules.evaluator import Evaluator
from restock.engine.rules.explain import Explanation, explain
from restock.engine.rules.flips import Flip, flips
from restock.engine.rules.frame_rows import decide_rows
from restock.engine.rules.ir import Field, Program, Value, fields_read
from restock.engine.rules.modules import module_program
from restock.engine.rules.parser import parse
from restock.engine.rules.printer import print_rulebook
from restock.engine.rules.resolve import Resolved, resolve
from restock.engine.rules.row import RowProgram
from restock.engine.rules.syntax import RulebookSyntax

if TYPE_CHECKING:
    import polars

Array = Any  # Any: a NumPy array of any type
Frame = TypeVar("Frame", "polars.DataFrame", "polars.LazyFrame")


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """What a list of rules shows of one."""

    name: str
    salience: int
    module: str
    description: str
    line: int


class Rulebook:
    """Build with `Rulebook.parse`. Same text, same version, same decisions, for ever."""

    def __init__(self, source: SourceText, syntax: RulebookSyntax, resolved: Resolved) -> None:
        self._source = source
        self._syntax = syntax
        self._program = resolved.program
        self._evaluators: dict[str, Evaluator] = {"": Evaluator(source, resolved.program)}
        self.name = source.name
        self.text = source.text
        self.version = hashlib.sha256(repr(resolved.program).encode()).hexdigest()
        self.int64 = resolved.int64
        """Why int64 engines cannot hold the numbers of this rulebook; empty when they can."""

    @classmethod
    def parse(cls, text: str, name: str) -> Rulebook:
        """Read and check a text. Raises RuleError for the first thing wrong; nothing half loads."""
        source = SourceText(name, text)
        syntax, errors = parse(source)
        if errors:
            raise errors[0]
        return cls.of(source, syntax)

    @classmethod
    def of(cls, source: SourceText, syntax: RulebookSyntax) -> Rulebook:
        """Check a text that has been read without an error. Raises RuleError for the first thing wrong."""
        try:
            return cls(source, syntax, resolve(source, syntax))
        except Problems as problems:
            raise problems.errors[0] from None

    @property
    def program(self) -> Program:
        """The typed rules, for other engines, proofs and comparisons."""
        return self._program

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The fields a caller gives; optional ones have a default, are computed from others, or may be absent."""
        return tuple(one for one in self._program.inputs if not one.presence_of)

    @property
    def outputs(self) -> tuple[Field, ...]:
        """The fields that rules set, with the default that stands when none does."""
        return self._program.outputs

    @property
    def rules(self) -> tuple[RuleSummary, ...]:
        """The rules in firing order."""
        return tuple(
            RuleSummary(rule.name, rule.salience, rule.module, rule.description, rule.place.line)
            for rule in self._program.rules
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to decide."""
        return not self._program.rules

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of the modules, in firing order."""
        return self._program.modules()

    def module(self, name: str) -> Rulebook:
        """Give one module as a rulebook of its own, with the invariants over its fields that read what it decides.

        What other modules decide is an input of it, with any value in its range. Raises InvalidInput with the nearest name.
        """
        cut = self._evaluator(name).program
        known, own = cut.fields().keys(), {one.name for one in cut.outputs}
        assumed = [one for one in self._program.assumptions if known >= set(fields_read(one.condition))]
        claimed = [one for one in self._program.invariants if known >= set(fields_read(one.condition))]
        claimed = [one for one in claimed if own & set(fields_read(one.condition))]
        program = replace(cut, assumptions=tuple(assumed), invariants=tuple(claimed))
        return Rulebook(self._source, self._syntax, Resolved(program, self.int64))

    @property
    def engines(self) -> dict[str, str]:
        """For each engine the reason why it cannot run this rulebook; empty when it can."""
        return self.plan().reasons

    def plan(self, *, module: str = "") -> Plan:
        """Say which engines run these rules, why others cannot, and which is chosen for one decision and for a catalogue."""
        return plan_engines(self._evaluator(module))

    def summary(self) -> str:
        """Say in one line what loaded: how many rules and fields, and which engines run them."""
        running = ", ".join(engine for engine, reason in self.engines.items() if not reason)
        counts = f"{len(self.rules)} rules, {len(self.inputs)} inputs, {len(self.outputs)} outputs"
        return f"{self.name}: {counts}; engines: {running}"

    def print(self) -> str:
        """Give the canonical text: it parses to the same rules."""
        return print_rulebook(self._syntax)

    def facts(self, row: Mapping[str, object], *, module: str = "") -> dict[str, Value]:
        """Complete and check inputs as a decision would use them. Raises InvalidInput that names the field."""
        return self._evaluator(module).facts(row)

    def decide(self, facts: Mapping[str, object], *, engine: str | None = None, module: str = "") -> Decision:
        """Decide once.

        `engine` is a name of ENGINES, by default the quickest that runs these rules. With a `module` only its rules run,
        and what other modules would decide is taken from the facts. Raises InvalidInput that names the field, or
        RuleError where a rule cannot be evaluated (division by zero, an output outside its declared range, no end).
        """
        evaluator = self._evaluator(module)
        if engine is None:
            return evaluator.decide(facts)
        decided = engine_named(engine, evaluator).decide_many(evaluator, (facts,))[0]
        if isinstance(decided, RestockError):
            raise decided
        return decided

    def decide_many(
        self, rows: Iterable[Mapping[str, object]], *, engine: str | None = None, module: str = ""
    ) -> list[Decision | RestockError]:
        """Decide many times, in order; a row that cannot be decided gives its error in its place."""
        evaluator = self._evaluator(module)
        if engine is None:
            return decide_many_best(evaluator, rows)
        return engine_named(engine, evaluator).decide_many(evaluator, rows)

    def decide_frame(self, frame: Frame, *, keep: bool = False, engine: str | None = None, module: str = "") -> Frame:
        """Decide every row of a frame, all at once by the columns engine, or in batches by another of ENGINES.

        The frame has a column for each fact: integers, decimals or decimal text for numbers, bools, texts; null is an
        absent fact. Other columns are ignored; with `keep` they come first in the result. The result has one row for
        each row, in order: the outputs (amounts as decimals, known texts as an enum), `fired` (names of rules) and
        `error` (null, or why the row could not be decided; its outputs are then null). A lazy frame stays lazy.

        Raises InvalidInput when the engine cannot run the rules, or a column is missing or of a wrong type.
        """
        evaluator = self._evaluator(module)
        if engine in (None, COLUMNS):
            decided = decide_frame(evaluator, frame.lazy(), keep=keep)
        else:
            decided = decide_rows(engine_named(engine, evaluator), evaluator, frame.lazy(), keep=keep)
        return cast("Frame", decided.collect(engine="streaming") if hasattr(frame, "height") else decided)

    def decide_arrays(self, columns: Mapping[str, Array], *, module: str = "") -> dict[str, Array]:
        """Decide every row of NumPy arrays at once, by the columns engine and without Polars.

        A number n of an input with d decimals is the int64 n x 10^d; bools and texts as they are; a masked value is an
        absent fact. The result has an array for each output (numbers scaled by the output's decimals), `fired` (bit i:
        the i-th of `rules`) and `error` (None, or why the row could not be decided; its outputs then mean nothing).

        Raises InvalidInput when columns cannot run the rules, inputs have no declared digits, or an array is missing, of
        a wrong type or of another length.
        """
        return decide_arrays(self._evaluator(module), columns)

    def row(self, *, module: str = "") -> RowProgram:
        """Give the compiled function over scaled integers. Raises InvalidInput with the reason when there is none."""
        return self._evaluator(module).row

    def columns(self, *, module: str = "") -> ColumnsProgram:
        """Give the program over columns of scaled integers. Raises InvalidInput with the reason when there is none."""
        return self._evaluator(module).columns

    def explain(self, facts: Mapping[str, object], *, module: str = "") -> Explanation:
        """Decide by the reference engine and tell why. Raises what `decide` raises."""
        evaluator = self._evaluator(module)
        inputs, done = evaluator.reference(facts)
        return explain(evaluator.program, inputs, done)

    def flips(self, facts: Mapping[str, object], *, module: str = "") -> tuple[Flip, ...]:
        """Give the thresholds of one number at which another word or flag comes out, nearest first. Raises as `decide`."""
        evaluator = self._evaluator(module)
        inputs, done = evaluator.reference(facts)
        return flips(self._source, evaluator.program, inputs, done)

    def _evaluator(self, module: str) -> Evaluator:
        found = self._evaluators.get(module)
        if found is None:
            if module not in self.modules:
                raise InvalidInput(f"{self.name} has no module {module!r}.", remedy=meant(module, self.modules))
            found = Evaluator(self._source, module_program(self._source, self._program, module))
            self._evaluators[module] = found
        return found
