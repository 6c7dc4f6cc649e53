"""People's frames in, people's frames out: reads the columns, decides, gives amounts as decimals and names what fired.

The result has one row for each row of the frame, in its order: the outputs (numbers as decimals, known texts as an enum),
`fired` (a list of rule names in firing order), and `error` (null, or why the row could not be decided; its outputs are
then null). Everything is lazy until the caller collects or sinks; Polars streams it in bounded memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules.arithmetic import EXACT, shown
from restock.engine.rules.columns import WORD, ColumnsProgram
from restock.engine.rules.columns_expressions import scaled_number
from restock.engine.rules.columns_given import INT64_DIGITS, given_columns
from restock.engine.rules.columns_inputs import columns_read
from restock.engine.rules.columns_polars import CAREFUL, PolarsAlgebra, PolarsColumns, word_names
from restock.engine.rules.decision import Decision
from restock.engine.rules.evaluator import Evaluator
from restock.engine.rules.ir import Field
from restock.engine.rules.limits import INT64_LIMIT

if TYPE_CHECKING:
    import polars

FIRED: Final = "fired"
ERROR: Final = "error"

MOST_DIGITS: Final = 38
"""Digits of the widest decimal column."""

_KEPT: Final = "#kept:"
_FACT: Final = "#fact:"
_AT: Final = "#at"
"""Names of columns on the way; no field has a # in its name."""


def decide_frame(evaluator: Evaluator, frame: polars.LazyFrame, *, keep: bool = False) -> polars.LazyFrame:
    """Decide every row of a frame. Raises InvalidInput with the reason when columns cannot run the rules.

    With `keep` the frame's own columns come first; one that has the name of a result gives way to it.
    """
    import polars

    schema = frame.collect_schema()
    program = evaluator.columns_for(_decimals(schema))
    finish = _Finish(program, evaluator, schema, keep=keep)
    columns = [polars.col(name).alias(_KEPT + name) for name in finish.kept]
    columns += [polars.col(name).alias(_FACT + name) for name in finish.facts]
    columns = columns or [polars.col(name).alias(_AT) for name in schema.names()[:1]]  # something must tell the height
    given = given_columns(program, schema, _FACT)
    carried = [*(_KEPT + name for name in finish.kept), *(_FACT + name for name in finish.facts)]
    decided = PolarsColumns(program, given).decide(frame.select(columns), carried)
    return decided.with_columns(finish.shown()).map_batches(finish, schema=finish.schema, streamable=True)


class _Finish:
    """Finishes a batch: decides the flagged rows one by one and names the rules that fired."""

    def __init__(
        self, program: ColumnsProgram, evaluator: Evaluator, given: Mapping[str, polars.DataType], *, keep: bool
    ) -> None:
        import polars

        self._program = program
        self._decide_one = evaluator.decide
        self._algebra = PolarsAlgebra(len(program.texts.known))
        self._outputs = {one.name: self._type(one) for one in evaluator.program.outputs}
        self._words = word_names(len(program.rules))
        self._list = polars.List(polars.Enum(program.rules))
        results = {**self._outputs, FIRED: self._list, ERROR: polars.String()}
        if len(results) < len(program.outputs) + 2:
            remedy = "Rename the output."
            raise InvalidInput("'fired' and 'error' are columns of the result, not outputs.", remedy=remedy)
        self.kept = [name for name in given if keep and name not in results]
        self.facts = [one.name for one in columns_read(program) if one.name in given]
        self.schema = polars.Schema({**{name: given[name] for name in self.kept}, **results})

    def _type(self, one: Field) -> polars.DataType:
        import polars

        if one.kind == "number":
            return decimal_type(one)
        if one.kind == "bool":
            return polars.Boolean()
        return polars.Enum(self._program.texts.known) if self._program.coded(one) else polars.String()

    def shown(self) -> list[polars.Expr]:
        """Give the outputs as people read them, from scaled numbers and codes."""
        import polars

        found = []
        for one in self._program.outputs:
            column = polars.col(one.name)
            if one.kind == "number":
                exact = column.cast(polars.Decimal(38, 0)) * polars.lit(Decimal(1).scaleb(-one.decimals))
                found.append(exact.cast(self._outputs[one.name], strict=False))
            elif self._program.coded(one):
                found.append(self._algebra.enumerated(column, self._program.texts.known))
        return found

    def __call__(self, batch: polars.DataFrame) -> polars.DataFrame:
        """Finish one batch."""
        import polars

        named = self._named(batch).with_columns(polars.lit(None, dtype=polars.String).alias(ERROR))
        flagged = batch.get_column(CAREFUL)
        results = [*self._outputs, FIRED, ERROR]
        if flagged.any():
            facts = batch.filter(flagged).select(polars.col(_FACT + name).alias(name) for name in self.facts)
            careful = self._carefully(facts)
            at = polars.DataFrame({_AT: flagged.arg_true()})
            plain = named.select(results).with_row_index(_AT).filter(~flagged)
            together = polars.concat([plain, at.hstack(careful).select(plain.columns)]).sort(_AT)
            named = named.drop(results).hstack(together.drop(_AT))
        return named.select(*(polars.col(_KEPT + name).alias(name) for name in self.kept), *results)

    def _named(self, batch: polars.DataFrame) -> polars.DataFrame:
        """Put lists of names in the place of masks; a million products show a dozen different masks."""
        masks = batch.select(self._words).unique()
        names = [self._fired(words) for words in masks.rows()]
        lists = masks.with_columns(polars_series(FIRED + "#", names, self._list))
        joined = batch.join(lists, on=self._words, how="left", maintain_order="left")
        return joined.drop(self._words).rename({FIRED + "#": FIRED})

    def _fired(self, words: Sequence[int]) -> list[str]:
        mask = sum(word << WORD * at for at, word in enumerate(words))
        return [name for at, name in enumerate(self._program.rules) if mask >> at & 1]

    def _carefully(self, facts: polars.DataFrame) -> polars.DataFrame:
        rows: list[dict[str, Any]] = []  # Any: values of any column
        for given in facts.iter_rows(named=True):
            try:
                decision = self._decide_one(self._ordinary(given))
                refuse_wide(decision, self._outputs)
                rows.append({**decision.outputs, FIRED: list(decision.fired), ERROR: None})
            except RestockError as error:
                rows.append({ERROR: RestockError.__str__(error)})
        results = {**self._outputs, FIRED: self._list, ERROR: self.schema[ERROR]}
        columns = {name: [row.get(name) for row in rows] for name in results}
        return polars_frame(columns, results)

    def _ordinary(self, given: dict[str, Any]) -> dict[str, Any]:
        """Read true and false in a column of texts, as the columns do."""
        fields = self._program.program.fields()
        words = {name: str(value).lower() for name, value in given.items() if fields[name].kind == "bool"}
        return given | {name: word == "true" for name, word in words.items() if word in ("true", "false")}


def decimal_type(one: Field) -> polars.Decimal:
    """Give the narrowest of three types that holds an output, or the widest there is."""
    import polars

    if one.low is not None and one.high is not None:
        widest = max(abs(scaled_number(bound, one.decimals)) for bound in (one.low, one.high))
        if widest < 10**INT64_DIGITS:
            return polars.Decimal(INT64_DIGITS, one.decimals)
        if widest < INT64_LIMIT:
            return polars.Decimal(INT64_DIGITS + 1, one.decimals)
    return polars.Decimal(MOST_DIGITS, min(one.decimals, MOST_DIGITS // 2))


def refuse_wide(decision: Decision, columns: Mapping[str, polars.DataType]) -> None:
    """Refuse a decision that its columns cannot hold. Raises InvalidInput that names the output."""
    for name, value in decision.outputs.items():
        if not _fits(value, columns[name]):
            message = f"{shown(value) if isinstance(value, Decimal) else value} is wider than a column of decimals."
            raise InvalidInput(message, field=name, remedy="Declare the inputs' decimals, or decide JSON lines.")


def _fits(value: object, kind: polars.DataType) -> bool:
    """Tell whether a column of this type holds a value exactly."""
    import polars

    if not isinstance(value, Decimal) or not isinstance(kind, polars.Decimal):
        return True
    scaled = EXACT.scaleb(value, kind.scale)
    return scaled == scaled.to_integral_value(context=EXACT) and abs(scaled) < 10**kind.precision


def _decimals(schema: Mapping[str, polars.DataType]) -> dict[str, int]:
    """Give how many decimals the numbers of columns can have, where their type tells."""
    import polars

    found = {name: kind.scale for name, kind in schema.items() if isinstance(kind, polars.Decimal)}
    return found | {name: 0 for name, kind in schema.items() if kind.is_integer()}


def polars_series(name: str, values: Sequence[object], kind: polars.DataType) -> polars.Series:
    """Make a column."""
    import polars

    return polars.Series(name, values, dtype=kind)


def polars_frame(columns: Mapping[str, Sequence[object]], kinds: Mapping[str, polars.DataType]) -> polars.DataFrame:
    """Make a frame."""
    import polars

    return polars.DataFrame([polars.Series(name, values, dtype=kinds[name]) for name, values in columns.items()])
