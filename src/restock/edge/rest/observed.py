"""Who is told what happens in the background of a server: its meters and its log."""

from __future__ import annotations

import asyncio

from restock.core import trace
from restock.core.errors import RestockError
from restock.core.metric import gauge
from restock.edge.log import Log
from restock.edge.rest.meters import Meters
from restock.edge.rest.served import Served, WatchedFlows
from restock.engine.stream import EVENT_ID_HEADER, Record
from restock.replenishment.port import RunTold

LOOK_SECONDS = 1.0
"""How often it is looked what stands still; and how long the loop's longest wait is remembered."""

TURN_SECONDS = 0.1
"""How often a turn of the event loop is asked for, to see how long it takes to come."""


def observed(app: Served, meters: Meters, log: Log) -> None:
    """Let meters and log be told of runs and dead letters."""

    def on_run(told: RunTold) -> None:
        reply = told.reply
        failed = isinstance(reply, RestockError)
        log.tell(
            "info",
            "run",
            run_id=told.run_id,
            product_id=told.product_id,
            outcome="error" if isinstance(reply, RestockError) else reply.outcome,
            po_id="" if isinstance(reply, RestockError) or reply.po is None else reply.po.po_id,
            decision_id="" if isinstance(reply, RestockError) else reply.decision_id,
            error=str(reply) if failed else "",
            event_id=told.causation_id,
            trace_id=trace.id_of(told.traceparent),
        )

    def on_parked(group: str, record: Record, error: Exception, attempts: int) -> None:
        log.tell(
            "warning",
            "dead letter",
            subscriber=group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            event_id=record.headers.get(EVENT_ID_HEADER, ""),
            trace_id=trace.id_of(record.headers.get(trace.TRACEPARENT, "")),
            attempts=attempts,
            error=f"{type(error).__name__}: {error}",
        )

    if isinstance(app.replenishment, WatchedFlows):
        app.replenishment.observers.append(meters.flows.observe)
        if log.tells_requests:
            app.replenishment.observers.append(on_run)
    app.dead_letters.observers += [meters.on_parked, on_parked]


async def watch(app: Served, log: Log) -> None:
    """Tell when something begins to stand still and when it goes on; measure how late the loop's turns come. For ever."""
    loop = asyncio.get_running_loop()
    known: set[str] = set()
    longest = [0.0, 0.0]
    gauge("restock_event_loop_lag_seconds", lambda: max(longest))
    while True:
        longest = [0.0, max(longest)]
        until = loop.time() + LOOK_SECONDS
        while (began := loop.time()) < until:
            await asyncio.sleep(TURN_SECONDS)
            longest[0] = max(longest[0], loop.time() - began - TURN_SECONDS)
        found = set(app.problems())
        for problem in sorted(found - known):
            log.tell("error", "problem", problem=problem)
        for problem in sorted(known - found):
            log.tell("info", "problem over", problem=problem)
        known = found
