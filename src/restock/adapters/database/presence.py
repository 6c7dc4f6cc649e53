"""Signs of life on one machine: a file per member, locked by the kernel as long as its process lives.

The lock tells of a process that ended, however it ended, at once and without a clock. A process that hangs keeps its lock,
so the file also holds the time of the last beat, on the clock that counts from the machine's start and that nobody sets.
"""

from __future__ import annotations

import fcntl
import os
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from restock.core.defaults import SESSION_SECONDS
from restock.core.errors import StorageUnusable

BEAT_SECONDS = 0.25
"""A beat is written at most so often: far below the shortest silence after which a member is given up."""

FOLDER = "members"

_TIME = struct.Struct("<d")


def _since_start() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class FileSign:
    """A member's file, locked. It ends with the object too, so that a member that is forgotten is not waited for."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self._file, path = tempfile.mkstemp(prefix="", dir=folder)
        self._path = Path(path)
        self.member = self._path.name
        self._now = now
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._last = 0.0
        self.beat()

    def beat(self) -> None:
        """Say that the member lives."""
        now = self._now()
        if now - self._last >= BEAT_SECONDS:
            os.pwrite(self._file, _TIME.pack(now), 0)
            self._last = now

    def end(self) -> None:
        """The member lives no more."""
        if self._file >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)


class FilePresence:
    """Signs of life of all processes of one home. Fulfils `restock.engine.stream.presence.Presence`."""

    def __init__(
        self, home: Path, session_seconds: float = SESSION_SECONDS, now: Callable[[], float] = _since_start
    ) -> None:
        self._folder = home / FOLDER
        self._session = session_seconds
        self._now = now

    def begin(self) -> FileSign:
        """Give a new member's sign. Raises StorageUnusable."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return FileSign(self._folder, self._now)
        except OSError as error:
            raise StorageUnusable(
                f"{self._folder} cannot be written: {error.strerror}.", remedy="Check its permissions."
            ) from error

    def lives(self, member: str) -> bool:
        """Tell whether the member's process lives and was heard of within the session."""
        path = self._folder / member
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            beat = os.pread(file, _TIME.size, 0)
            return len(beat) < _TIME.size or self._now() - _TIME.unpack(beat)[0] < self._session
        else:
            path.unlink(missing_ok=True)  # its process was killed
            return False
        finally:
            os.close(file)
