"""The gRPC server: plain text on loopback, health, reflection; it stops when what is inside is finished."""

from __future__ import annotations

import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any, NamedTuple

import grpc
import msgspec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from restock.core.clock import Clock, timestamp
from restock.core.errors import (
    Conflict,
    DeadlinePassed,
    InvalidInput,
    NotFound,
    Refused,
    RestockError,
    StorageFull,
    Unavailable,
)
from restock.edge.calls import answered
from restock.edge.grpc.messages import message, service
from restock.edge.grpc.streamhouse import NotHere
from restock.edge.rest.server import bound

MOST_BYTES = 16 << 20
"""Bytes of one request: a batch of records, each of which may have 1 MiB."""

GRACE_SECONDS = 10
"""How long calls that are inside may take to finish."""

CODES = (
    (DeadlinePassed, grpc.StatusCode.DEADLINE_EXCEEDED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (StorageFull, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Refused, grpc.StatusCode.PERMISSION_DENIED),
    (Conflict, grpc.StatusCode.FAILED_PRECONDITION),
    (NotHere, grpc.StatusCode.UNIMPLEMENTED),
)
"""Which kind of error has which status, the special before the general."""

Handler = Callable[[Any, Any], Awaitable[Any]]


def code_of(name: str, error: RestockError) -> grpc.StatusCode:
    """Give the published status of an error: a wrong partition is a wrong argument, a second topic exists already."""
    if isinstance(error, NotFound) and error.field == "partition":
        return grpc.StatusCode.INVALID_ARGUMENT
    if isinstance(error, Conflict) and name == "CreateTopic":
        return grpc.StatusCode.ALREADY_EXISTS
    return next((code for kind, code in CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


class Offer(NamedTuple):
    """A published service, by its full name, and who answers its calls: a method of that name for each."""

    name: str
    calls: object


@asynccontextmanager
async def serving(offers: Sequence[Offer], clock: Clock, host: str, port: int) -> AsyncIterator[str]:
    """Serve until the end of the block; give the address. Raises InvalidInput for the host, Unavailable for a busy port."""
    with closing(bound(host, port, "RESTOCK_GRPC_PORT")) as free:  # and the host is of this machine alone
        place, number = free.getsockname()[:2]
    address = f"[{place}]:{number}" if ":" in place else f"{place}:{number}"
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", MOST_BYTES), ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(each.name, _handlers(each, clock)) for each in offers)
    )
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = [each.name for each in offers]
    for name in ("", *names):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((*names, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise Unavailable(f"{address} cannot be used: {error}.", remedy="Set another RESTOCK_GRPC_PORT.") from error
    await server.start()
    try:
        yield address
    finally:
        await health.enter_graceful_shutdown()
        await server.stop(GRACE_SECONDS)


def _handlers(offer: Offer, clock: Clock) -> dict[str, Any]:
    made = {}
    for method in service(offer.name).methods:
        made[method.name] = grpc.unary_unary_rpc_method_handler(
            _acting(offer, method.name, clock),
            request_deserializer=message(method.input_type.full_name).FromString,
            response_serializer=message(method.output_type.full_name).SerializeToString,
        )
    return made


def _acting(offer: Offer, name: str, clock: Clock) -> Handler:
    call = getattr(offer.calls, name)

    method = f"{offer.name}/{name}"

    async def act(request: Any, context: Any) -> Any:
        with answered(method, context.invocation_metadata() or ()) as told:
            try:
                return await call(request)
            except RestockError as error:
                code, what = code_of(name, error), str(error)
            except Exception as error:
                _log(method, error, clock)
                code, what = grpc.StatusCode.INTERNAL, "Something went wrong in Restock; the details are in its log."
            told.code = code.name
            return await context.abort(code, what)

    return act


def _log(name: str, error: Exception, clock: Clock) -> None:
    line = {
        "at": timestamp(clock.now()),
        "level": "error",
        "event": "call failed",
        "method": name,
        "error": f"{type(error).__name__}: {error}",
        "trace": "".join(traceback.format_exception(error)),
    }
    sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
    sys.stderr.flush()
