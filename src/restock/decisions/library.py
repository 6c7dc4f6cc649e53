"""The rulebooks in use: what was activated, then a folder of the user's own, then those shipped; the first of a name wins.

A file is NAME.grl, or NAME.json with rules in JSON; rules over facts are found too, for whoever asks with `loaded`. A
rulebook is read again when its file changes, and swapped whole. A text with an error leaves the last good one in place;
`problem` says what is wrong, and whoever asks for the rulebook's text hears it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from restock.core.errors import InvalidInput, NotFound, RestockError
from restock.engine.rules import FactRulebook, Rulebook, load
from restock.engine.rules.errors import nearest
from restock.engine.rules.loading import JSON, scalar

SHIPPED = Path(__file__).parent / "rulebooks"
SUFFIX = ".grl"
SUFFIXES = (SUFFIX, JSON)
"""How the files end; the first of a name wins inside one folder."""

ACTIVATED = "activated"
"""Said of a rulebook that is not from a file."""


class _Loaded(NamedTuple):
    """A rulebook in use; `problem` says why a newer text of it is not."""

    path: Path
    stamp: int
    rulebook: Rulebook | FactRulebook
    problem: RestockError | None


class Library:
    """Finds rulebooks by name."""

    def __init__(self, own: Path | None = None) -> None:
        self._folders = [folder for folder in (own, SHIPPED) if folder is not None]
        self._loaded: dict[str, _Loaded] = {}
        self._active: dict[str, Rulebook | FactRulebook | RestockError] = {}

    def use(self, active: Mapping[str, tuple[str, str]]) -> None:
        """Take these, by name version and text, before any file. Swapped whole: who has a rulebook goes on with it."""
        self._active = {name: self._activated(name, *what) for name, what in active.items()}

    def _activated(self, name: str, version: str, text: str) -> Rulebook | FactRulebook | RestockError:
        """Compile a rulebook, unless it is in use already; a text that is not understood any more stops only its name."""
        known = self._active.get(name)
        if isinstance(known, Rulebook | FactRulebook) and known.version == version:
            return known
        try:
            return load(text, f"{name}{SUFFIX}")
        except RestockError as error:
            return error

    def names(self) -> list[str]:
        """Give the names of all rulebooks."""
        return sorted(
            {one.stem for folder in self._folders for end in SUFFIXES for one in folder.glob(f"*{end}")}
            | {*self._active}
        )

    def origin(self, name: str) -> str:
        """Say where a rulebook is from: the name of its file, or that it was activated."""
        return ACTIVATED if name in self._active else self.source(name).name

    def source(self, name: str) -> Path:
        """Give the file of a rulebook. Raises NotFound with the nearest name."""
        found = self._find(name)
        if found is not None:
            return found[0]
        raise self._unknown(name)

    def rulebook(self, name: str) -> Rulebook:
        """Give a compiled rulebook over one set of fields. Raises as `loaded`, and RuleError for rules over facts."""
        return scalar(self.loaded(name), "This")

    def loaded(self, name: str) -> Rulebook | FactRulebook:
        """Give a compiled rulebook of any kind. Raises NotFound, or RuleError when its text was never right."""
        active = self._active.get(name)
        if isinstance(active, RestockError):
            raise active
        if active is not None:
            return active
        found = self._find(name)
        if found is None:
            raise self._unknown(name)
        path, stamp = found
        known = self._loaded.get(name)
        if known is None or known.stamp != stamp or known.path != path:
            known = self._loaded[name] = self._load(path, stamp, known)
        return known.rulebook

    def problem(self, name: str) -> RestockError | None:
        """Tell what is wrong with the text of a rulebook whose last good version is still in use."""
        known = None if name in self._active else self._loaded.get(name)
        return None if known is None else known.problem

    def _find(self, name: str) -> tuple[Path, int] | None:
        """Give the file of a rulebook and when it was changed; this runs for every decision, so it is few system calls."""
        if not name or os.sep in name or name.startswith("."):
            return None
        for folder in self._folders:
            for end in SUFFIXES:
                try:
                    return folder / f"{name}{end}", os.stat(f"{folder}{os.sep}{name}{end}").st_mtime_ns  # noqa: PTH116 - per decision
                except (OSError, ValueError):
                    continue
        return None

    def _load(self, path: Path, stamp: int, known: _Loaded | None) -> _Loaded:
        try:
            rulebook = load(read(path), path.name)
            if rulebook.empty:
                raise InvalidInput(f"{path.name} has no rules.", field="rulebook", remedy="Write some, or remove it.")
            return _Loaded(path, stamp, rulebook, None)
        except RestockError as error:
            if known is None:
                raise
            return _Loaded(path, stamp, known.rulebook, error)

    def _unknown(self, name: str) -> NotFound:
        meant = nearest(name, self.names())
        return NotFound(
            f"There is no rulebook {name!r}.",
            field="rulebook",
            remedy=f"Did you mean {meant!r}?" if meant else f"Known: {', '.join(self.names())}.",
        )


def read(path: Path) -> str:
    """Read the text of a rulebook file. Raises NotFound, and InvalidInput when it is not UTF-8 text."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"Byte {error.start} of {path.name} is not UTF-8.", field=str(path), remedy="Save the file as UTF-8."
        ) from None
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", field="rulebook", remedy="Check the path.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", field="rulebook") from None
