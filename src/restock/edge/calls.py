"""Calls between services, as they are counted and traced: one line at the server, one at the client.

The server answers within `answered(method, context.invocation_metadata())` and sets `code` of what it gives where the answer
is an error; the client asks within `asked(method, request)` and sends its `headers` along. A method is written as gRPC does:
`oms.OmsService/GetHistory`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns

from restock.core import trace
from restock.edge.trace_headers import Headers, received, sent

BUCKETS_MS = (0.5, 1, 2, 3, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560)
"""Upper bounds of the latency histogram: doubling, with the promised 3 and 40 ms among them."""

_BOUNDS_NS = tuple(int(bound * 1_000_000) for bound in BUCKETS_MS)

OK = "OK"


class Meter:
    """Calls of one kind: how many ended how, and how long they took."""

    __slots__ = ("buckets", "count", "statuses", "total_ns")

    def __init__(self) -> None:
        self.statuses: dict[object, int] = {}
        self.buckets = [0] * (len(_BOUNDS_NS) + 1)
        self.total_ns = 0
        self.count = 0

    def observe(self, status: object, took_ns: int) -> None:
        """Count a call."""
        statuses = self.statuses
        statuses[status] = statuses.get(status, 0) + 1
        self.buckets[bisect_left(_BOUNDS_NS, took_ns)] += 1
        self.total_ns += took_ns
        self.count += 1


ANSWERED: dict[str, Meter] = {}
"""gRPC calls of others that this process answered, by method."""

ASKED: dict[str, Meter] = {}
"""Calls of this process to others, by method."""


class Call:
    """One call: how it ended, and the headers to send with it."""

    __slots__ = ("code", "headers")

    def __init__(self, headers: Headers) -> None:
        self.code = OK
        self.headers = headers


@contextmanager
def answered(method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Iterator[Call]:
    """Answer a call: counted, and within the trace of its caller. An error that gets out is counted by its name."""
    call, began = Call([]), perf_counter_ns()
    try:
        with received(metadata, method):
            yield call
    except BaseException as error:
        if call.code == OK:
            call.code = type(error).__name__
        raise
    finally:
        ANSWERED.setdefault(method, Meter()).observe(call.code, perf_counter_ns() - began)


@contextmanager
def asked(method: str, *request: object) -> Iterator[Call]:
    """Make a call: counted, and a span of the trace it belongs to."""
    began, parent = perf_counter_ns(), trace.current()
    own = trace.child(parent) if parent else ""
    with trace.within(own):
        call = Call(sent(*request))
    try:
        yield call
    except BaseException as error:
        if call.code == OK:
            call.code = type(error).__name__
        raise
    finally:
        ASKED.setdefault(method, Meter()).observe(call.code, perf_counter_ns() - began)
        failed = "" if call.code == OK else call.code
        trace.record(own, parent, method, began, {"rpc.system": "grpc"}, kind="client", failed=failed)
