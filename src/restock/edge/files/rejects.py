"""The rejects file: each line that was not accepted, with its number, the reason, the field, and the line as it was."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from restock.core.failpoint import failpoint
from restock.edge.files.cells import safe
from restock.edge.files.line import Line, Problem

COLUMNS = ("file", "line", "reason", "field", "what", "original")


class RejectsFile:
    """Written beside its place and put there whole when the import ends; an import that fails leaves the old one.

    Without a reject there is no file, and one of an earlier import of the same name is taken away.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.rejects.csv"
        self._partial = folder / f"{name}.rejects.csv.{os.getpid()}.partial"
        self.count = 0

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)
        return self

    def add(self, file: str, line: Line, problem: Problem) -> None:
        """Write down a line."""
        self.count += 1
        what = (file, str(line.number), problem.reason, problem.field, problem.what, line.original)
        self._writer.writerow([safe(_visible(text)) for text in what])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.count:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        if kind is None and self.count:
            failpoint("rejects.before")
            self._partial.replace(self.path)
            failpoint("rejects.after")
            return
        self._partial.unlink(missing_ok=True)
        if kind is None:
            self.path.unlink(missing_ok=True)


def _visible(text: str) -> str:
    return text.replace("\0", "\\0")
