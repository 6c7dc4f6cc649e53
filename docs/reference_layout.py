"""How a page of the reference is laid out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTE = "<!-- Written by docs/generate.py. Change the program, then `make docs`. -->\n"


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def code(text: object) -> str:
    """Set a word as code."""
    return f"`{text}`" if text not in ("", None) else ""


def page(title: str, about: str, *parts: str) -> str:
    """Put a page together."""
    return f"{NOTE}# {title}\n\n{about}\n\n" + "\n".join(part.strip("\n") + "\n" for part in parts)


def words(names: Iterable[str]) -> str:
    """Set a list of words as code."""
    return ", ".join(map(code, names))
