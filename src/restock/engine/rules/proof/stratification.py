"""What the solver adds to the one-pass theorem: an upward write or a tie that can never happen is no obstacle.

The core refuses by the fields that rules read and write. Here a pair of rules is looked at in any state at all: it
stays an obstacle only when both conditions can really meet. The state is free, so nothing of the run is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from restock.engine.rules.ir import Program, RuleIR
from restock.engine.rules.obstacles import MAX_OBSTACLES, Obstacle, obstacles
from restock.engine.rules.proof.expressions import State, Terms
from restock.engine.rules.proof.numbers import Numbers
from restock.engine.rules.proof.solver import Query, Term, z3
from restock.engine.rules.proof.texts import Codes
from restock.engine.rules.rulebook import Rulebook


def one_pass(book: Rulebook) -> str:
    """Say why one pass does not decide a rulebook, after the solver dropped what cannot happen; empty when it does."""
    return refined_reason(book.program) if book.engines["row"] else ""


def refined_reason(program: Program) -> str:
    """Give the first obstacle against one pass that can really happen, as a sentence; empty when there is none."""
    return next((one.reason for one in _possible(program)), "")


def possible_obstacles(program: Program) -> list[Obstacle]:
    """Give all obstacles against one pass that can really happen."""
    return list(_possible(program))


def _possible(program: Program) -> Iterator[Obstacle]:
    found = obstacles(program.rules)
    if len(found) >= MAX_OBSTACLES:
        yield from found
        return
    yield from (one for one in found if _Pair(program, one).possible())


class _Pair:
    """Two rules in a free state."""

    def __init__(self, program: Program, obstacle: Obstacle) -> None:
        self._obstacle = obstacle
        self._terms = Terms(Numbers(grid=False), Codes(), program.fields())
        self._state: State = {name: self._terms.variable(one, name) for name, one in program.fields().items()}
        self._limits = [
            limit for name, one in program.fields().items() for limit in self._terms.limits(one, self._state[name])
        ]

    def possible(self) -> bool:
        """Tell whether the obstacle can happen, or the solver cannot say."""
        writer, reader = self._obstacle.writer, self._obstacle.reader
        fires = self._condition(writer, self._state)
        if self._obstacle.kind == "tie":
            wanted = [fires, self._condition(reader, self._state)]
        else:
            after = self._after(writer, fires)
            moved = [z3.Not(self._terms.same(self._state[name], after[name])) for name in _shared(writer, reader)]
            wanted = [fires, self._condition(reader, after), z3.Or(*moved)]
        facts = [*self._limits, *self._terms.numbers.axioms, *self._terms.defined]
        return Query(facts).ask(*wanted)[0] != "unsat"

    def _condition(self, rule: RuleIR, state: State) -> Term:
        self._terms.state = state
        return self._terms.plain(rule.condition)

    def _after(self, rule: RuleIR, fires: Term) -> State:
        after = dict(self._state)
        self._terms.state = after
        with self._terms.given(fires):
            for write in rule.writes:
                after[write.target] = self._terms.held(self._terms.fields[write.target], write.value)
        return after


def _shared(writer: RuleIR, reader: RuleIR) -> Sequence[str]:
    return [name for name in reader.condition_reads if name in writer.targets]
