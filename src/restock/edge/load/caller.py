"""One connection to a running server: a request, its answer, the next. Small: it shares the machine with the server."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec
from httptools import HttpParserError, HttpResponseParser

from restock.core.errors import InvalidInput, Unavailable

ANSWER_SECONDS = 60
"""How long an answer may take: twice what a server gives a request while it stops."""

exact = msgspec.json.Decoder(float_hook=Decimal).decode
"""Reads the JSON of an answer without losing a digit."""


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: bytes


class Caller(asyncio.Protocol):
    """A connection; it is made with the first request, and again after the server closed it."""

    def __init__(self, url: str) -> None:
        """Raises InvalidInput for anything but http://host:port."""
        where = urlsplit(url)
        try:
            self._host, self._port = where.hostname or "", where.port or 80
        except ValueError:
            self._host = ""
        if where.scheme != "http" or not self._host or where.path.strip("/"):
            raise InvalidInput(f"{url!r} is not the address of a server.", field="url", remedy="http://127.0.0.1:3001")
        self._url = url
        self._head = f"host: {self._host}\r\ncontent-type: application/json\r\n".encode()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Reply] | None = None
        self._parser: Any = None
        self._parts: list[bytes] = []

    async def ask(self, verb: str, path: str, body: bytes = b"", key: str = "") -> Reply:
        """Send a request and give its answer. Raises Unavailable when there is none: whether it had an effect is unknown."""
        transport = self._transport or await self._connect()
        self._answer = asyncio.get_running_loop().create_future()
        head = f"{verb} {path} HTTP/1.1\r\ncontent-length: {len(body)}\r\n"
        if key:
            head += f"idempotency-key: {key}\r\n"
        transport.write(head.encode() + self._head + b"\r\n" + body)
        try:
            return await asyncio.wait_for(self._answer, ANSWER_SECONDS)
        except TimeoutError:
            self.close()
            raise self._gone(f"did not answer within {ANSWER_SECONDS} s") from None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def _connect(self) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(lambda: self, self._host, self._port)
        except OSError as error:
            raise self._gone(f"cannot be reached: {error.strerror or error}") from None
        self._transport = transport
        return transport

    def _gone(self, what: str) -> Unavailable:
        return Unavailable(f"{self._url} {what}.", field="url", remedy="Start a server with `restock pipeline start`.")

    # What the event loop and the parser call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._parser = HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self.close()
            self._fail(f"does not speak HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the server left."""
        self._transport = None
        self._fail("went away")

    def on_message_begin(self) -> None:
        """Start an answer."""
        self._parts = []

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """Give the answer to who waits for it."""
        answer, self._answer = self._answer, None
        if not self._parser.should_keep_alive():
            self.close()
        if answer is not None and not answer.done():
            answer.set_result(Reply(self._parser.get_status_code(), b"".join(self._parts)))

    def _fail(self, what: str) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(self._gone(what))
