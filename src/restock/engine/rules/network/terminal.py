"""The ends of the network: the matches of each rule, which of them must fire or be withdrawn, and what they write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from restock.engine.rules.ir import Field
from restock.engine.rules.network.nodes import Fact, Token


class Writing(NamedTuple):
    """One action: the slot of the fact that is set, the path, the value from the token and what was written before."""

    slot: int
    path: str
    value: Callable[[Token, list[Any]], Any]
    field: Field


class Terminal:
    """The matches of one rule. `dirty` are those that came, went or read something else since they were looked at."""

    def __init__(self, name: str, rank: int, writings: tuple[Writing, ...], watched: tuple[int, ...]) -> None:
        self.name = name
        self.rank = rank
        self.writings = writings
        self.watched = watched
        self.live: dict[Token, None] = {}
        self.fired: dict[Token, None] = {}
        self.dirty: dict[Token, None] = {}
        self.ready: Callable[[int], None] = lambda _rank: None

    def left(self, token: Token, sign: int) -> None:
        """Hear of a match."""
        if sign > 0:
            self.live[token] = None
        else:
            del self.live[token]
        for slot in self.watched:
            tokens = token[slot].tokens.setdefault(self.rank, {})
            if sign > 0:
                tokens[token] = None
            else:
                tokens.pop(token, None)
        if not self.dirty:
            self.ready(self.rank)
        self.dirty[token] = None

    def again(self, fact: Fact) -> None:
        """Look again at the matches of a fact of which the actions read something else now."""
        for token in fact.tokens.get(self.rank, ()):
            if not self.dirty:
                self.ready(self.rank)
            self.dirty[token] = None
