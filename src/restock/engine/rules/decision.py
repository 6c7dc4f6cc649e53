"""What rules decided: the answer of every engine, in a module of its own so that each engine can give it."""

from __future__ import annotations

from dataclasses import dataclass

from restock.engine.rules.ir import Value


@dataclass(frozen=True, slots=True)
class Decision:
    """What rules decided: outputs by name (numbers as plain decimals), the rules that fired in order, the facts used."""

    outputs: dict[str, Value]
    fired: tuple[str, ...]
    facts: dict[str, Value]
