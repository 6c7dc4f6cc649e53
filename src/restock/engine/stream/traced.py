"""Consuming within traces: what follows from a record belongs to the trace that its header names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter_ns
from typing import Protocol

from restock.core import trace
from restock.engine.stream.port import Record


class Identified(Protocol):
    """What a record says, as far as this module looks."""

    @property
    def event_id(self) -> str:
        """The event."""
        ...


@asynccontextmanager
async def traced(given: Sequence[tuple[Record, Identified]], name: str) -> AsyncIterator[None]:
    """Handle records: each event with a trace is remembered with it, and leaves a span of its own when it is sampled.

    All are handled together, so the work itself runs in the trace of one of them.
    """
    found = []
    for record, event in given:
        if len(record.headers) > 1 and (header := record.headers.get(trace.TRACEPARENT)):
            parent = trace.read(header)
            if parent:
                own = trace.child(parent)
                trace.remember(event.event_id, own)
                found.append((own, parent, record, event.event_id))
    if not found:
        yield
        return
    began, failed = perf_counter_ns(), ""
    try:
        with trace.within(found[0][0]):
            yield
    except Exception as error:
        failed = type(error).__name__
        raise
    finally:
        for own, parent, record, event_id in found:
            place = {"topic": record.topic, "partition": str(record.partition), "offset": str(record.offset)}
            trace.record(own, parent, name, began, {"event_id": event_id, **place}, kind="consumer", failed=failed)
