"""What each SQL engine needs to be told: width of numbers, exact comparison of texts, how layers are kept apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


def _as_it_is(code: str) -> str:
    return code


def _bytes(code: str) -> str:
    return f"CAST({code} AS BLOB)"


@dataclass(frozen=True, slots=True)
class Target:
    """A SQL engine. `exact` makes texts compare byte for byte; `lacks` names functions of the rules it cannot express.

    `decimals` says whether it has exact decimals; where not, inputs and outputs are scaled whole numbers only.
    """

    name: str
    huge: bool = False
    exact: Callable[[str], str] = _as_it_is
    lacks: frozenset[str] = frozenset()
    decimals: bool = True


TARGETS: Final = {
    "duckdb": Target("duckdb", huge=True),
    "spark": Target("spark"),
    "mysql": Target("mysql", exact=_bytes, lacks=frozenset({"trim"})),
    "postgres": Target("postgres"),
    "sqlite": Target("sqlite", decimals=False),
}
"""By the name of the dialect. MySQL ignores case unless told, and its TRIM takes one text, not a set of characters."""
