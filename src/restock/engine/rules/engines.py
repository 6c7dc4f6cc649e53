"""The table of engines: what each is called, why it cannot run a rulebook, how it decides, and when it is preferred.

A further engine is one more row here; rulebooks, the planner and the command line read only this table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules.columns_rows import decide_by_columns
from restock.engine.rules.decision import Decision
from restock.engine.rules.errors import meant
from restock.engine.rules.evaluator import Evaluator
from restock.engine.rules.facts import Facts

DecideMany = Callable[[Evaluator, Iterable[Facts]], list[Decision | RestockError]]


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine.

    `reason_against` says why it cannot run the evaluator's program; empty when it can. `decide_many` gives for each row
    a decision or its error, in order. Of the engines that can, the one with the lowest rank is chosen: `rank_one` for a
    single decision, `rank_catalogue` for a whole catalogue.
    """

    name: str
    reason_against: Callable[[Evaluator], str]
    decide_many: DecideMany
    rank_one: int
    rank_catalogue: int


def _row_by_row(decide: Callable[[Evaluator, Facts], Decision]) -> DecideMany:
    def decide_many(evaluator: Evaluator, rows: Iterable[Facts]) -> list[Decision | RestockError]:
        results: list[Decision | RestockError] = []
        for facts in rows:
            try:
                results.append(decide(evaluator, facts))
            except RestockError as error:
                results.append(error)
        return results

    return decide_many


COLUMNS = "columns"
"""The engine of whole catalogues."""

TABLE: tuple[Engine, ...] = (
    Engine("row", lambda evaluator: evaluator.reason_against_row, _row_by_row(Evaluator.by_row), 1, 2),
    Engine(COLUMNS, lambda evaluator: evaluator.reason_against_columns, decide_by_columns, 3, 1),
    Engine("sql", lambda evaluator: evaluator.reason_against_sql, Evaluator.by_sql, 4, 4),
    Engine("reference", lambda _: "", _row_by_row(Evaluator.by_reference), 2, 3),
)
"""All engines; the reference runs every rulebook."""

decide_many_best = _row_by_row(Evaluator.decide)
"""Decides rows one by one by the engine that is quickest for one."""

ENGINES = tuple(engine.name for engine in TABLE)
"""Their names."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which engines run a rulebook: for each the reason against it (empty: it runs), and the two that are chosen."""

    reasons: dict[str, str]
    one: str
    catalogue: str


def plan_engines(evaluator: Evaluator) -> Plan:
    """Ask every engine, and choose."""
    reasons = {engine.name: engine.reason_against(evaluator) for engine in TABLE}
    running = [engine for engine in TABLE if not reasons[engine.name]]
    one = min(running, key=lambda engine: engine.rank_one)
    return Plan(reasons, one.name, min(running, key=lambda engine: engine.rank_catalogue).name)


def engine_named(name: str, evaluator: Evaluator) -> Engine:
    """Give an engine that can run the program. Raises InvalidInput for an unknown name, and with the reason against it."""
    found = next((engine for engine in TABLE if engine.name == name), None)
    if found is None:
        raise InvalidInput(f"There is no engine {name!r}.", remedy=meant(name, ENGINES))
    reason = found.reason_against(evaluator)
    if reason:
        remedy = "Leave the engine out, or use one that `restock rules plan` names."
        raise InvalidInput(f"The {name} engine cannot run these rules: {reason}.", remedy=remedy)
    return found
