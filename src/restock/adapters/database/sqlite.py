"""SQLite: the embedded database, fully durable (`synchronous=FULL`), shared by several processes.

Reads run inline: 5 microseconds block the event loop less than a thread hop costs. Writes run inline too, in groups; only
the commit, which waits for the disk, goes to a thread. So no statement ever contends for the interpreter lock, and the
loop serves others while the disk works.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from restock.adapters.database.committer import Committer
from restock.adapters.database.groups import GroupCommit, Outcome, Waiting, fail_all, tell_all
from restock.adapters.database.sqlite_errors import translated
from restock.core import failpoint as failpoints
from restock.core.errors import Unavailable
from restock.core.failpoint import failpoint
from restock.engine.database.port import Parameters, Row
from restock.engine.database.statement import MAX_LIST, Statement

T = TypeVar("T")

LOCK_WAIT_SECONDS = 30.0
"""How long to wait for another process that writes: longer than any group, shorter than a person's patience."""

LOCK_RETRY_SECONDS = 0.002
"""First pause when another process writes; a group takes about a millisecond. Doubles up to 50 ms."""

ROWS_AT_ONCE = 64
"""Rows that one INSERT takes: at a third less each than one by one, and few enough for the 32,766 variables of SQLite."""

MAPPED_BYTES = 128 << 20
"""Of a file, how much is read without a call and a copy per page: counting events in replay is a sixth quicker by it. It is
memory that the system may take back, so a large log must not be mapped whole."""

SETUP_WAIT_MS = 10_000
"""How long opening a file waits for another process that is making it."""

DIALECT = sqlite_dialect(paramstyle="named")


class SqliteTransaction:
    """One unit's view; never suspends, so a unit runs to its end inside the group."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    async def read(self, statement: Statement, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query."""
        return query(self._connection, statement, parameters or {})

    async def write(self, statement: Statement, parameters: Parameters | None = None) -> int:
        """Run one change; give the number of rows it touched."""
        if failpoints.armed:
            failpoint(f"{self._path.stem}.statement")
        compiled = statement.compiled(DIALECT)
        try:
            return self._connection.execute(compiled.text, compiled.values(parameters or {})).rowcount
        except sqlite3.IntegrityError as error:
            raise translated(error, self._path) from error

    async def write_many(self, statement: Statement, rows: Sequence[Parameters]) -> int:
        """Run one change once per row."""
        if not rows:
            return 0
        if failpoints.armed:
            failpoint(f"{self._path.stem}.statement")
        compiled = statement.compiled(DIALECT)
        start = touched = 0
        try:
            if len(rows) >= ROWS_AT_ONCE and (text := compiled.repeated(ROWS_AT_ONCE)):
                values = list(map(compiled.values, rows))
                for start in range(ROWS_AT_ONCE, len(rows) + 1, ROWS_AT_ONCE):
                    several = list(chain.from_iterable(values[start - ROWS_AT_ONCE : start]))
                    touched += self._connection.execute(text, several).rowcount
            return touched + self._connection.executemany(compiled.text, map(compiled.values, rows[start:])).rowcount
        except sqlite3.IntegrityError as error:
            raise translated(error, self._path) from error


class SqliteDatabase(GroupCommit):
    """One file. Open it with `connect`; use it from one event loop."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name)
        self.path = path
        self._committer = Committer(name)
        self._reader = connect(path)
        self._writer = connect(path)

    async def read(self, statement: Statement, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query over what is committed."""
        try:
            return query(self._writer if self._group is None else self._reader, statement, parameters or {})
        except sqlite3.Error as error:
            raise translated(error, self.path) from error

    async def changes(self) -> int:
        """Give a number that differs once another process has committed."""
        return cast("int", self._reader.execute("PRAGMA data_version").fetchone()[0])

    async def close(self) -> None:
        """Finish what waits and close the file."""
        await self.finish()
        self._committer.close()
        self._reader.close()
        self._writer.close()

    async def _run_group(self, group: list[Waiting]) -> None:
        try:
            await self._begin()
        except Unavailable as error:
            return fail_all(group, error)
        except sqlite3.Error as error:
            return fail_all(group, translated(error, self.path))
        outcomes = [(waiting, self._run_unit(waiting, alone=len(group) == 1)) for waiting in group]
        if not self._writer.in_transaction:  # a full disk made SQLite end it: nothing of the group is stored
            return fail_all(group, cast("Exception", outcomes[-1][1][1]))
        if all(problem is not None for _, (_, problem) in outcomes):
            self._writer.execute("ROLLBACK")
            return tell_all(outcomes)
        try:
            self._pass_failpoints(group, "before")
            await self._committer.commit(self._writer)
            self._pass_failpoints(group, "after")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return fail_all(group, translated(error, self.path))
        return self._committed(outcomes)

    def _run_unit(self, waiting: Waiting, *, alone: bool) -> Outcome:
        """Run one unit; undo it alone when it raises. One that is alone in its group needs no mark to go back to."""
        if not self._writer.in_transaction:  # a full disk makes SQLite end the transaction by itself
            return None, translated(sqlite3.OperationalError("database or disk is full"), self.path)
        execute = self._writer.execute
        if not alone:
            execute("SAVEPOINT unit")
        try:
            unit = waiting.unit(SqliteTransaction(self._writer, self.path))
            result = drive(cast("Coroutine[Any, Any, object]", unit))
        except BaseException as error:
            if self._writer.in_transaction and not alone:
                execute("ROLLBACK TO unit")
                execute("RELEASE unit")
            if isinstance(error, sqlite3.Error):
                problem: BaseException = translated(error, self.path)
                problem.__cause__ = error
                return None, problem
            if not isinstance(error, Exception):
                raise
            return None, error
        if not alone:
            execute("RELEASE unit")
        return result, None

    async def _begin(self) -> None:
        """Take the write lock; another process may hold it, so wait without blocking the loop."""
        pause, waited = LOCK_RETRY_SECONDS, 0.0
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                if waited >= LOCK_WAIT_SECONDS:
                    raise Unavailable(
                        f"Another process has been writing to {self.path.name} for {waited:.0f} s.",
                        remedy="Wait for it to end, or stop it, then try again.",
                    ) from error
                await asyncio.sleep(pause)
                waited += pause
                pause = min(pause * 2, 0.05)
            else:
                return


def connect(path: Path) -> sqlite3.Connection:
    """Open a file with the settings every Restock connection has. Raises StorageUnusable."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
        connection.execute(f"PRAGMA busy_timeout={SETUP_WAIT_MS}")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-32768")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA mmap_size={MAPPED_BYTES}")
        connection.execute("PRAGMA secure_delete=FAST")  # Debian's default writes zeros over each page that is freed
        connection.execute("PRAGMA busy_timeout=0")  # from here on waiting is done without blocking the loop
    except sqlite3.Error as error:
        raise translated(error, path) from error
    return connection


def query(connection: sqlite3.Connection, statement: Statement, parameters: Mapping[str, object]) -> list[Row]:
    """Run a query, in slices when its list is long."""
    compiled = statement.compiled(DIALECT)
    if not compiled.list_name:
        return connection.execute(compiled.text, compiled.values(parameters)).fetchall()
    listed = cast("Sequence[object]", parameters[compiled.list_name])
    rows: list[Row] = []
    for start in range(0, len(listed), MAX_LIST):
        part = {**parameters, compiled.list_name: listed[start : start + MAX_LIST]}
        text, values = statement.expanded(DIALECT, part)
        rows.extend(connection.execute(text, values).fetchall())
    return rows


def peek(path: Path, statement: Statement, parameters: Parameters) -> list[Row]:
    """Ask a file without opening the program."""
    try:
        with closing(connect(path)) as connection:
            return query(connection, statement, parameters)
    except sqlite3.DatabaseError as error:
        raise translated(error, path) from error


def drive(unit: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that awaits nothing but its transaction to its end."""
    try:
        unit.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    unit.close()
    raise RuntimeError("a unit of work may await nothing but its transaction")
