"""Group commit, as every database here does it: the units that wait are run in one transaction, which is committed once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, NamedTuple, TypeVar

from restock.core import failpoint as failpoints
from restock.core import trace
from restock.core.errors import StorageFull
from restock.core.failpoint import failpoint
from restock.engine.database.port import Pool, Unit

T = TypeVar("T")

GROUP_LIMIT = 512
"""Units in one commit: the flush is shared well before that, and a group must not hold the lock for long."""


class Waiting(NamedTuple):
    """A unit that waits for its turn, and who is told what it gave."""

    name: str
    unit: Unit[Any]
    done: asyncio.Future[Any]


Outcome = tuple[object, BaseException | None]
"""What a unit gave, or why it was undone."""


class GroupCommit(ABC):
    """The queue of a database's writers. An adapter says how a group is run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._waiting: deque[Waiting] = deque()
        self._group: asyncio.Task[None] | None = None
        self.on_commit: list[Callable[[], None]] = []
        """Called after each commit: relays and dispatchers want to know that there may be work."""
        self.on_full: list[Callable[[], None]] = []
        """Called when a write was refused for want of room: the ballast is let go."""

    @property
    def pool(self) -> Pool | None:
        """How its connections stand; None where there are none to wait for."""
        return None

    async def write(self, name: str, unit: Unit[T]) -> T:
        """Run the unit with the others that wait, and return once it is durable."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(name, unit, done))
        if self._group is None:
            self._group = asyncio.create_task(self._run_groups(), name=f"group commit {self.name}")
        parent, began = trace.current(), perf_counter_ns()
        try:
            return await done
        except StorageFull:
            for tell in self.on_full:
                tell()
            raise
        finally:
            if parent:
                trace.record(trace.child(parent), parent, f"write {self.name}.{name}", began, {}, kind="client")

    async def finish(self) -> None:
        """Wait until nothing waits."""
        while self._group is not None:
            await asyncio.shield(self._group)

    async def _run_groups(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_LIMIT))]
                live = [waiting for waiting in group if not waiting.done.cancelled()]
                if live:
                    await self._run_group(live)
        finally:
            self._group = None

    @abstractmethod
    async def _run_group(self, group: list[Waiting]) -> None:
        """Run the units in one transaction and tell each its outcome; raises nothing that belongs to a unit."""

    def _committed(self, outcomes: Sequence[tuple[Waiting, Outcome]]) -> None:
        """Tell that there may be work, and each unit its outcome."""
        for tell in self.on_commit:
            tell()
        tell_all(outcomes)

    def _pass_failpoints(self, group: list[Waiting], side: str) -> None:
        if failpoints.armed:
            for waiting in group:
                failpoint(f"{self.name}.{waiting.name}.{side}")


def tell_all(outcomes: Sequence[tuple[Waiting, Outcome]]) -> None:
    """Tell each unit what it gave, or why it was undone."""
    for waiting, (result, problem) in outcomes:
        if waiting.done.cancelled():
            continue
        if problem is None:
            waiting.done.set_result(result)
        else:
            waiting.done.set_exception(problem)


def fail_all(group: Sequence[Waiting], error: Exception) -> None:
    """Tell each unit that nothing of the group is stored."""
    for waiting in group:
        if not waiting.done.cancelled():
            waiting.done.set_exception(error)
