"""HTTP/1.1 on one connection: bytes in, whole requests to the door, answers out in their order, one write each.

The parser is httptools (llhttp). Between it and the application stands nothing: a request is small and read whole before it
is answered, so the generality of a server interface (messages, cycles, a timer per request) would cost more than the
request itself (decision 0019).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url

from restock.core.errors import InvalidInput, RestockError
from restock.edge import wire
from restock.edge.rest.application import Application
from restock.edge.rest.message import MAX_BODY, NO_PARAMETERS, PROBLEM, Answer, Request, TooLarge

MAX_HEAD = 128 << 10
"""Bytes of a request line and its headers: twice what browsers and proxies send at most."""

MAX_PIPELINED = 16
"""Requests of one connection that wait for their turn; past it nothing more is read until one is answered."""

LINGER_SECONDS = 10.0
"""How long what a refused caller still sends is taken and thrown away: closing at once would cut off the answer."""

STALLED_SECONDS = 60.0
"""How long a caller may leave a stream unread before it is given up; he comes back and gets the newest."""

_STATUS_LINES = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BrokenRequest(InvalidInput):
    """The bytes are not an HTTP request."""

    status, code = 400, "broken-request"


class HeadTooLarge(RestockError):
    """The headers are larger than any request needs them to be."""

    status, code = 431, "head-too-large"


class Door:
    """What the connections of one server share: who answers."""

    def __init__(self, application: Application) -> None:
        self.answer = application.answer
        self.condition = application.condition
        self.connections: set[Connection] = set()

    def close_idle(self, before: float) -> None:
        """Close connections on which nothing came since a moment of the loop's clock and nothing is being answered."""
        for each in list(self.connections):
            if each.idle and each.heard_at < before:
                each.close()


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._parser = HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # the answer before it is still owed
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._streaming = False
        self._refusal: RestockError | None = None
        self._writable: asyncio.Future[None] | None = None
        self._head_size = 0
        self._in_body = False
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self.transport: asyncio.Transport
        self.heard_at = self._loop.time()

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered."""
        return self._serving is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self._door.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; what is being answered goes on, as its effect may be under way."""
        self._door.connections.discard(self)
        self._waiting.clear()
        self.resume_writing()
        if self._streaming and self._serving is not None:
            self._serving.cancel()  # nobody reads it, and it has no effect

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network."""
        self.heard_at = self._loop.time()
        if self._refusal is not None:
            return
        if not self._in_body:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD + len(data):
                self._refuse(HeadTooLarge(f"The head has more than {MAX_HEAD} bytes.", remedy="Send fewer headers."))
                return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:  # the request was taken; this server speaks nothing but HTTP/1.1
            self._stop_reading()
        except HttpParserError:
            if self._refusal is None:
                self._refuse(BrokenRequest("The bytes are not an HTTP request.", remedy="Speak HTTP/1.1."))

    def pause_writing(self) -> None:
        """Wait with the next answer until the caller has read the last ones."""
        self._writable = self._writable or self._loop.create_future()

    def resume_writing(self) -> None:
        """Go on."""
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def finish(self) -> None:
        """Close once nothing is being answered; a stream ends with the part that is being written."""
        if self.idle:
            self.close()
        elif self._streaming and self._writable is not None:
            self.stop()  # whoever does not read the stream does not see its end either
        else:
            self._stop_reading()

    def close(self) -> None:
        """Close after what was written has left."""
        self.transport.close()

    def stop(self) -> None:
        """Give up what is being answered and close at once."""
        if self._serving is not None:
            self._serving.cancel()
        self.transport.abort()

    # What the parser calls, in this order.

    def on_message_begin(self) -> None:
        """Start a request."""
        self._url, self._headers, self._parts, self._size = b"", {}, [], 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; of one that comes twice the last counts."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Look at what was announced before it comes."""
        self._head_size, self._in_body = 0, True
        length = self._headers.get(b"content-length", b"0")
        if int(length) > MAX_BODY:  # the parser has seen to it that it is a number
            self._refuse(too_large())
        elif b"expect" in self._headers and self.idle and self._headers[b"expect"].lower() == b"100-continue":
            self.transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._size += len(body)
        if self._size <= MAX_BODY:
            self._parts.append(body)
        elif self._refusal is None:
            self._refuse(too_large())

    def on_message_complete(self) -> None:
        """Hand the request over, or let it wait for its turn."""
        self._in_body = False
        if self._refusal is not None:
            return
        parts = self._parts
        raw_path, query = _target(self._url)
        request = Request(
            self._parser.get_method().decode("ascii"),
            raw_path.decode("ascii"),
            query,
            NO_PARAMETERS,
            parts[0] if len(parts) == 1 else b"".join(parts),
            self._headers,
        )
        stays = self._parser.should_keep_alive() and not self._parser.should_upgrade()  # nothing can be read after that
        self._waiting.append((request, stays))
        if self._serving is None:
            self._serving = self._loop.create_task(self._serve())
        elif len(self._waiting) >= MAX_PIPELINED:
            self.transport.pause_reading()

    async def _serve(self) -> None:
        """Answer what waits, in order."""
        try:
            while self._waiting:
                if len(self._waiting) == MAX_PIPELINED and self._refusal is None:
                    self.transport.resume_reading()
                request, stays = self._waiting.popleft()
                answer = await self._door.answer(request)
                if self._writable is not None:
                    await self._writable
                stays = stays and answer.parts is None
                if not self._send(request, answer, stays):
                    self._waiting.clear()
                    if answer.parts is not None:
                        await self._stream(answer.parts, request.method)
                    return
        finally:
            self._serving = None
        if self._refusal is not None:
            self._refuse(self._refusal)

    def _send(self, request: Request, answer: Answer, stays: bool) -> bool:
        """Write an answer; say whether the connection stays open."""
        if self.transport.is_closing():
            return False
        stays = stays and not self._door.condition.draining
        body = answer.body
        head = [_STATUS_LINES[answer.status], b"x-request-id: ", request.request_id.encode("ascii"), b"\r\n"]
        if answer.status != 204:
            head += (b"content-type: ", answer.kind, b"\r\n")
            if answer.parts is None:
                head += (b"content-length: ", b"%d" % len(body), b"\r\n")
        for name, value in answer.headers:
            head += (name, b": ", value, b"\r\n")
        if not stays:
            head.append(b"connection: close\r\n")
        head.append(b"\r\n")
        if request.method != "HEAD":
            head.append(body)
        self.transport.write(b"".join(head))
        if not stays and answer.parts is None:
            self.transport.close()
        return stays

    async def _stream(self, parts: AsyncGenerator[bytes, None], method: str) -> None:
        """Write the parts as fast as the caller reads them: the next one is asked for when the last ones have left."""
        self._streaming = True
        try:
            async with aclosing(parts):  # an error ends the stream: the caller comes back, and is told then
                if method != "HEAD":
                    async for part in parts:
                        if self.transport.is_closing():
                            return
                        self.transport.write(part)
                        if self._writable is not None:
                            await self._read_on()
        except RestockError:
            return
        finally:
            self._streaming = False
            self.transport.close()

    async def _read_on(self) -> None:
        """Wait until the caller reads on; give up one who does not."""
        assert self._writable is not None
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                await asyncio.shield(self._writable)
        except TimeoutError:
            self.transport.abort()

    def _refuse(self, error: RestockError) -> None:
        """Tell that nothing more is read, after the answers that are owed, and close."""
        self._refusal = error
        if not self.idle or self.transport.is_closing():
            self._stop_reading()
            return
        body = wire.encode(error.problem())
        self.transport.write(
            b"%scontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (_STATUS_LINES[error.status], PROBLEM, len(body), body)
        )
        self.transport.write_eof()
        self.transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, self.transport.close)

    def _stop_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()


def _target(url: bytes) -> tuple[bytes, bytes]:
    """Split a request's target into path and query."""
    if url[:1] == b"/" and b"#" not in url:
        path, _, query = url.partition(b"?")
        return path, query
    parsed = parse_url(url)
    return parsed.path or b"/", parsed.query or b""


def too_large() -> TooLarge:
    """Say that a body is too large."""
    return TooLarge(
        f"The body has more than {MAX_BODY} bytes.", remedy="Send it in parts, or import a file with `restock import`."
    )
