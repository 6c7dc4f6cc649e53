"""The error of the rule language: what is wrong, at which line and column, and the nearest thing that would be right.

Every pass from the lexer to the interpreters raises `RuleError`; all are made by `SourceText.error`, which knows the line.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import NamedTuple

from restock.core.errors import InvalidInput

SHOWN_WIDTH = 160
"""Longest part of a source line that an error shows: one terminal line."""

MOST_NAMES = 20
"""Names that a remedy lists where none is near: more are not read."""


class Place(NamedTuple):
    """A position in the text: line and column, both counted from 1, the column in characters."""

    line: int
    column: int


class RuleError(InvalidInput):
    """A rulebook is wrong, or one of its rules cannot be evaluated on the given facts.

    `rulebook`, `line`, `column`, `source_line`, `message` and `suggestion` say where, what and the nearest right name.
    `str` shows `name:line:column: message`, the line, a caret and the suggestion.
    """

    code = "rule-error"

    def __init__(self, rulebook: str, place: Place, source_line: str, message: str, suggestion: str = "") -> None:
        remedy = f"Did you mean {suggestion}?" if suggestion else ""
        super().__init__(message, remedy=remedy, field=f"{rulebook}:{place.line}:{place.column}")
        self.rulebook = rulebook
        self.line = place.line
        self.column = place.column
        self.source_line = source_line
        self.message = message
        self.suggestion = suggestion

    def __str__(self) -> str:
        start = max(0, self.column - SHOWN_WIDTH // 2) if len(self.source_line) > SHOWN_WIDTH else 0
        shown = self.source_line[start : start + SHOWN_WIDTH]
        before = shown[: self.column - 1 - start]
        indent = "".join(character if character == "\t" else " " for character in before)
        lines = [f"{self.rulebook}:{self.line}:{self.column}: {self.message}", f"    {shown}", f"    {indent}^"]
        if self.suggestion:
            lines.append(f"    did you mean {self.suggestion}?")
        return "\n".join(lines)

    def problem(self) -> dict[str, object]:
        """Give the members of a problem document, with rulebook, line, column and suggestion for editors."""
        place: dict[str, object] = {"rulebook": self.rulebook, "line": self.line, "column": self.column}
        return super().problem() | place | {"source_line": self.source_line, "suggestion": self.suggestion}


class SourceText:
    """A rulebook's name and text, able to make an error that shows the line."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._lines = text.split("\n")

    def line(self, number: int) -> str:
        """Give a line by its number from 1, without its end; empty when there is none."""
        return self._lines[number - 1].rstrip("\r") if 1 <= number <= len(self._lines) else ""

    def error(self, place: Place, message: str, suggestion: str = "") -> RuleError:
        """Make the error for a place of this text."""
        return RuleError(self.name, place, self.line(place.line), message, suggestion)


class Problems(Exception):
    """Several rule errors of one text, in the order of the text; only the passes of this package see it."""

    def __init__(self, errors: list[RuleError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = sorted(errors, key=lambda error: (error.line, error.column))


def meant(name: str, known: Collection[str]) -> str:
    """Say in a remedy which known name is near, or which there are: `Did you mean total?`, `Known: price, total.`"""
    near = nearest(name, known)
    if near:
        return f"Did you mean '{near}'?" if " " in near else f"Did you mean {near}?"
    shown = ", ".join(list(known)[:MOST_NAMES])
    return f"Known: {shown}{', …' * (len(known) > MOST_NAMES)}." if known else "There is none."


def nearest(name: str, known: Iterable[str]) -> str:
    """Give the known name that is most like `name`, or nothing when none is near."""
    lowered = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)  # a float: likeness of names, no quantity
    return lowered[found[0]] if found else ""
