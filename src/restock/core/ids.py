"""Identifiers that are unique and sort by time (UUID version 7, RFC 9562), from the clock and a source of randomness.

With a simulated clock and a seeded source the same run gives the same identifiers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Protocol

from restock.core.clock import Clock


class RandomBits(Protocol):
    """A source of random bits."""

    def getrandbits(self, k: int, /) -> int:
        """Give an integer of k random bits."""
        ...


class Entropy:
    """Random bits of the operating system, fetched in blocks: a system call per identifier would cost more than it."""

    BLOCK = 4096

    def __init__(self) -> None:
        self._block = b""
        self._at = 0

    def getrandbits(self, k: int, /) -> int:
        """Give an integer of k random bits."""
        size = (k + 7) // 8
        if self._at + size > len(self._block):
            self._block, self._at = secrets.token_bytes(max(self.BLOCK, size)), 0
        self._at += size
        return int.from_bytes(self._block[self._at - size : self._at]) >> (size * 8 - k)


class Ids:
    """Makes identifiers. Two made by one `Ids` always sort in the order they were made."""

    def __init__(self, clock: Clock, source: RandomBits | None = None) -> None:
        self._clock = clock
        self._source: RandomBits = source or Entropy()
        self._last = 0

    @classmethod
    def seeded(cls, clock: Clock, seed: int) -> Ids:
        """Make a repeatable source: same clock, same seed, same identifiers."""
        return cls(clock, Random(seed))  # noqa: S311 - identifiers of a simulation, not secrets

    def new(self) -> str:
        """Give the next identifier: 48 bits of milliseconds, 12 bits of sequence, 62 random bits, as 36 characters."""
        return self.many(1)[0]

    def many(self, number: int) -> list[str]:
        """Give the next identifiers, with one look at the clock."""
        stamp = max(int(self._clock.now().timestamp() * 1000) << 12, self._last + 1)
        self._last = stamp + number - 1
        bits = self._source.getrandbits
        made = []
        for one in range(stamp, stamp + number):
            text = f"{(one >> 12) << 80 | 7 << 76 | (one & 0xFFF) << 64 | 2 << 62 | bits(62):032x}"
            made.append(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")
        return made

    def short(self, prefix: str) -> str:
        """Give an identifier as the published events write it: the prefix and 8 upper-case hexadecimal digits."""
        return f"{prefix}-{self._source.getrandbits(32):08X}"

    def shorts(self, prefix: str) -> Iterator[str]:
        """Give consecutive identifiers in the form of `short`, from a random first one: they lie together in an index."""
        for number in count(self._source.getrandbits(32)):
            yield f"{prefix}-{number & 0xFFFFFFFF:08X}"
