"""Runs within traces: a run of a flow is a span, and so is each of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns

from restock.core import trace
from restock.engine.graph.cohort import CohortRunner
from restock.engine.graph.run import RunResult


async def submitted(runner: CohortRunner, inputs: Mapping[str, object], run_id: str) -> RunResult:
    """Run a flow within the current trace, if there is one: what the run makes is known by `run_id` to belong to it.

    Raises what `CohortRunner.submit` raises.
    """
    parent = trace.current()
    if not parent:
        return await runner.submit(inputs)
    own, began = trace.child(parent), perf_counter_ns()
    trace.remember(run_id, own)
    if not trace.is_sampled(own):
        return await runner.submit(inputs)
    failed = ""
    try:
        with trace.within(own):
            result = await runner.submit(inputs)
    except Exception as error:
        failed = type(error).__name__
        raise
    else:
        failed = type(result.error).__name__ if result.error else ""
        _nodes(result, own)
        return result
    finally:
        trace.record(own, parent, f"flow {runner.flow_name}", began, {"run_id": run_id}, failed=failed)


def _nodes(result: RunResult, parent: str) -> None:
    """Leave a span for each node that was walked; a cohort's runs share the timings."""
    record = result.record
    if record is None or not trace.is_sampled(parent):
        return
    told = {"cohort": str(record.size)}
    for node, started, ended in zip(record.flow.nodes.values(), record.started, record.ended, strict=True):
        if started >= 0:
            failed = type(result.error).__name__ if node.id == result.failed_node else ""
            trace.record_past(trace.child(parent), parent, f"{node.kind} {node.id}", (started, ended), told, failed)
