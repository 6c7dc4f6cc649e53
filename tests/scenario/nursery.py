"""Processes that live one life each, for tests of deaths and races."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHILD = Path(__file__).parent / "loop_child.py"


class Nursery:
    """Processes at the price of a fork. One lives at a time; a test that needs two takes two nurseries."""

    def __init__(self) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, str(CHILD), "nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, **task: str) -> None:
        """Let a process live; `kill_after` seconds it is killed."""
        assert self._mother.stdin is not None
        self._mother.stdin.write(json.dumps(task) + "\n")
        self._mother.stdin.flush()

    def wait(self) -> int:
        """Give the exit status of the process once it ended."""
        assert self._mother.stdout is not None
        return int(self._mother.stdout.readline())

    def run(self, **task: str) -> int:
        """Let a process live to its end; give its exit status."""
        self.start(**task)
        return self.wait()

    def close(self) -> None:
        self._mother.communicate(timeout=10)
