"""Bells that wake readers when this process publishes; every adapter has a set of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from weakref import WeakSet


class Bell:
    """One reader's bell; fulfils `restock.engine.stream.port.Listener`."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the reader, or its next wait."""
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for the bell, at most `seconds`; tell whether it rang."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class Bells:
    """The bells of all readers, by topic; a reader that is gone takes its bell along."""

    def __init__(self) -> None:
        self._by_topic: defaultdict[str, WeakSet[Bell]] = defaultdict(WeakSet)

    def listen(self, topics: Iterable[str]) -> Bell:
        """Give a bell that rings when one of the topics does."""
        bell = Bell()
        for topic in topics:
            self._by_topic[topic].add(bell)
        return bell

    def ring(self, topics: Iterable[str]) -> None:
        """Wake the readers of some topics."""
        for topic in topics:
            if topic in self._by_topic:
                for bell in self._by_topic[topic]:
                    bell.ring()
