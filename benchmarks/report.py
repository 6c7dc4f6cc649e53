"""What every benchmark prints: the machine, the commit, and lines of figures beside their bars."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent

FLUSHES = 200
"""Flushes timed: a tenth of a second on a good disk."""


def machine() -> str:
    """Give one line about the machine and the commit."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    commit = "unknown"
    if shutil.which("git") is not None:
        command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or commit
    load, flush = os.getloadavg()[0], _flush_ms()
    python = platform.python_version()
    return f"{os.cpu_count()} x {model}, Python {python}, commit {commit}, load {load:.1f}, disk flush {flush:.2f} ms"


def _flush_ms() -> float:
    """Give the median time of a durable append of a page: what every commit waits for, and what differs most by the hour."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(FLUSHES):
            start = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return percentile(times, 0.5) * 1e3


def line(what: str, figure: str, bar: str = "") -> None:
    """Print one figure, with the bar it has to reach."""
    print(f"  {what:<58} {figure:>22}   {bar}")


def percentile(values: list[float], part: float) -> float:
    """Give the value below which `part` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
