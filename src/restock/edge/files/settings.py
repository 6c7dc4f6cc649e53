"""What every import is told: where rejects go, how columns map, whom to tell of progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from restock.core.clock import Clock

BATCH = 2000
"""Lines per call of a port: about 50 ms of work, after which others get their turn and progress is told."""


class Progress(NamedTuple):
    """How far an import is: lines done, and how much of how much of the file was read (bytes, or rows of Parquet)."""

    file: str
    lines: int
    done: int
    size: int


def _quiet(progress: Progress) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class ImportSettings:
    """How to import. `mapping` leads from a column's name to a field's, `rejects` is the folder for rejects files."""

    rejects: Path
    clock: Clock
    mapping: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    progress: Callable[[Progress], None] = _quiet
