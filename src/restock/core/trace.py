"""Traces: one identifier from a customer's order to the purchase order, through every process (W3C Trace Context).

A place in a trace is its `traceparent`, in the standard's text: `00-<trace>-<span>-01`, the last digit 1 when the trace is
sampled. Nothing else travels. It is known in two ways:

* of the request that is being answered: `current`, a context variable;
* of what something follows from: `of`, by the identifier of an event or a run. Work for many callers is done together, in
  one unit or one cohort, where a context variable would hold the trace of only one of them, and be wrong for all others.

A trace that is not sampled is passed on and costs nothing else. Of a sampled one each piece of work leaves a `Span` in a
ring in memory: who looks at it, or sends it on, is not known here. Without a trace every call is a look into an empty dict.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from itertools import count, islice
from time import perf_counter_ns
from typing import NamedTuple

from restock.core.ids import Entropy

TRACEPARENT = "traceparent"
"""The name of the header, over HTTP, gRPC and in the records of the stream."""

MOST_CAUSES = 1 << 16
"""Identifiers whose trace is remembered: those of some seconds under full load; each is needed until its work is done."""

RING = 1 << 13
"""Spans that are kept: a few megabytes, and some thousand pieces of work to look back on."""

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=$|-)")
_SPAN_BITS = 64
_entropy = Entropy()
_spans = count(_entropy.getrandbits(_SPAN_BITS))
_current: ContextVar[str] = ContextVar("restock_trace", default="")
_causes: OrderedDict[str, str] = OrderedDict()


class Span(NamedTuple):
    """A piece of work of a sampled trace. Times are those of `time.perf_counter_ns`; `failed` is empty when it went well."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    began_ns: int
    ended_ns: int
    attributes: Mapping[str, str]
    failed: str


class Ring:
    """The newest spans."""

    def __init__(self, size: int = RING) -> None:
        self._kept: deque[Span] = deque(maxlen=size)
        self.recorded = 0
        """Spans ever recorded."""

    def add(self, span: Span) -> None:
        """Keep a span; the oldest is forgotten for it."""
        self._kept.append(span)
        self.recorded += 1

    def of(self, trace_id: str) -> list[Span]:
        """Give the spans of a trace that are still kept, in the order in which they ended."""
        return [one for one in self._kept if one.trace_id == trace_id]

    def since(self, recorded: int) -> list[Span]:
        """Give the spans that came after so many; those that were forgotten meanwhile are missing."""
        new = min(self.recorded - recorded, len(self._kept))
        return list(islice(self._kept, len(self._kept) - new, None))


RECORDED = Ring()
"""The ring of this process."""


def read(text: str) -> str:
    """Give a traceparent as it is passed on; nothing for one that is malformed, as the standard asks."""
    found = _FORM.match(text)
    if not found:
        return ""
    whole = found[0]
    return f"00{whole[2:53]}{int(whole[53:55], 16) & 1:02}"


def begun(*, sampled: bool = True) -> str:
    """Give the traceparent of a new trace."""
    trace, span = (_entropy.getrandbits(bits) or 1 for bits in (128, _SPAN_BITS))
    return f"00-{trace:032x}-{span:016x}-0{int(sampled)}"


def child(parent: str) -> str:
    """Give the traceparent of a piece of work within another; the same where nothing is recorded."""
    if not is_sampled(parent):
        return parent
    return f"{parent[:36]}{next(_spans) & 0xFFFF_FFFF_FFFF_FFFF or 1:016x}-01"


def is_sampled(traceparent: str) -> bool:
    """Tell whether spans of this trace are recorded."""
    return traceparent[-1:] == "1"


def id_of(traceparent: str) -> str:
    """Give the 32 digits of the trace; nothing for none."""
    return traceparent[3:35]


def current() -> str:
    """Give the traceparent of the request that is being answered; nothing where there is none.

    Ask before the work is handed to a unit or a cohort: these run in the context of whoever came first.
    """
    return _current.get()


def enter(traceparent: str) -> Token[str]:
    """Make it the current one, until `leave` in the same task."""
    return _current.set(traceparent)


def leave(token: Token[str]) -> None:
    """Make the one before it the current one again."""
    _current.reset(token)


@contextmanager
def within(traceparent: str) -> Iterator[None]:
    """Make it the current one."""
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)


def remember(identifier: str, traceparent: str) -> None:
    """Let what follows from an event or a run belong to a trace."""
    if not traceparent or not identifier:
        return
    _causes[identifier] = traceparent
    if len(_causes) > MOST_CAUSES:
        _causes.popitem(last=False)


def is_any() -> bool:
    """Tell whether anything that is remembered belongs to a trace: nearly always nothing does."""
    return bool(_causes)


def of(*identifiers: str) -> str:
    """Give the traceparent of the first of these events and runs that belongs to a trace; nothing where none does."""
    if _causes:
        for each in identifiers:
            found = _causes.get(each)
            if found:
                return found
    return ""


def record(
    own: str, parent: str, name: str, began_ns: int, attributes: Mapping[str, str], *, kind: str = "", failed: str = ""
) -> None:
    """Keep the span `own` of a sampled trace, which ends now; `parent` is empty for the first of a trace."""
    if is_sampled(own):
        ended = perf_counter_ns()
        RECORDED.add(Span(own[3:35], own[36:52], parent[36:52], name, kind, began_ns, ended, attributes, failed))


def record_past(
    own: str, parent: str, name: str, times: tuple[int, int], attributes: Mapping[str, str], failed: str = ""
) -> None:
    """Keep the span `own` of a sampled trace, which began and ended at these times."""
    if is_sampled(own):
        RECORDED.add(Span(own[3:35], own[36:52], parent[36:52], name, "", *times, attributes, failed))


class Sampling:
    """Decides once, at the edge, whether a request belongs to a trace."""

    def __init__(self, one_in: int = 0) -> None:
        """`one_in`: of so many requests that bring no trace one begins a sampled one; 0 begins none."""
        self._one_in = one_in
        self._left = one_in

    def of_request(self, header: str) -> tuple[str, str]:
        """Give the traceparent of the request, and that of its caller; both are empty without a trace.

        Who brings a trace has decided whether it is sampled.
        """
        parent = read(header) if header else ""
        if parent:
            return child(parent), parent
        if self._one_in:
            self._left -= 1
            if not self._left:
                self._left = self._one_in
                return begun(), ""
        return "", ""
