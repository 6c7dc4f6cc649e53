"""The dates of rules: date-effective and date-expires, in every form that the published language accepts.

A rule never asks a clock. The moment comes from the caller, or from a declared text input named today or now.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

FORMS: Final = "2026-01-31, 2026-01-31T09:00:00, 2026-01-31T09:00:00Z, 31-Jan-2026 or 31-01-2026"
"""What an error shows."""

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})\Z")
_GERMAN = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4})\Z")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2})?)?\Z")


def read_date(text: str) -> datetime | None:
    """Read a date or a moment; without a zone it is UTC, without a time it is midnight. None when it is neither."""
    try:
        if match := _NAMED.match(text):
            month = _MONTHS.index(match.group(2).lower()) + 1
            return datetime(int(match.group(3)), month, int(match.group(1)), tzinfo=UTC)
        if match := _GERMAN.match(text):
            return datetime(int(match.group(3)), int(match.group(2)), int(match.group(1)), tzinfo=UTC)
        if not _ISO.match(text):
            return None
        found = datetime.fromisoformat(text.upper().replace(" ", "T"))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
