"""What a store may ask of a database. SQLite keeps the promise today; MySQL and PostgreSQL are further adapters.

A *unit of work* is a coroutine function over a `Transaction`. The database gathers the units that wait, runs them in one
transaction and commits once (group commit): a commit costs a disk flush, so many units share it. A unit that raises is
undone alone; its neighbours go on. Nothing a unit wrote is visible or acknowledged before its commit returned.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from restock.core.errors import Conflict
from restock.engine.database.statement import Statement

Row = tuple[Any, ...]
"""What a driver returns; its types are those of the statement's columns, which only the store knows."""

Parameters = Mapping[str, object]

T = TypeVar("T")


class KeyTaken(Conflict):
    """A unique key is taken; the unit that tried was undone."""

    code = "key-taken"


class Transaction(Protocol):
    """Reads and writes inside one unit of work: it sees its own writes, and those of units before it in the group."""

    async def read(self, statement: Statement, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query."""
        ...

    async def write(self, statement: Statement, parameters: Parameters | None = None) -> int:
        """Run one change; give the number of rows it touched. Raises KeyTaken."""
        ...

    async def write_many(self, statement: Statement, rows: Sequence[Parameters]) -> int:
        """Run one change once per row; give the number of rows touched in all.

        Raises KeyTaken, now or from a later call, at the latest when the unit ends: only `write` tells the unit at once.
        """
        ...


class Pool(NamedTuple):
    """The connections of one database that read, as they are now; for metrics and for people who look."""

    size: int
    """How many there may be."""
    in_use: int
    """How many are lent."""
    idle: int
    """How many are open and wait to be used."""
    waiting: int
    """Callers that wait for one."""
    waits: int
    """How often a caller had to wait, so far."""
    wait_us: int
    """How long they waited in all, in microseconds."""


Unit = Callable[[Transaction], Awaitable[T]]


class Database(Protocol):
    """One database, owned by one context."""

    name: str
    on_commit: list[Callable[[], None]]
    """Called after each commit of this process: relays and dispatchers want to know that there may be work."""
    on_full: list[Callable[[], None]]
    """Called after a write was refused because the disk is full."""

    @property
    def pool(self) -> Pool | None:
        """How its connections stand; None where there are none to wait for."""
        ...

    async def read(self, statement: Statement, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query over what is committed."""
        ...

    async def write(self, name: str, unit: Unit[T]) -> T:
        """Run the unit in a transaction and return its result once it is durable.

        `name` names the durable write for failpoints and metrics. Raises what the unit raised, StorageFull when the
        disk is full, Unavailable when another process holds the write lock for too long.
        """
        ...

    async def changes(self) -> int:
        """Give a number that differs once somebody has committed; raises when the database does not answer."""
        ...

    async def close(self) -> None:
        """Finish what waits and let go of it."""
        ...


class Databases(Protocol):
    """The databases of one Restock, by name."""

    def __getitem__(self, name: str, /) -> Database:
        """Give one."""
        ...

    def __iter__(self) -> Iterator[Database]:
        """Walk all that are open."""
        ...

    async def close(self) -> None:
        """Finish what waits and let go of all of them."""
        ...
