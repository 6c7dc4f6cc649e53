"""MySQL and MariaDB: the databases on a server, with the promises that the embedded ones keep.

One process at a time writes to a database, as on SQLite: a group takes the lock of the table `turn` before its first
statement and lets it go with its commit. So what a unit has read is still true when it commits, and no store needs a word
about isolation. Groups make up for it: a hundred units share one turn and one flush.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, cast

from asyncmy.connection import Connection
from asyncmy.constants.CLIENT import FOUND_ROWS
from asyncmy.constants.FIELD_TYPE import NEWDECIMAL
from asyncmy.converters import conversions
from asyncmy.errors import MySQLError
from sqlalchemy.dialects.mysql import dialect as mysql_dialect

from restock.adapters.database.groups import GroupCommit, Outcome, Waiting, fail_all, tell_all
from restock.adapters.database.mysql_driver import Pipe, alive, asked, opened
from restock.adapters.database.mysql_errors import LOST, UNDONE, number_of, translated
from restock.adapters.database.mysql_place import Place
from restock.adapters.database.mysql_pool import Readers
from restock.core import failpoint as failpoints
from restock.core.errors import RestockError
from restock.core.failpoint import failpoint
from restock.engine.database.port import Parameters, Pool, Row
from restock.engine.database.statement import MAX_LIST, Statement

DIALECT = mysql_dialect(paramstyle="named")

STATEMENTS = 256
"""Statements that a connection keeps prepared."""

LOCK_WAIT_SECONDS = 30
"""How long a group waits for another process that writes: longer than any group, shorter than a person's patience."""

TOGETHER_BYTES = 256 << 10
"""Changes of several rows are sent together up to this size; each alone would wait for its own answer."""

_TAKE_TURN = "UPDATE turn SET writes = writes + 1 WHERE number = 1"
_WRITES = "SELECT writes FROM turn WHERE number = 1"

_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; "
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'; "
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}"
)
"""What is read is what is committed now; a value that does not fit is an error and never cut."""

Ask = Callable[[str, tuple[object, ...]], Awaitable[list[Row]]]
"""Gives the rows of a query."""

_BROKEN = (MySQLError, OSError, EOFError)

_CONVERSIONS = {**conversions, NEWDECIMAL: int}
"""Numbers are whole in every column; a server gives their sums as decimals."""


async def connected(place: Place, *, autocommit: bool = True) -> Connection:
    """Open a connection. Raises what the driver raises."""
    connection = await opened(
        host=place.host,
        port=place.port,
        user=place.user,
        password=place.secret(),
        db=place.database,
        charset="utf8mb4",
        autocommit=autocommit,
        client_flag=FOUND_ROWS,  # an update counts the rows it found, as on SQLite
        conv=_CONVERSIONS,
        stmt_cache_size=STATEMENTS,
        ssl=place.tls(),
    )
    try:
        await sent(connection, _SESSION)
    except BaseException:
        connection.close()
        raise
    return connection


async def ended(connection: Connection) -> None:
    """Take leave of the server; of one that is gone none is taken."""
    try:
        await connection.ensure_closed()
    except _BROKEN:
        connection.close()


class MySqlTransaction:
    """One unit's view, inside the transaction of its group."""

    def __init__(self, connection: Connection, pipe: Pipe, place: str) -> None:
        self._connection = connection
        self._pipe = pipe
        self._place = place

    async def read(self, statement: Statement, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query."""
        with self._translating():
            return await query(self._pipe.ask, statement, parameters or {})

    async def write(self, statement: Statement, parameters: Parameters | None = None) -> int:
        """Run one change; give the number of rows it touched."""
        touched = await self.write_many(statement, [parameters or {}])
        await self.settle()
        return touched

    async def write_many(self, statement: Statement, rows: Sequence[Parameters]) -> int:
        """Run one change once per row; rows of an INSERT are only sent, and what they raise is raised later."""
        if not rows:
            return 0
        if failpoints.armed:
            failpoint(f"{self._place}.statement")
        compiled = statement.compiled(DIALECT)
        values = [tuple(compiled.values(row)) for row in rows]
        is_insert = compiled.text.startswith("INSERT")
        with self._translating():
            if is_insert and await self._pipe.send(compiled.text, values):
                return len(values)
            await self._pipe.settle()
            async with self._connection.cursor() as cursor:
                if is_insert and not self._pipe.takes_rows:
                    await cursor.executemany(compiled.text, values)
                    return len(values)
                texts = [cursor.mogrify(compiled.text, one) for one in values]
                touched = sum([await _changed(cursor, part) for part in _together(texts)])
                return len(values) if is_insert else touched  # a row that is replaced counts twice there

    async def settle(self) -> None:
        """Wait for the answers to what was sent. Raises KeyTaken and the like for it."""
        with self._translating():
            await self._pipe.settle()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except MySQLError as error:
            if number_of(error) in LOST | UNDONE:
                raise
            raise translated(error, self._place) from error


class MySqlDatabase(GroupCommit):
    """One database of a server. Use it from one event loop."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(name)
        self.place = place
        self._writer: Connection | None = None
        self._readers = Readers(place.pool_size, lambda: connected(self.place))

    async def read(self, statement: Statement, parameters: Parameters | None = None) -> list[Row]:
        """Give all rows of a query over what is committed."""
        try:
            async with self._readers.lent() as connection:
                return await query(partial(asked, connection), statement, parameters or {})
        except _BROKEN as error:
            raise translated(error, self.place.database) from error

    async def changes(self) -> int:
        """Give a number that differs once somebody has committed."""
        try:
            async with self._readers.lent() as connection, connection.cursor() as cursor:
                await cursor.execute(_WRITES)
                return int((await cursor.fetchone())[0])
        except _BROKEN as error:
            raise translated(error, self.place.database) from error

    @property
    def pool(self) -> Pool:
        """How the connections that read stand."""
        return self._readers.state

    async def close(self) -> None:
        """Finish what waits and close the connections."""
        await self.finish()
        for connection in [*self._readers.taken(), *([self._writer] if self._writer else [])]:
            await ended(connection)
        await asyncio.sleep(0)  # transports that were closed let go of their sockets in the loop's next turn
        self._writer = None

    async def _run_group(self, group: list[Waiting]) -> None:
        try:
            connection = await self._usable_writer()
            outcomes = await self._run_units(connection, group)
            if all(problem is not None for _, (_, problem) in outcomes):
                await connection.rollback()
                return tell_all(outcomes)
            self._pass_failpoints(group, "before")
            await connection.commit()
        except BaseException as error:
            self._let_go()  # the server undoes what was not committed
            fail_all(group, translated(error, self.place.database))
            if isinstance(error, _BROKEN):
                return None
            raise
        self._pass_failpoints(group, "after")
        return self._committed(outcomes)

    async def _usable_writer(self) -> Connection:
        if self._writer is None or not alive(self._writer):
            self._let_go()
            self._writer = await connected(self.place, autocommit=False)
        return self._writer

    async def _run_units(self, connection: Connection, group: list[Waiting]) -> list[tuple[Waiting, Outcome]]:
        """Wait until no other process writes to this database, run the units.

        A unit that is alone does not wait for its turn to be told: it comes with the first answer, or is its failure.
        Raises what ends the whole group.
        """
        pipe = Pipe(connection)
        await pipe.post(_TAKE_TURN)
        if len(group) == 1:
            return [(group[0], await self._run_unit(connection, pipe, group[0]))]
        await pipe.settle()
        outcomes: list[tuple[Waiting, Outcome]] = []
        for waiting in group:
            await pipe.post("SAVEPOINT unit")
            outcome = await self._run_unit(connection, pipe, waiting)
            if outcome[1] is not None:
                await pipe.post("ROLLBACK TO unit")
                await pipe.settle()
            outcomes.append((waiting, outcome))
        return outcomes

    async def _run_unit(self, connection: Connection, pipe: Pipe, waiting: Waiting) -> Outcome:
        """Run a unit until everything that it sent is answered. Raises what ends the whole group."""
        transaction = MySqlTransaction(connection, pipe, self.place.database)
        try:
            result = await waiting.unit(transaction)
            await transaction.settle()
        except _BROKEN:
            raise
        except Exception as error:
            with suppress(RestockError):  # what it sent before it failed is undone with it
                await transaction.settle()
            return None, error
        return result, None

    def _let_go(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


async def sent(connection: Connection, text: str) -> None:
    """Run statements that give nothing, in one round trip. Raises what the driver raises for the first that fails."""
    async with connection.cursor() as cursor:
        await cursor.execute(text)
        while await cursor.nextset():
            pass


async def query(ask: Ask, statement: Statement, parameters: Mapping[str, object]) -> list[Row]:
    """Run a query, in slices when its list is long."""
    compiled = statement.compiled(DIALECT)
    if not compiled.list_name:
        return await ask(compiled.text, tuple(compiled.values(parameters)))
    rows: list[Row] = []
    listed = cast("Sequence[object]", parameters[compiled.list_name])
    for start in range(0, len(listed), MAX_LIST):
        part = {**parameters, compiled.list_name: listed[start : start + MAX_LIST]}
        text, values = statement.expanded(DIALECT, part)
        rows += await ask(text, tuple(values))
    return rows


async def _changed(cursor: Any, text: str) -> int:
    """Send changes together; give the rows they touched."""
    await cursor.execute(text)
    rows = int(cursor.rowcount)
    while await cursor.nextset():
        rows += int(cursor.rowcount)
    return rows


def _together(texts: Sequence[str]) -> list[str]:
    """Join statements up to a size."""
    parts: list[list[str]] = [[]]
    size = 0
    for text in texts:
        if size + len(text) > TOGETHER_BYTES and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(text)
        size += len(text)
    return ["; ".join(part) for part in parts]
