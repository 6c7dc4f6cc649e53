"""The file that tells where a server of this home is, and who.

Its truth is a lock, not its text: the server holds it as long as it lives, and the kernel drops it however the server ends.
So a number that was left behind by a killed server, and now belongs to somebody else, is never believed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from restock.core.errors import Conflict, Unavailable

FILE, LOG = "pipeline.pid", "pipeline.log"

START_SECONDS = 60
"""How long a server may take to answer: it may have stores to migrate."""

STOP_SECONDS = 40
"""How long it may take to end: it finishes what callers wait for within 30."""

LOOK_SECONDS = 0.02
"""How often is looked whether a server has begun or ended."""

LOOKERS_SECONDS = 2
"""How long those who only look may be in the way of a server that begins."""


class Server(NamedTuple):
    """A server that lives. `address` is empty until it answers there."""

    pid: int
    address: str


@contextmanager
def held(path: Path) -> Iterator[Callable[[str], None]]:
    """Be the server of the file; what is given is told the address. Raises Conflict when another one is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        _take(file, path)

        def write(text: str) -> None:
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()

        write(f"{os.getpid()}\n")
        try:
            yield lambda address: write(f"{os.getpid()}\n{address}\n")
        finally:
            write("")


def _take(file: IO[str], path: Path) -> None:
    """Take the lock; somebody who only looks whether it is free holds it for a moment too."""
    end = time.monotonic() + LOOKERS_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            there = running(path)
            if there is not None or time.monotonic() > end:
                who = f", process {there.pid}" if there else ""
                raise Conflict(f"A server runs already{who}.", field=str(path), remedy="Stop it first.") from None
            time.sleep(LOOK_SECONDS / 4)
        else:
            return


def running(path: Path) -> Server | None:
    """Give the server that holds the file, or None when none lives."""
    try:
        with path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, _, address = file.read().partition("\n")
                return Server(int(pid), address.strip()) if pid else None  # it begins, or ends, at this moment
    except FileNotFoundError:
        pass
    return None


def start(home: Path, name: str, arguments: Sequence[str], stop_with: str) -> Server:
    """Start this program in the background of a home; give it once it answers. Raises Conflict, Unavailable.

    `name`.pid is the file that it holds, `name`.log what it says, `arguments` its command and the options of that.
    """
    home.mkdir(parents=True, exist_ok=True)
    path, log = home / f"{name}.pid", home / f"{name}.log"
    if there := running(path):
        raise Conflict(f"A server runs already, process {there.pid}.", remedy=f"Stop it with `{stop_with}`.")
    command = [sys.executable, "-m", "restock", "--home", str(home.absolute()), *arguments]
    with log.open("wb") as told:
        process = subprocess.Popen(  # noqa: S603 - this program again
            command,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            start_new_session=True,  # Ctrl-C in this terminal is not meant for it
        )
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        there = running(path)
        if there is not None and there.address:
            return there
        if process.poll() is not None:
            said = log.read_text("utf-8", "replace").strip().splitlines()
            raise Unavailable(
                f"The server did not start: {said[-1] if said else f'exit status {process.returncode}'}",
                remedy=f"See {log}.",
            )
        time.sleep(LOOK_SECONDS)
    process.terminate()
    raise Unavailable(f"The server did not answer within {START_SECONDS} s.", remedy=f"See {log}.")


def stop(path: Path, seconds: int = STOP_SECONDS) -> Server | None:
    """Tell the server to end and wait until it has; give it, or None when none lived. Raises Unavailable."""
    there = running(path)
    if there is None:
        return None
    os.kill(there.pid, signal.SIGTERM)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = running(path)
        if now is None or now.pid != there.pid:
            return there
        time.sleep(LOOK_SECONDS)
    raise Unavailable(f"Process {there.pid} did not end within {seconds} s.", remedy="Try again, or kill it.")
