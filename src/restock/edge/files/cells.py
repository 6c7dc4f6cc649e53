"""Cells of a CSV file that a spreadsheet will not run as a formula."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def safe(text: str) -> str:
    """Give the text with an apostrophe before it when a spreadsheet would take it for a formula; numbers stay.

    Text that looks as if it already had one gets another, so that `original` gives back every text exactly.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def original(cell: str) -> str:
    """Give the text of a cell that `safe` made."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
