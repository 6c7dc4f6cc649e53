"""A neighbour in another process: its port, answered over gRPC. Nobody who holds it can tell it from one that is here."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import grpc

from restock.core import deadline
from restock.core.errors import Refused, RestockError
from restock.core.metric import forget, gauge
from restock.edge.calls import asked
from restock.edge.grpc.calls import Call, calls_of
from restock.edge.grpc.columns import error_in
from restock.edge.grpc.guard import Away, Busy, Guard, Late
from restock.edge.grpc.limits import DEFECT, ERROR_KEY, MOST_BYTES
from restock.edge.tls import Identity, Pems

BREAKER, SHED = "restock_breaker_state", "restock_shed_total"

BREAKER_STATES = ("closed", "half-open", "open")
"""As the metric counts them: 0, 1, 2."""

LEAVE_SECONDS = 10
"""How long calls on a channel with former certificates may take to finish."""

OPTIONS = (
    ("grpc.max_send_message_length", MOST_BYTES),
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 100),  # a neighbour that was started again is found within a second
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.lb_policy_name", "round_robin"),  # of several replicas each is asked in turn, and one that ends no more
    ("grpc.enable_retries", 0),  # who may try again is said by flows and by callers, who know what is safe
)

_KINDS: dict[grpc.StatusCode, type[RestockError]] = {
    grpc.StatusCode.UNAVAILABLE: Away,
    grpc.StatusCode.DEADLINE_EXCEEDED: Late,
    grpc.StatusCode.CANCELLED: Away,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Busy,
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.UNIMPLEMENTED: Away,
}
"""What an answer means that is not from Restock itself but from what lies between."""


class Neighbour:
    """The channel to one service, made with the first call and kept, until other certificates are to be shown."""

    def __init__(self, service: str, address: str, identity: Identity | None = None) -> None:
        """With an `identity` certificates are shown and asked for, else plain text is spoken."""
        self.service = service
        self.address = address
        self.guard = Guard(service)
        gauge(BREAKER, lambda: BREAKER_STATES.index(self.guard.state), service)
        gauge(SHED, lambda: self.guard.refused, service)
        self._identity = identity
        self._shown: Pems | None = None
        self._channel: Any = None
        self._leaving: set[asyncio.Future[None]] = set()
        self._methods: dict[str, Any] = {}

    def ask(self, path: str) -> Any:
        """Give the method of that path on the channel."""
        shown = self._identity.pems if self._identity else None
        if self._channel is None or shown is not self._shown:
            self._connect(shown)
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path)
        return method

    def _connect(self, shown: Pems | None) -> None:
        """Make the channel; calls that are under way finish on the one before."""
        if self._channel is not None:
            leaving = asyncio.ensure_future(self._channel.close(LEAVE_SECONDS))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        self._shown, self._methods = shown, {}
        if shown is None:
            self._channel = grpc.aio.insecure_channel(self.address, options=OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(shown.authority, shown.key, shown.certificate)
            names = (("grpc.ssl_target_name_override", self.service),) if "," in self.address else ()
            self._channel = grpc.aio.secure_channel(self.address, credentials, options=(*OPTIONS, *names))

    def port(self, name: str, kind: type) -> Any:
        """Give the port of that name: an object with the methods of `kind`."""
        return type(
            f"Remote{kind.__name__}", (), {each: _asking(self, call) for each, call in calls_of(name, kind).items()}
        )()

    async def close(self) -> None:
        """Let go of the channel."""
        forget(BREAKER, self.service)
        forget(SHED, self.service)
        if self._channel is not None:
            await self._channel.close()
        await asyncio.gather(*self._leaving)


def _asking(neighbour: Neighbour, call: Call) -> Any:
    async def method(_self: object, *given: object, **named: object) -> Any:
        seconds = deadline.for_neighbour(call.seconds)
        with asked(call.path[1:], *given, *named.values()) as told, neighbour.guard.call():
            try:
                asking = neighbour.ask(call.path)(call.asked(given, named), timeout=seconds, metadata=told.headers)
                answer = await asking
            except grpc.aio.AioRpcError as error:
                told.code = error.code().name
                _raise(neighbour, call, error)
        return call.reply_of(answer)

    method.__name__ = call.method
    return method


def _raise(neighbour: Neighbour, call: Call, error: Any) -> NoReturn:
    """Raise what the neighbour raised, or say that it did not answer."""
    for key, value in error.trailing_metadata() or ():
        if key == ERROR_KEY:
            raise error_in(value) from None
    kind = _KINDS.get(error.code(), Away)  # what is no answer of Restock was lost or changed on the way
    place = f"The {neighbour.service} service at {neighbour.address}"
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == DEFECT:
        raise RuntimeError(f"{place} failed at {call.method}: {error.details()}") from None
    if kind is Late:
        raise Late(f"{place} did not answer in time.", remedy="Try again.") from None
    if kind is Away:
        raise Away(f"{place} does not answer.", remedy="Try again later.") from None
    if kind is Busy:
        raise Busy(f"{place} has too many calls inside.", remedy="Try again in a second.") from None
    raise kind(f"{place} refused {call.method}: {error.details()}.") from None
