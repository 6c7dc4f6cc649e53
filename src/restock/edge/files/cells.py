"""Cells of a CSV file that a spreadsheet will not run as a formula."""

from __future__ import annotations

import re

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def safe(text: str) -> str:
    """Give the text with an apostrophe before it when a spreadsheet would take it for a formula; numbers stay."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
