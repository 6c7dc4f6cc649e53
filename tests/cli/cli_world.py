"""The command line as tests drive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import Result

Restock = Callable[..., Result]
Answer = Callable[..., Any]


def program(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own."""
    command = [sys.executable, "-m", "restock", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=50, **options)


@contextmanager
def serving(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A server on the home, ready; killed at the end if it still runs."""
    environment = os.environ | {"RESTOCK_HOME": str(home)}
    command = [sys.executable, "-m", "restock", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            assert "serves http" in server.stdout.readline()
            yield server
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGKILL)
