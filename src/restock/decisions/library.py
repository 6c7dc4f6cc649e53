"""The rulebooks in use: those shipped, and a folder of the user's own, which wins where the names agree.

A rulebook is read again when its file changes, and swapped whole: a text with an error leaves the last good one in place
and says so at the next question about it.
"""

from __future__ import annotations

from pathlib import Path

from restock.core.errors import InvalidInput, NotFound
from restock.engine.rules import Rulebook
from restock.engine.rules.errors import nearest

SHIPPED = Path(__file__).parent / "rulebooks"
SUFFIX = ".grl"


class Library:
    """Finds rulebooks by name."""

    def __init__(self, own: Path | None = None) -> None:
        self._folders = [folder for folder in (own, SHIPPED) if folder is not None]
        self._loaded: dict[str, tuple[Path, int, Rulebook]] = {}

    def names(self) -> list[str]:
        """Give the names of all rulebooks."""
        return sorted({path.stem for folder in self._folders for path in folder.glob(f"*{SUFFIX}")})

    def source(self, name: str) -> Path:
        """Give the file of a rulebook. Raises NotFound with the nearest name."""
        for folder in self._folders:
            path = folder / f"{name}{SUFFIX}"
            if path.name == f"{name}{SUFFIX}" and path.parent == folder and path.is_file():
                return path
        meant = nearest(name, self.names())
        raise NotFound(
            f"There is no rulebook {name!r}.",
            field="rulebook",
            remedy=f"Did you mean {meant!r}?" if meant else f"Known: {', '.join(self.names())}.",
        )

    def rulebook(self, name: str) -> Rulebook:
        """Give a compiled rulebook. Raises NotFound, or RuleError when its text is wrong."""
        path = self.source(name)
        changed = path.stat().st_mtime_ns
        known = self._loaded.get(name)
        if known is None or known[0] != path or known[1] != changed:
            known = self._loaded[name] = (path, changed, Rulebook.parse(read(path), path.name))
        return known[2]


def read(path: Path) -> str:
    """Read the text of a rulebook file. Raises InvalidInput when it is not UTF-8 text."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"Byte {error.start} of {path.name} is not UTF-8.", field=str(path), remedy="Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", field="rulebook") from None
