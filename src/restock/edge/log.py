"""The log of a server: one line per request, run, dead letter and problem, as JSON or as text, on standard error.

A line costs an append: it is written out with others, off the caller's way. Lines say which request, run, order, event and
trace they are of, never what was in it: no body, no query, no header, no key.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import msgspec

from restock.core.clock import Clock, SystemClock, timestamp

LEVELS = ("debug", "info", "warning", "error")
FORMS = ("json", "text")

FLUSH_SECONDS = 0.05
"""How long lines are gathered before they are written together."""

MOST_WAITING = 5_000
"""Lines that may wait; the next one is not waited for."""

Write = Callable[[bytes], object]
_Line = tuple[str, str, str, Mapping[str, object]]


def to_stderr(text: bytes) -> None:
    """Write to standard error."""
    sys.stderr.write(text.decode())
    sys.stderr.flush()


class Log:
    """Takes lines and writes them in batches. As a context manager it writes the last ones at the end."""

    def __init__(
        self, clock: Clock | None = None, form: str = "json", level: str = "warning", write: Write = to_stderr
    ) -> None:
        self._clock = clock or SystemClock()
        self._formed = _json_line if form == "json" else _text_line
        self._wanted = frozenset(LEVELS[LEVELS.index(level) :])
        self._write = write
        self._lines: list[_Line] = []
        self._timer: asyncio.TimerHandle | None = None
        self.tells_requests = "info" in self._wanted
        """Whether a line per request and run is wanted."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.flush()

    def tell(self, level: str, event: str, **members: object) -> None:
        """Take a line; empty members are left out. An error is written at once: the process may not live until later."""
        if level not in self._wanted:
            return
        self._lines.append((timestamp(self._clock.now()), level, event, members))
        if level == "error" or len(self._lines) >= MOST_WAITING:
            self.flush()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
            except RuntimeError:  # no loop: nobody waits
                self.flush()

    def flush(self) -> None:
        """Write what was taken."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            self._write(b"".join(map(self._formed, lines)))


def _json_line(line: _Line) -> bytes:
    at, level, event, members = line
    whole = {"at": at, "level": level, "event": event}
    for name, value in members.items():
        if value not in ("", None):
            whole[name] = value  # type: ignore[assignment]  # whatever JSON has
    try:
        return _encode(whole) + b"\n"
    except UnicodeEncodeError:  # a path that is no Unicode
        return _encode({name: ascii(value) for name, value in whole.items()}) + b"\n"


def _text_line(line: _Line) -> bytes:
    at, level, event, members = line
    told = "".join(f"  {name}={_shown(value)}" for name, value in members.items() if value not in ("", None))
    return f"{at} {level:<7} {event}{told}\n".encode(errors="backslashreplace")


def _shown(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else ascii(text)


_encode = msgspec.json.Encoder(decimal_format="number").encode
