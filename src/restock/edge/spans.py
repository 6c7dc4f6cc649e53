"""Spans to a collector: OTLP over HTTP with JSON, as every OpenTelemetry collector and Jaeger take it.

The form is the standard's mapping of its protobuf to JSON: written here in a page, it needs no library, and nothing of it is
paid while nothing is sampled. What a collector does not take in time is dropped and told: a trace is never a reason to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter_ns

import msgspec

from restock.core import trace
from restock.core.clock import Clock
from restock.core.metric import gauge
from restock.edge.log import Log

SEND_SECONDS = 1.0
"""How often spans are sent."""

TIMEOUT_SECONDS = 5.0
"""How long a collector may take."""

MOST_SPANS = 2_048
"""Spans in one request: under a megabyte."""

PATH = "/v1/traces"

_KINDS = {"": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_FAILED = 2


async def exported(endpoint: str, service: str, clock: Clock, log: Log) -> None:
    """Send what is recorded, for ever; at the end, when cancelled, what is left. A failure is told once, until it works."""
    sent, failing, lost = trace.RECORDED.recorded, False, 0
    gauge("restock_spans_lost_total", lambda: lost)
    offset = int(clock.now().timestamp() * 1_000_000) * 1_000 - perf_counter_ns()
    try:
        while True:
            await asyncio.sleep(SEND_SECONDS)
            spans, recorded = trace.RECORDED.since(sent), trace.RECORDED.recorded
            problem = await asyncio.to_thread(_send, endpoint, service, offset, spans)
            lost += recorded - sent - (0 if problem else len(spans))
            sent = recorded
            if problem and not failing:
                log.tell("warning", "spans are not taken", endpoint=endpoint, error=problem)
            failing = bool(problem)
    finally:
        _send(endpoint, service, offset, trace.RECORDED.since(sent))


def _send(endpoint: str, service: str, offset_ns: int, spans: Sequence[trace.Span]) -> str:
    """Send spans; give what went wrong."""
    import urllib.request  # noqa: PLC0415 - 10 ms that a server without a collector does not pay

    for start in range(0, len(spans), MOST_SPANS):
        body = document(service, offset_ns, spans[start : start + MOST_SPANS])
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's own setting
            f"{endpoint.rstrip('/')}{PATH}", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
                answer.read()
        except (OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
    return ""


def document(service: str, offset_ns: int, spans: Sequence[trace.Span]) -> bytes:
    """Give the spans as the standard has them in JSON; `offset_ns` makes the time of day of their times."""
    scope = {"scope": {"name": "restock"}, "spans": [_span(one, offset_ns) for one in spans]}
    resource = {"attributes": _attributes({"service.name": service})}
    return msgspec.json.encode({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})


def _span(one: trace.Span, offset_ns: int) -> dict[str, object]:
    return {
        "traceId": one.trace_id,
        "spanId": one.span_id,
        "parentSpanId": one.parent_id,
        "name": one.name,
        "kind": _KINDS[one.kind],
        "startTimeUnixNano": str(one.began_ns + offset_ns),
        "endTimeUnixNano": str(one.ended_ns + offset_ns),
        "attributes": _attributes(one.attributes),
        "status": {"code": _FAILED, "message": one.failed} if one.failed else {},
    }


def _attributes(given: object) -> list[dict[str, object]]:
    assert isinstance(given, dict)
    return [{"key": key, "value": {"stringValue": value}} for key, value in given.items() if value]
