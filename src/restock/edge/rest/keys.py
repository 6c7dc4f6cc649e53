"""The header Idempotency-Key: the same request with the same key gets the first reply again."""

from __future__ import annotations

import hashlib

import msgspec

from restock.core.errors import Conflict, InvalidInput
from restock.edge.rest.message import JSON, Answer, Request
from restock.edge.rest.routes import Handler
from restock.engine.database.replies import Replies, Reply

PRINCIPAL = "local"
"""Who asks. On loopback everybody is the user of this machine."""

REPLAYED = ((b"idempotent-replayed", b"true"),)

_sorted = msgspec.json.Encoder(order="sorted").encode
_any = msgspec.json.Decoder(float_hook=str).decode


class InProgress(Conflict):
    """The first request with this key has not been answered yet."""

    code = "in-progress"
    retry_after_s = 1


class Keys:
    """Answers each key once. Only successful answers are kept: what failed may be tried again with the same key."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._running: dict[str, str] = {}

    async def answer(self, request: Request, handler: Handler) -> Answer:
        """Answer a request that carries a key. Raises InProgress, and InvalidInput when the key was used otherwise."""
        key, mark = request.key, fingerprint(request)
        if key in self._running:
            _same(key, self._running[key], mark)
            raise InProgress(
                f"The request with the idempotency key {key!r} is being worked on.",
                field="Idempotency-Key",
                remedy="Send it again in a second to get its reply.",
            )
        self._running[key] = mark
        try:
            known = await self._replies.find(PRINCIPAL, key)
            if known is not None:
                _same(key, known.fingerprint, mark)
                return Answer(known.status, known.body.encode(), JSON, REPLAYED)
            answer = await handler(request)
            if 200 <= answer.status < 300:
                operation = f"{request.method} {request.path}"[:255]
                await self._replies.keep(PRINCIPAL, key, operation, Reply(mark, answer.status, answer.body.decode()))
            return answer
        finally:
            del self._running[key]


def fingerprint(request: Request) -> str:
    """Give a hash of what was asked: the same for the same JSON, however it is spaced and its members are ordered."""
    try:
        body = _sorted(_any(request.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = request.body
    head = f"{request.method} {request.path}?".encode() + request.query + b"\n"
    return hashlib.sha256(head + body).hexdigest()


def _same(key: str, first: str, mark: str) -> None:
    if first != mark:
        raise InvalidInput(
            f"The idempotency key {key!r} was used for another request.",
            field="Idempotency-Key",
            remedy="Send the same request again, or choose a new key.",
        )
