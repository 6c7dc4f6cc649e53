"""Streams in time: a window is a type of facts whose members come with events and go with time.

Time is that of the events, in milliseconds, and only moves forward; no clock is asked. sliding keeps what is younger than
the length; tumbling keeps what came in the present stretch of that length, counted from 0; session keeps everything since
the last pause of at least the length. A length of 0 keeps everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from restock.core.errors import InvalidInput
from restock.engine.rules.errors import meant
from restock.engine.rules.ir_patterns import FactProgram, Window
from restock.engine.rules.network.network import Network


class Streams:
    """The windows of a network. `record` adds an event, `advance` lets time pass; then `fire_all` of the network."""

    def __init__(self, network: Network, program: FactProgram) -> None:
        self._network = network
        self._windows: dict[str, list[Window]] = {}
        self._members: dict[str, deque[tuple[int, int]]] = {}
        for window in program.windows:
            self._windows.setdefault(window.stream, []).append(window)
            self._members[window.type] = deque()
        self.now_ms = 0

    def record(self, stream: str, event: Mapping[str, object], at_ms: int) -> None:
        """Add an event at its time. Raises InvalidInput for an unknown stream, an early event or a wrong field."""
        windows = self._windows.get(stream)
        if windows is None:
            raise InvalidInput(f"No rule looks at the stream {stream!r}.", remedy=meant(stream, self._windows))
        self.advance(at_ms)
        for window in windows:
            self._members[window.type].append((at_ms, self._network.insert(window.type, event)))

    def advance(self, to_ms: int) -> None:
        """Let time pass: what has left its window is retracted. Raises InvalidInput when time would go back."""
        if to_ms < self.now_ms:
            message = f"Time is at {self.now_ms} ms and does not go back to {to_ms} ms."
            raise InvalidInput(message, remedy="Sort the events by time before they are recorded.")
        self.now_ms = to_ms
        for windows in self._windows.values():
            for window in windows:
                for handle in self._leaving(window):
                    self._network.retract(handle)

    def _leaving(self, window: Window) -> Iterator[int]:
        """Give the members that are in the window no more."""
        members = self._members[window.type]
        if not window.length_ms or not members:
            return
        oldest = self.now_ms - window.length_ms + 1
        if window.kind == "tumbling":
            oldest = self.now_ms // window.length_ms * window.length_ms
        if window.kind == "session":
            oldest = self.now_ms + 1 if self.now_ms - members[-1][0] >= window.length_ms else members[0][0]
        while members and members[0][0] < oldest:
            yield members.popleft()[1]
