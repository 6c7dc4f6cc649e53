"""The trace between two services: the headers that a call sends, and what is made of those that came.

A plural call works for many callers at once. Beside the standard's `traceparent`, which can name one trace, it therefore
carries the traces of the runs and events that its items name, in `restock-traces-bin`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns

import msgspec

from restock.core import trace

TRACES = "restock-traces-bin"
"""Metadata of gRPC whose name ends with -bin is bytes."""

MOST_TRACES = 48
"""Traces in one call: metadata has 8 KiB; of more callers some are not followed into the next service."""

NAMES = ("run_id", "causation_id", "event_id")
"""Members of a request, or of its items, that name what has a trace."""

MOST_TEXT = 64
"""Characters of an identifier."""

Headers = list[tuple[str, str | bytes]]


def sent(*request: object) -> Headers:
    """Give the headers of a call; none without a trace. What is asked is looked through for what its items follow from."""
    own = trace.current()
    found = _traces_in(request) if trace.is_any() else {}
    if not own and not found:
        return []
    headers: Headers = [(trace.TRACEPARENT, own or next(iter(found.values())))]
    if found:
        headers.append((TRACES, _pack(found)))
    return headers


@contextmanager
def received(headers: Iterable[tuple[str, str | bytes]], name: str) -> Iterator[None]:
    """Answer a call within the trace that its headers name, as a span of that name."""
    parent = ""
    for key, value in headers:
        if key == trace.TRACEPARENT and isinstance(value, str):
            parent = trace.read(value)
        elif key == TRACES and isinstance(value, bytes):
            _remember(value)
    if not parent:
        yield
        return
    own, began = trace.child(parent), perf_counter_ns()
    failed = ""
    try:
        with trace.within(own):
            yield
    except Exception as error:
        failed = type(error).__name__
        raise
    finally:
        trace.record(own, parent, name, began, {"rpc.system": "grpc"}, kind="server", failed=failed)


def _traces_in(requests: Iterable[object]) -> dict[str, str]:
    """Give the traces of what requests, or the items of their lists, name."""
    found: dict[str, str] = {}
    for one in (each for request in requests for each in _items(request)):
        for name in NAMES:
            identifier = getattr(one, name, "")
            if isinstance(identifier, str) and (traceparent := trace.of(identifier)):
                found[identifier] = traceparent
                if len(found) == MOST_TRACES:
                    return found
    return found


def _items(request: object) -> Iterator[object]:
    yield request
    for each in getattr(request, "__dict__", {}).values():
        if isinstance(each, list | tuple):
            yield from each


def _remember(value: bytes) -> None:
    try:
        found = _unpack(value)
    except msgspec.DecodeError:
        return  # a trace is never a reason to refuse a call
    for identifier, text in list(found.items())[:MOST_TRACES]:
        if len(identifier) <= MOST_TEXT:
            trace.remember(identifier, trace.read(text))


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[str, str]).decode
