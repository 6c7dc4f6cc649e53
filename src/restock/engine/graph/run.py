"""The state of one run, and what the runs of a cohort share: kept small, because thousands of flows pass a second.

The walk writes node timings once per cohort; a run only holds its context and notes about what did not go the plain way.
Traces are built from both when somebody asks (`RunResult.trace`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from restock.core.errors import InvalidInput, RestockError, Unavailable
from restock.engine.graph.model import Context, Flow, Node
from restock.engine.graph.span import RunTrace

Reader = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Makes a node's inputs from a context."""


class WrongAnswer(RestockError):
    """An operation broke its promise to give one result per item: a mistake in the operation, not in the input."""

    code = "wrong-answer"


class Dropped(Unavailable):
    """The caller of this run left; what it still needed was not done."""

    code = "dropped"


class Outcome:
    """A node's result for one run with more to tell than its value: attempts, how it came about, runs inside it."""

    __slots__ = ("attempts", "cause", "children", "error", "status", "value")

    def __init__(
        self,
        value: object = None,
        error: Exception | None = None,
        *,
        attempts: int = 1,
        status: str = "ok",
        children: Sequence[tuple[str, RunResult]] = (),
    ) -> None:
        self.value = value
        self.error = error
        self.attempts = attempts
        self.status = status
        self.children = children
        self.cause: Exception | None = error

    def because(self, cause: Exception) -> Outcome:
        """Keep the error that a fallback covers, for the trace."""
        self.cause = cause
        return self


Tracer = Callable[["RunResult"], RunTrace]
"""Builds the trace of a run that has ended."""


class CohortRecord:
    """When the nodes of one cohort started and ended, in nanoseconds of the injected counter; -1: never."""

    __slots__ = ("base", "began_at", "ended", "flow", "readers", "rows", "size", "started", "tracer")

    def __init__(
        self, flow: Flow, readers: Sequence[Reader], tracer: Tracer, size: int, began_at: datetime, base: int
    ) -> None:
        self.flow = flow
        self.readers = readers
        self.tracer = tracer
        self.rows: list[tuple[int, Node, str, float, float]] | None = None
        self.size = size
        self.began_at = began_at
        self.base = base
        self.started = [-1] * len(flow.nodes)
        self.ended = [-1] * len(flow.nodes)


class RunResult:
    """What one run came to. `error` is None when every node it needed succeeded; then `outputs` holds the flow's output, or
    each node's result by id when the flow declares none.

    `context` holds each node's result by id; `failed_node` names the node at which a failed run ended.
    """

    __slots__ = ("context", "error", "failed_node", "notes", "outputs", "record", "skipped")

    def __init__(self, context: Context, error: Exception | None = None) -> None:
        self.context = context
        self.error = error
        self.failed_node = ""
        self.outputs: dict[str, object] = {}
        self.notes: dict[str, Outcome] | None = None
        self.skipped: set[str] | None = None
        self.record: CohortRecord | None = None

    @property
    def ok(self) -> bool:
        """Whether the run reached its end."""
        return self.error is None

    @property
    def trace(self) -> RunTrace:
        """What each node did, built now from the cohort's timings and this run's context."""
        if self.record is None:
            raise ValueError("This run was never walked, so it has no trace.")
        return self.record.tracer(self)

    def note(self, node_id: str, outcome: Outcome) -> None:
        """Keep what the plain record cannot tell about a node."""
        if self.notes is None:
            self.notes = {}
        self.notes[node_id] = outcome

    def skip(self, node_id: str) -> None:
        """Remember that this run did not take a node."""
        if self.skipped is None:
            self.skipped = set()
        self.skipped.add(node_id)

    def fail(self, node_id: str, error: Exception) -> None:
        """End this run at a node; the others of its cohort go on."""
        self.error = error
        self.failed_node = node_id

    def __repr__(self) -> str:
        return f"RunResult(error={self.error!r}, outputs={self.outputs!r})"


def error_of(result: object) -> Exception | None:
    """Give the error in one item's result, whichever way it was reported."""
    if isinstance(result, Exception):
        return result
    return result.error if isinstance(result, Outcome) else None


def listed(work: object, count: int, name: str) -> list[object]:
    """Give the answer as a list with one result per item, or a WrongAnswer for each of them."""
    if type(work) is list and len(work) == count:
        return work
    if isinstance(work, Sequence) and not isinstance(work, str | bytes) and len(work) == count:
        return list(work)
    got = f"{len(work)} results" if isinstance(work, Sequence) else f"a {type(work).__name__}"
    wrong = WrongAnswer(f"'{name}' answered {got} for {count} items.", remedy="It must give one result per item.")
    return [wrong] * count


def started_context(flow: Flow, inputs: object) -> RunResult:
    """Make the run of one set of inputs; it is already failed when a required input is missing."""
    if not isinstance(inputs, Mapping):
        wrong = InvalidInput(f"The inputs of a run are a mapping of names to values, not {type(inputs).__name__}.")
        return RunResult({"input": {}}, wrong)
    missing = [name for name in flow.required if name not in inputs]
    if missing:
        wrong = InvalidInput(f"The flow '{flow.name}' needs '{missing[0]}'.", field=missing[0], remedy="Give it.")
        return RunResult({"input": inputs}, wrong)
    given = {**flow.defaults, **inputs} if flow.defaults else inputs
    context: Context
    if flow.inputs:
        context = {name: given[name] for name in flow.inputs}
    elif flow.nodes.keys().isdisjoint(given):
        context = dict(given)
    else:
        name = min(flow.nodes.keys() & given.keys())
        wrong = InvalidInput(f"'{name}' is a node of '{flow.name}', not an input.", field=name, remedy="Rename it.")
        return RunResult({"input": inputs}, wrong)
    context["input"] = given
    return RunResult(context)
