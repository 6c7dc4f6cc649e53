"""uvicorn's HTTP protocol with a limit on the head of a request, our words for a broken one, and one send per answer."""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from restock.core.errors import InvalidInput, RestockError
from restock.edge import wire

MAX_HEAD = 128 << 10
"""Bytes of a request line and its headers: twice what browsers and proxies send at most."""


class BrokenRequest(InvalidInput):
    """The bytes are not an HTTP request."""

    status, code = 400, "broken-request"


class HeadTooLarge(RestockError):
    """The headers are larger than any request needs them to be."""

    status, code = 431, "head-too-large"


class OneSend:
    """Holds the head of an answer until its body comes, so that both leave in one system call."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._begun = False

    def write(self, data: bytes) -> None:
        """Hold the first bytes, send everything after."""
        if not self._begun:
            self._begun, self._head = True, data
            return
        head, self._head = self._head, None
        self._transport.write(data if head is None else head + data)

    def flush(self) -> None:
        """Send a head that had no body."""
        if self._head is not None:
            head, self._head = self._head, None
            self._transport.write(head)

    def close(self) -> None:
        """Send what is held, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


class RestProtocol(HttpToolsProtocol):
    """One connection."""

    _head = 0
    _in_body = False

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network."""
        if not self._in_body:
            self._head += len(data)
            if self._head > MAX_HEAD + len(data) and not self.transport.is_closing():
                self._refuse(HeadTooLarge(f"The head has more than {MAX_HEAD} bytes.", remedy="Send fewer headers."))
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._head, self._in_body = 0, True
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before and self.cycle is not None:
            self.cycle.transport = cast("asyncio.Transport", OneSend(self.transport))

    def on_response_complete(self) -> None:
        """End an answer."""
        sender = cast("object", self.cycle.transport) if self.cycle is not None else None
        if isinstance(sender, OneSend):
            sender.flush()
        super().on_response_complete()

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell that the bytes are not HTTP."""
        self._refuse(BrokenRequest("The bytes are not an HTTP request.", remedy="Speak HTTP/1.1."))

    def _refuse(self, error: RestockError) -> None:
        body = wire.encode(error.problem())
        reason = b"Bad Request" if error.status == 400 else b"Request Header Fields Too Large"
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s" % (error.status, reason, len(body), body)
        )
        self.transport.close()
