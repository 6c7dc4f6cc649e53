"""What a run leaves behind: one span per node, and what the spans of many runs add up to.

A trace is built when it is read; until then a run only points at the timings of its cohort. Times are milliseconds from
the start of the walk. Nothing here changes what a run does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from restock.core.errors import RestockError
from restock.engine.graph.model import Conditional, Loop, Node, OperationCall, RulebookCall, Subgraph
from restock.engine.graph.reference import builder, follow
from restock.engine.graph.run import CohortRecord, Outcome, Reader, RunResult
from restock.engine.graph.span import NodeSpan, RunTrace

NS_PER_MS = 1_000_000


def _explained(error: Exception | None) -> str:
    if error is None:
        return ""
    return str(error) if isinstance(error, RestockError) else f"{type(error).__name__}: {error}"


def _shown_inputs(node: Node, read: Reader, run: RunResult) -> Mapping[str, object]:
    """Build the inputs again: a context never loses or changes what a node has read."""
    try:
        if isinstance(node.work, OperationCall | RulebookCall):
            return read(run.context)
        if isinstance(node.work, Subgraph):
            return builder(node.inputs, node.spread)(run.context)
        conditional = isinstance(node.work, Conditional | Loop) and node.work.condition
        names = conditional.names if conditional else ()
        shown = {str(name): follow(name, run.context) for name in names if not name.path[0].startswith("_loop")}
        if isinstance(node.work, Loop) and node.work.over is not None:
            shown[str(node.work.over)] = follow(node.work.over, run.context)
    except (RestockError, KeyError):
        return {}
    return shown


def _status(node: Node, run: RunResult) -> tuple[str, Outcome | None]:
    outcome = run.notes.get(node.id) if run.notes else None
    if outcome is not None:
        return outcome.status, outcome
    if run.skipped and node.id in run.skipped:
        return "skipped", None
    if node.id == run.failed_node:
        return "failed", None
    return ("ok" if node.id in run.context else "cancelled"), None


def _times(status: str, index: int, run: RunResult, record: CohortRecord) -> tuple[int, int]:
    """Give start and end for this run: a cancelled node ended for it when the run failed."""
    started, ended = record.started[index], record.ended[index]
    if status == "skipped" or started < 0:
        return -1, -1
    if status != "cancelled":
        return started, ended
    failed = list(record.flow.nodes).index(run.failed_node) if run.failed_node in record.flow.nodes else -1
    end = record.ended[failed] if failed >= 0 else ended
    return (-1, -1) if failed < 0 or started >= end else (started, min(ended, end))


def _span(index: int, node: Node, run: RunResult, record: CohortRecord, base: int, prefix: str) -> NodeSpan:
    status, outcome = _status(node, run)
    started, ended = _times(status, index, run, record)
    begun = started >= 0
    error = outcome.cause if outcome else run.error if status == "failed" else None
    children: list[NodeSpan] = []
    for label, child in outcome.children if outcome else ():
        children += spans_of(child, base, f"{prefix}{node.id}{label if label.startswith('[') else '.' + label}")
    return NodeSpan(
        node=prefix + node.id,
        kind=node.kind,
        started_ms=(started - base) / NS_PER_MS if begun else None,
        ended_ms=(ended - base) / NS_PER_MS if begun and ended >= 0 else None,
        attempts=outcome.attempts if outcome else int(begun),
        status=status,
        error=_explained(error),
        inputs=_shown_inputs(node, record.readers[index], run) if begun else {},
        outputs=run.context.get(node.id) if status in ("ok", "cached", "stale", "fallback") else None,
        children=tuple(children),
    )


def _rows_of(record: CohortRecord) -> list[tuple[int, Node, str, float, float]]:
    """Give the timings that all runs of a cohort share, in order of starting; computed once."""
    if record.rows is None:
        base, started, ended = record.base, record.started, record.ended
        record.rows = [
            (index, node, node.kind, (started[index] - base) / NS_PER_MS, (ended[index] - base) / NS_PER_MS)
            for index, node in enumerate(record.flow.nodes.values())
        ]
        record.rows.sort(key=lambda row: row[3])
    return record.rows


def _plain_spans(run: RunResult, record: CohortRecord) -> list[NodeSpan]:
    """Build the spans of a run in which every node succeeded at once: nearly every run, so it is short."""
    context, readers = run.context, record.readers
    return [
        NodeSpan(node.id, kind, started, ended, 1, "ok", "", _shown_inputs(node, readers[index], run), context[node.id])
        for index, node, kind, started, ended in _rows_of(record)
    ]


def spans_of(run: RunResult, base: int, prefix: str = "") -> list[NodeSpan]:
    """Give a run's spans in order of starting; those that never started come last, in the order of the flow."""
    record = run.record
    if record is None:
        return []
    if run.error is None and not run.notes and not run.skipped and not prefix:
        return _plain_spans(run, record)
    spans = [_span(index, node, run, record, base, prefix) for index, node in enumerate(record.flow.nodes.values())]
    spans.sort(key=lambda span: float("inf") if span.started_ms is None else span.started_ms)
    return spans


def trace_of(run: RunResult) -> RunTrace:
    """Build the trace of a run that has ended."""
    record = run.record
    if record is None:
        raise ValueError("This run was never walked, so it has no trace.")
    return RunTrace(
        flow=record.flow.name,
        began_at=record.began_at,
        cohort=record.size,
        error=_explained(run.error),
        spans=tuple(spans_of(run, record.base)),
    )


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """What a node cost over many runs. Times in milliseconds; `share` is its part of all nodes' time, 0 to 1."""

    node: str
    kind: str
    count: int
    failed: int
    p50_ms: float
    p95_ms: float
    total_ms: float
    share: float


def percentile(ordered: Sequence[float], part: float) -> float:
    """Give the value below which `part` of the ordered values lie (nearest rank); 0 for none."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def profile(traces: Iterable[RunTrace]) -> list[NodeProfile]:
    """Add up traces per node, the most expensive first. Nodes inside loops count together, whatever the iteration.

    Parallel nodes each count in full, so the shares say where work is, not what the flow waits for.
    """
    times: dict[tuple[str, str], list[float]] = {}
    failures: dict[tuple[str, str], int] = {}
    for trace in traces:
        for span in trace.spans:
            if span.started_ms is not None:
                key = (span.node, span.kind)
                times.setdefault(key, []).append(span.took_ms)
                failures[key] = failures.get(key, 0) + (span.status == "failed")
    whole = sum(sum(each) for each in times.values()) or 1.0
    found: list[NodeProfile] = []
    for (node, kind), each in times.items():
        each.sort()
        spent = sum(each)
        p50, p95 = percentile(each, 0.5), percentile(each, 0.95)
        found.append(NodeProfile(node, kind, len(each), failures[node, kind], p50, p95, spent, spent / whole))
    return sorted(found, key=lambda row: (-row.total_ms, row.node))
