"""What we need of the driver beyond its public methods, in this file only; its version is locked.

Rows are sent to MariaDB without waiting for the answer: the server stores them while the program packs the next. An INSERT
of so many rows touches so many rows or fails, so its answer says nothing that must be known at once. It is read with the
next answer that is needed, and at the end of the unit at the latest. The server works in the order in which it is asked; a
failure is told late, and the unit is undone as if it had been told in time. What it does meanwhile is never committed by
itself: a connection that writes does not commit on its own, also not behind a transaction that the server gave up.

The driver prepares statements and packs rows (the command COM_STMT_BULK_EXECUTE, which MySQL lacks), but waits for each
answer, and forgets to announce the command where it asks for TLS.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, cast

from asyncmy.connection import Connection, MySQLResult
from asyncmy.constants.COMMAND import COM_QUERY, COM_STMT_EXECUTE
from asyncmy.constants.FIELD_TYPE import LONGLONG
from asyncmy.errors import MySQLError
from asyncmy.protocol import pack_binary_params, pack_bulk_rows

from restock.engine.database.port import Row

_result: Any = MySQLResult  # without types

LARGEST = (1 << 63) - 1
"""The largest number of a column."""

ROWS_AT_ONCE = 1_000
"""Rows in one message: more would be no cheaper, and the server begins while the next are packed."""

MESSAGE_BYTES = 1 << 20
"""A message of several rows is no larger than about this: a server takes 16 MiB unless it is told otherwise."""

MOST_UNDER_WAY = 16
"""Messages sent without an answer: what the server has not read yet fills our memory."""

_TLS_REQUEST_BYTES, _EXTENDED_AT = 32, 28
_CLIENT_MYSQL = 1
_BULK_OPERATIONS = 4

_BULK_EXECUTE = 0xFA
_SEND_TYPES = 128
_FIRST_ANSWER = 1


async def opened(**options: Any) -> Connection:
    """Connect. Raises what the driver raises.

    A server takes what a client can from the first packet, which is the request for TLS if there is one.
    """
    made: Any = Connection  # without types
    connection = made(**options)
    send = connection.write_packet

    def announcing(payload: bytes) -> None:
        if len(payload) == _TLS_REQUEST_BYTES and connection._mariadb_ext_caps & _BULK_OPERATIONS:
            (flags,) = struct.unpack_from("<I", payload)
            payload = struct.pack("<I", flags & ~_CLIENT_MYSQL) + payload[4:_EXTENDED_AT]
            payload += struct.pack("<I", _BULK_OPERATIONS)
        send(payload)

    connection.write_packet = announcing
    await connection.connect()
    del connection.write_packet
    return cast("Connection", connection)


class Pipe:
    """What one group of units sends on its connection, and the answers that are still under way."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Any = connection  # its types do not name what is used here
        self._under_way = 0

    @property
    def takes_rows(self) -> bool:
        """Whether the server takes packed rows."""
        return bool(self._connection._bulk_supported)

    async def post(self, text: str) -> None:
        """Send statements that give nothing."""
        await self._connection._execute_command(COM_QUERY, text)
        self._under_way += 1

    async def send(self, text: str, rows: Sequence[tuple[object, ...]]) -> bool:
        """Send the rows of an INSERT, or say that this server or these rows need another way; raises what was due before."""
        packed = _packed(rows, self._connection._encoding) if self.takes_rows else None
        if packed is None:
            return False
        statement = self._connection._stmt_cache.get(text)
        if statement is None:
            await self.settle()
            statement = await self._connection._acquire_cached_statement(text, len(rows[0]))
            if statement is None:
                return False
        for part in packed:
            if self._under_way >= MOST_UNDER_WAY:
                await self.settle()
            head = struct.pack("<IH", statement._statement_id, _SEND_TYPES)
            await self._connection._execute_command(_BULK_EXECUTE, head + part)
            self._under_way += 1
        return True

    async def ask(self, text: str, values: tuple[object, ...]) -> list[Row]:
        """Give the rows of a query, in one round trip with what is under way. Raises what that or the query raises."""
        connection = self._connection
        statement = connection._stmt_cache.get(text)
        if statement is None or not self._under_way:
            await self.settle()
            return await asked(connection, text, values)
        packed = pack_binary_params(values, connection._encoding) if values else b""
        await connection._execute_command(COM_STMT_EXECUTE, statement._execute_header + packed)
        problem = await self._answered()
        connection._next_seq_id = _FIRST_ANSWER
        try:
            result = _result(connection)
            await result.read_binary(statement)
        except MySQLError as error:
            problem = problem or error
        if problem is not None:
            raise problem
        return list(result.rows)

    async def settle(self) -> None:
        """Read every answer that is due. Raises what the driver raises for the first that failed."""
        problem = await self._answered()
        if problem is not None:
            raise problem

    async def _answered(self) -> MySQLError | None:
        problem: MySQLError | None = None
        while self._under_way:
            self._under_way -= 1
            self._connection._next_seq_id = _FIRST_ANSWER  # each command counts its packets anew
            more = True
            try:
                while more:  # of several statements that were posted together
                    result = _result(self._connection)
                    await result.read()
                    more = result.has_next
            except MySQLError as error:
                problem = problem or error
        return problem


async def asked(connection: Connection, text: str, values: tuple[object, ...]) -> list[Row]:
    """Give the rows of a query on a connection on which nothing is under way."""
    async with connection.cursor() as cursor:
        await cursor.execute(text, values)
        return list(await cursor.fetchall())


def alive(connection: Connection) -> bool:
    """Tell whether a connection can be used: the server has not ended it while nobody looked."""
    return connection.connected and not connection._stream_broken  # type: ignore[attr-defined]  # the driver tells it nowhere else


def _packed(rows: Sequence[tuple[Any, ...]], encoding: str) -> list[bytes] | None:
    """Give types and values as the server reads them, in messages; None where the driver cannot.

    That is a column without any value, or a number that no column holds: it would be packed as a negative one.
    """
    messages: list[bytes] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        try:
            packed = pack_bulk_rows(part, len(part[0]), encoding)
        except ValueError:
            return None
        if packed is None or _is_beyond(part, packed[0]):
            return None
        if len(packed[1]) > MESSAGE_BYTES and len(part) > 1:
            halves = [_packed(part[: len(part) // 2], encoding), _packed(part[len(part) // 2 :], encoding)]
            if None in halves:
                return None
            messages += [message for half in halves if half for message in half]
        else:
            messages.append(bytes(packed[0] + packed[1]))
    return messages


def _is_beyond(rows: Sequence[tuple[Any, ...]], types: bytes) -> bool:
    for place in [at for at, kind in enumerate(types[::2]) if kind == LONGLONG]:
        numbers = map(itemgetter(place), rows)
        try:
            most = max(numbers)
        except TypeError:  # some are NULL
            most = max(row[place] for row in rows if row[place] is not None)
        if most > LARGEST:
            return True
    return False
