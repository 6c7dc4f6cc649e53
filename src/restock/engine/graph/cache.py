"""Answers of operations that are kept for a while: to spare a call, or to stand in while their operation is away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from restock.core.clock import NS_PER_S
from restock.engine.graph.model import CacheRule

CACHED_ENTRIES = 10_000
"""Answers kept by one executor; at 1 KB each 10 MB. The least recently used goes first."""


class _Entry(NamedTuple):
    at: int
    fresh_until: int
    kept_until: int
    value: object


class Cache:
    """Answers by operation and inputs, each with its times, bounded by use."""

    def __init__(self, monotonic: Callable[[], int], limit: int = CACHED_ENTRIES) -> None:
        self._now = monotonic
        self._limit = limit
        self._entries: OrderedDict[object, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: object) -> tuple[object] | None:
        """Give the answer in a one-element tuple, or None when there is none that still lives."""
        entry = self._entry(key)
        if entry is None or entry.fresh_until <= self._now():
            return None
        self._entries.move_to_end(key)
        return (entry.value,)

    def stand_in(self, key: object) -> tuple[object, float] | None:
        """Give an answer that may stand in, and its age in seconds; None when there is none."""
        entry = self._entry(key)
        return None if entry is None else (entry.value, (self._now() - entry.at) / NS_PER_S)

    def put(self, key: object, value: object, rule: CacheRule) -> None:
        """Keep an answer as long as the rule says."""
        now = self._now()
        fresh_until = now + int(rule.ttl_s * NS_PER_S)
        self._entries[key] = _Entry(now, fresh_until, fresh_until + int(rule.stale_s * NS_PER_S), value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def forget(self, wanted: Callable[[object], bool]) -> int:
        """Forget the answers whose keys are wanted; give their number."""
        gone = [key for key in self._entries if wanted(key)]
        for key in gone:
            del self._entries[key]
        return len(gone)

    def _entry(self, key: object) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.kept_until <= self._now():
            del self._entries[key]
            return None
        return entry


def frozen(value: object) -> object:
    """Give a hashable stand-in that is equal exactly when the values are equal and of like kind."""
    if isinstance(value, Mapping):
        return ("map", tuple(sorted((str(name), frozen(member)) for name, member in value.items())))
    if isinstance(value, list | tuple):
        return ("list", tuple(frozen(member) for member in value))
    if isinstance(value, bool) or value is None:
        return ("word", str(value))
    if isinstance(value, int | Decimal | float):
        return ("number", value)
    return (type(value).__name__, value) if isinstance(value, str | bytes) else ("text", repr(value))
