"""Which font can write a text.

Helvetica, which every reader has, writes Western European text and costs nothing. Other Latin letters come from Vera, which
reportlab ships and which is then embedded. A letter that neither has is shown without its accent (ź as z) or as a question
mark (Chinese, Cyrillic): visible, and the exact text is in the JSON beside the PDF.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "Helvetica", "Helvetica-Bold"

UNKNOWN = "?"
"""What stands for a letter that no font has."""

_WIDE = {REGULAR: "Vera", BOLD: "VeraBd"}


@lru_cache(maxsize=4096)
def lettered(text: str, face: str) -> tuple[str, str]:
    """Give the text as it can be shown, and the font that shows it."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    if text.isascii():
        return text, face
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        font = _WIDE[face]
        known = _glyphs(font)
        return "".join(_nearest(letter, known) for letter in text), font
    return text, face


def _nearest(letter: str, known: frozenset[int]) -> str:
    base = letter if ord(letter) in known else unicodedata.normalize("NFKD", letter)[0]
    return base if ord(base) in known else UNKNOWN


@lru_cache
def _glyphs(font: str) -> frozenset[int]:
    """Load a font of reportlab; give the letters it has."""
    loaded = TTFont(font, f"{font}.ttf")
    pdfmetrics.registerFont(loaded)
    return frozenset(loaded.face.charToGlyph)
