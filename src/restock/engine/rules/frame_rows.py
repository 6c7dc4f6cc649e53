"""Frames decided row by row, by an engine that takes facts: what `columns_frame` gives, for rules that columns cannot run.

Batches of the frame become facts, are decided together, and become columns again; memory is that of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules.columns import missing_input
from restock.engine.rules.columns_frame import ERROR, FIRED, decimal_type, polars_frame, refuse_wide
from restock.engine.rules.decision import Decision
from restock.engine.rules.engines import Engine
from restock.engine.rules.evaluator import Evaluator

if TYPE_CHECKING:
    import polars

ROWS: int = 20_000
"""Rows decided together: some ten megabytes of facts."""


def decide_rows(
    engine: Engine, evaluator: Evaluator, frame: polars.LazyFrame, *, keep: bool = False
) -> polars.LazyFrame:
    """Decide every row of a frame by an engine. Raises InvalidInput for a missing column."""
    schema = frame.collect_schema()
    rows = _Rows(engine, evaluator, schema, keep=keep)
    return frame.map_batches(rows, schema=rows.schema, streamable=True)


class _Rows:
    """Decides batches."""

    def __init__(
        self, engine: Engine, evaluator: Evaluator, given: Mapping[str, polars.DataType], *, keep: bool
    ) -> None:
        import polars

        self._engine = engine
        self._evaluator = evaluator
        program = evaluator.program
        texts: dict[str, Any] = {"bool": polars.Boolean(), "text": polars.String()}
        self._outputs = {
            one.name: decimal_type(one) if one.kind == "number" else texts[one.kind] for one in program.outputs
        }
        names = polars.List(polars.Enum([rule.name for rule in program.rules]))
        self._results = {**self._outputs, FIRED: names, ERROR: polars.String()}
        if len(self._results) < len(program.outputs) + 2:
            remedy = "Rename the output."
            raise InvalidInput("'fired' and 'error' are columns of the result, not outputs.", remedy=remedy)
        self._facts = [one for one in program.inputs if one.name in given]
        for one in program.inputs:
            if one.name not in given and not one.optional:
                raise missing_input(one.name)
        self._kept = [name for name in given if keep and name not in self._results]
        self.schema = polars.Schema({**{name: given[name] for name in self._kept}, **self._results})

    def __call__(self, batch: polars.DataFrame) -> polars.DataFrame:
        """Decide one batch."""
        import polars

        parts = [self._decided(part) for part in batch.iter_slices(ROWS)]
        made = polars.concat(parts) if parts else polars_frame({name: [] for name in self._results}, self._results)
        return batch.select(self._kept).hstack(made) if self._kept else made

    def _decided(self, batch: polars.DataFrame) -> polars.DataFrame:
        facts = [self._ordinary(row) for row in batch.select(one.name for one in self._facts).iter_rows(named=True)]
        facts = facts or [{} for _ in range(batch.height)]
        rows = [self._row(made) for made in self._engine.decide_many(self._evaluator, facts)]
        return polars_frame({name: [row.get(name) for row in rows] for name in self._results}, self._results)

    def _row(self, made: Decision | RestockError) -> dict[str, Any]:  # Any: values of any column
        try:
            if isinstance(made, RestockError):
                raise made
            refuse_wide(made, self._outputs)
        except RestockError as error:
            return {ERROR: RestockError.__str__(error)}
        return {**made.outputs, FIRED: list(made.fired), ERROR: None}

    def _ordinary(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read true and false in a column of texts, as the columns do."""
        words = {one.name: str(row[one.name]).lower() for one in self._facts if one.kind == "bool"}
        return row | {name: word == "true" for name, word in words.items() if word in ("true", "false")}
