"""The flow, watched: the trace of a run as text and Mermaid, the figures, Prometheus metrics.

A server gives the same at /api/v1/runs/ID, /api/v1/figures and /metrics.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from embedded_flow import PRODUCTS, load
from restock.analytics.port import FiguresRequest
from restock.app import opened
from restock.edge.log import Log
from restock.edge.rest.measured import metrics_text
from restock.edge.rest.meters import Meters
from restock.edge.rest.observed import observed
from restock.engine.graph import flow_mermaid, profile, trace_text
from restock.replenishment.port import FlowBatchRequest, RunsRequest
from restock.settings import Settings


async def main(home: Path) -> None:
    """Run the flow for the three products, and show what can be seen of it."""
    async with opened(Settings(home=home, dispatch_process=False)) as app:
        await load(app)
        meters = Meters()
        observed(app, meters, Log(app.clock))
        await app.replenishment.flow_batch(FlowBatchRequest(PRODUCTS))
        await app.settle()
        runs = await app.replenishment.runs(RunsRequest())
        traces = [(await app.replenishment.result(run.run_id)).trace for run in runs]

        print("The trace of one run\n")
        print(trace_text(traces[0]))
        print("The flow, as Mermaid\n")
        print(flow_mermaid(app.replenishment.flows["purchasing"]))
        print("Where the time goes\n")
        for one in profile(traces):
            print(f"  {one.node:<12} {one.count} runs, {one.failed} failed, {one.p50_ms:.3f} ms")
        print("\nSummary\n")
        outcomes = Counter(run.outcome for run in runs)
        print("  runs:", ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
        for money in (await app.analytics.figures(FiguresRequest())).purchase_orders:
            print(f"  purchase orders: {money.orders} over {money.amount:,.2f} {money.currency} with tax")
        waiting = sum((await app.backlog()).values())
        print(f"  waiting: {waiting}; problems: {len(app.problems())}")
        print("\nMetrics\n")
        print((await metrics_text(app, meters, draining=False)).decode(), end="")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(Path(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder)))
