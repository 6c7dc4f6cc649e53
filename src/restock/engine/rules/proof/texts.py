"""Texts as numbers for the solver: equal texts have equal codes, and codes past the known ones are texts nobody wrote."""

from __future__ import annotations

from typing import Final

OTHER: Final = "other-"
"""How a text that the rules never mention begins when a counterexample needs one."""


class Codes:
    """The texts of one or several programs, numbered from 0."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def code(self, text: str) -> int:
        """Give the number of a text, a new one the first time."""
        return self._codes.setdefault(text, len(self._codes))

    def known(self) -> dict[str, int]:
        """Give all texts so far with their numbers."""
        return dict(self._codes)

    def text(self, code: int) -> str:
        """Give the text of a number; an invented one where no text has it."""
        for text, known in self._codes.items():
            if known == code:
                return text
        invented = f"{OTHER}{code}"
        while invented in self._codes:
            invented += "-"
        return invented
