"""The ballast: a file that takes up room, so that a full disk can still be left.

On a full disk even deleting fails, because deleting writes too. So some room is kept in a file, and let go when the disk has
less left than a quarter of it, or a write was refused for want of room: what is under way (publishing, consuming, handing
over, forgetting old records) goes on in that room, and nothing new is taken in until the disk has it again and as much
besides.

The file itself says how things stand, to every process of the home: not there, nobody keeps ballast; empty, it was let go.
Who does the background work makes it, watches the disk and takes it up again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from restock.core.errors import StorageFull, StorageUnusable

FILE = "ballast"

CHECK_SECONDS = 0.5
"""How often the disk is looked at: half a second of orders at full speed is less than the ballast."""

LOW_SHARE = 4
"""The ballast is let go when less than one part in so many of it is left, before a write fails."""


def free_bytes(folder: Path) -> int:
    """Give the bytes that this user may still write where a folder is."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Ballast:
    """The ballast of one home, of so many bytes; 0 keeps none."""

    def __init__(self, home: Path, size: int, free: Callable[[Path], int] = free_bytes) -> None:
        self._home = home
        self._path = home / FILE
        self._size = size
        self._free = free
        self.problem: StorageUnusable | None = None
        """Why the disk cannot be watched. A ballast that is gone is none: orders that are refused say so."""

    @property
    def is_gone(self) -> bool:
        """Tell whether it was let go: the disk is nearly full."""
        try:
            return not self._path.stat().st_size
        except FileNotFoundError:
            return False

    def check(self) -> None:
        """Refuse what is new while it is gone. Raises StorageFull."""
        if self.is_gone:
            raise StorageFull(
                f"The disk of {self._home} is nearly full: what was accepted is finished first.",
                remedy=f"Free disk space: {2 * self._size >> 20} MiB; nothing that was acknowledged is lost.",
            )

    def let_go(self) -> None:
        """Free its room if the disk has less than that left; a store that is full for another reason gets no more by it."""
        try:
            if self._path.stat().st_size and self._free(self._home) < self._size:
                os.truncate(self._path, 0)
        except FileNotFoundError:
            return

    def watch(self) -> None:
        """Look at the disk: make the ballast, let it go, or take it up again."""
        if not self._size:
            self._path.unlink(missing_ok=True)
            return
        held = self._held()
        if held < self._size:
            self._take(held)
        elif self._free(self._home) < self._size // LOW_SHARE:
            self.let_go()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                self.watch()
                self.problem = None
            except OSError as error:
                self.problem = StorageUnusable(
                    f"{self._path} cannot be kept: {error.strerror}.", remedy="Check its permissions."
                )
            await asyncio.sleep(CHECK_SECONDS)

    def _held(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _take(self, held: int) -> None:
        """Take up the room if as much is left besides; leave it, and say so by an empty file, if not."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if self._free(self._home) + held < 2 * self._size:
                os.ftruncate(file, 0)
                return
            os.posix_fallocate(file, 0, self._size)
        except OSError:  # another took the room meanwhile, or a quota says so
            os.ftruncate(file, 0)
        finally:
            os.close(file)
