"""What the worker process of the file channel does at its start: step back, and never outlive its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

from restock.core import failpoint as failpoints

LOWEST_PRIORITY = 19


def settle() -> None:
    """Take the lowest priority, leave signals to the parent, and end when it ends, however it ends."""
    os.nice(LOWEST_PRIORITY)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    failpoints.armed = False  # a failpoint ends the process under test, not its helper
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)
