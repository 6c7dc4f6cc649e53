"""The shape of a trace: a span for each node of a run. Times are milliseconds from the start of the walk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from restock.core.clock import timestamp


class NodeSpan(NamedTuple):
    """What one node did in one run.

    `status` is ok, failed, skipped, cancelled, fallback, cached or stale. `started_ms` and `ended_ms` count from the start
    of the walk and are None when the node did not start. `attempts` counts calls (0 when cached or not called). `error` is
    set for failed nodes and for the failure that a fallback covers, or an answer of before, whose age it tells. `children`
    are the nodes a control node ran.
    """

    node: str
    kind: str
    started_ms: float | None
    ended_ms: float | None
    attempts: int
    status: str
    error: str
    inputs: Mapping[str, object]
    outputs: object
    children: tuple[NodeSpan, ...] = ()

    @property
    def took_ms(self) -> float:
        """Milliseconds from start to end; 0 when it did not start."""
        return 0.0 if self.started_ms is None or self.ended_ms is None else self.ended_ms - self.started_ms

    def as_dict(self) -> dict[str, object]:
        """Give the span as plain values, as it is stored and sent."""
        return {
            "node": self.node,
            "kind": self.kind,
            "started_ms": self.started_ms,
            "ended_ms": self.ended_ms,
            "attempts": self.attempts,
            "status": self.status,
            "error": self.error,
            "inputs": dict(self.inputs),
            "outputs": self.outputs,
            "children": [child.as_dict() for child in self.children],
        }


@dataclass(frozen=True, slots=True)
class RunTrace:
    """What each node of one run did, in the order of starting; `cohort` runs walked together and share the timings."""

    flow: str
    began_at: datetime
    cohort: int
    error: str
    spans: tuple[NodeSpan, ...]

    @property
    def took_ms(self) -> float:
        """Milliseconds from the start of the walk to the end of its last node."""
        return max((span.ended_ms for span in self.spans if span.ended_ms is not None), default=0.0)

    def span(self, node: str) -> NodeSpan:
        """Give the span of a node. Raises KeyError when the flow has no such node."""
        for span in self.spans:
            if span.node == node:
                return span
        raise KeyError(node)

    def as_dict(self) -> dict[str, object]:
        """Give the trace as plain values, as it is stored and sent."""
        return {
            "flow": self.flow,
            "began_at": timestamp(self.began_at),
            "cohort": self.cohort,
            "took_ms": self.took_ms,
            "error": self.error,
            "spans": [span.as_dict() for span in self.spans],
        }
