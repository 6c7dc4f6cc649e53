"""Names that come from outside: products, suppliers, customers, units."""

from __future__ import annotations

import unicodedata

from restock.core.errors import InvalidInput

MAX_NAME = 128
"""Characters of a name; the columns that hold it are as wide."""


def name(value: object, field: str) -> str:
    """Read a name: text without control characters or surrounding space, 1 to `MAX_NAME` characters long."""
    if not isinstance(value, str):
        raise InvalidInput("is missing." if value is None else f"{value!r} is not text.", field=field)
    text = value.strip()
    if not text:
        raise InvalidInput("is empty.", field=field)
    if len(text) > MAX_NAME:
        raise InvalidInput(f"{text[:20]!r}… has more than {MAX_NAME} characters.", field=field)
    if not text.isprintable() and any(unicodedata.category(letter) == "Cc" for letter in text):
        raise InvalidInput(f"{text!r} holds a control character.", field=field)
    return text


def optional_name(value: object, field: str, default: str = "") -> str:
    """Read a name that may be missing or empty, which gives the default; line breaks and tabs become spaces."""
    text = " ".join(value.split()) if isinstance(value, str) else value
    return default if text is None or text == "" else name(text, field)
