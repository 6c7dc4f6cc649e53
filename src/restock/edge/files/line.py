"""One line of a file on its way in."""

from __future__ import annotations

from typing import NamedTuple

Row = dict[str, str]
"""Fields by name; what is empty or missing is the empty text."""


class Problem(NamedTuple):
    """Why a line is rejected: a short code that can be counted, the field, and a sentence."""

    reason: str
    field: str
    what: str


class Line(NamedTuple):
    """A record of a file: the number of its first line, its fields or the problem, and its text as it was."""

    number: int
    row: Row
    original: str
    problem: Problem | None = None
