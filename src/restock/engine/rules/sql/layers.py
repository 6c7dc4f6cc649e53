"""Named columns that need one another, laid out in layers, each of which needs only those below.

A definition stands in the lowest layer above all it uses, so a chain of fifteen rules becomes six or so layers instead of
fifteen. What nothing asked for needs is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from restock.engine.rules.sql.terms import NO_COLUMNS, Term

INDENT = "  "

MAX_HINT = 48
"""Characters of a name before its number: PostgreSQL cuts names at 63 without a word."""


class Layers:
    """Columns by name. `define` adds one; `select` writes the text."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        self._uses: dict[str, frozenset[str]] = {}
        self._depths: dict[str, int] = {}
        self._known: dict[str, str] = {}
        self._numbers: dict[str, int] = {}

    def source(self, hint: str, code: str) -> str:
        """Add a column of the lowest layer, read from the table itself."""
        return self._add(hint, code, NO_COLUMNS)

    def define(self, hint: str, term: Term) -> Term:
        """Give a term a column; the same text gets the same column."""
        name = self._known.get(term.code)
        if name is None:
            name = self._add(hint, term.code, term.uses)
            self._known[term.code] = name
        return replace(term, code=name, uses=frozenset((name,)), constant=None)

    def column(self, hint: str, term: Term) -> Term:
        """Give a term that can be repeated: itself, or a column."""
        return term if term.simple else self.define(hint, term)

    def _add(self, hint: str, code: str, uses: frozenset[str]) -> str:
        plain = re.sub(r"[^a-z0-9]+", "_", hint.lower()).strip("_")[:MAX_HINT] or "x"
        plain = (
            f"x_{plain}" if plain[0].isdigit() else plain
        )  # a name of other letters than these may leave digits only
        number = self._numbers[plain] = self._numbers.get(plain, 0) + 1
        name = f"{plain}_{number}"  # the number also keeps a field named order from being a word of SQL
        self._codes[name] = code
        self._uses[name] = uses
        self._depths[name] = 1 + max((self._depths[one] for one in uses), default=0)
        return name

    def select(self, table: str, wanted: Iterable[str]) -> list[tuple[str, str]]:
        """Write the layers that `wanted` columns need, lowest first, each with its name; the lowest reads the table."""
        needed: set[str] = set()
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += self._uses[name]
        layers: dict[int, list[str]] = {1: []}
        for name, code in self._codes.items():
            if name in needed:
                layers.setdefault(self._depths[name], []).append(f"{code} AS {name}")
        texts, below = [], table
        for depth in sorted(layers):
            columns = layers[depth] if depth == 1 else ["*", *layers[depth]]
            texts.append(
                (
                    f"layer_{depth}",
                    f"SELECT\n{INDENT}" + f",\n{INDENT}".join(columns or ["1 AS one"]) + f"\nFROM {below}",
                )
            )
            below = f"layer_{depth}"
        return texts
