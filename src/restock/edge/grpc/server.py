"""The gRPC server: plain text on loopback, health, reflection; it stops when what is inside is finished."""

from __future__ import annotations

import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

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
from restock.edge.grpc.messages import SERVICE, STREAMHOUSE, message
from restock.edge.grpc.producing import Producing
from restock.edge.grpc.streamhouse import NotHere, StreamHouse
from restock.edge.rest.server import bound
from restock.streams.port import Streams

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


@asynccontextmanager
async def serving(
    streams: Streams, clock: Clock, host: str, port: int, producing: Producing | None = None
) -> AsyncIterator[str]:
    """Serve until the end of the block; give the address. Raises InvalidInput for the host, Unavailable for a busy port.

    Without `producing` the calls of producers with epochs are refused.
    """
    with closing(bound(host, port, "RESTOCK_GRPC_PORT")) as free:  # and the host is of this machine alone
        place, number = free.getsockname()[:2]
    address = f"[{place}]:{number}" if ":" in place else f"{place}:{number}"
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", MOST_BYTES), ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, _handlers(StreamHouse(streams, clock, producing), clock)),)
    )
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for name in ("", SERVICE):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((SERVICE, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
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


def _handlers(calls: StreamHouse, clock: Clock) -> dict[str, Any]:
    made = {}
    for method in STREAMHOUSE.methods:
        act = _acting(method.name, calls, clock)
        made[method.name] = grpc.unary_unary_rpc_method_handler(
            act,
            request_deserializer=message(method.input_type.name).FromString,
            response_serializer=message(method.output_type.name).SerializeToString,
        )
    return made


def _acting(name: str, calls: StreamHouse, clock: Clock) -> Handler:
    call = getattr(calls, name)

    async def act(request: Any, context: Any) -> Any:
        try:
            return await call(request)
        except RestockError as error:
            await context.abort(code_of(name, error), str(error))
        except Exception as error:
            _log(name, error, clock)
            await context.abort(
                grpc.StatusCode.INTERNAL, "Something went wrong in Restock; the details are in its log."
            )

    return act


def _log(name: str, error: Exception, clock: Clock) -> None:
    line = {
        "at": timestamp(clock.now()),
        "level": "error",
        "event": "call failed",
        "method": f"{SERVICE}/{name}",
        "error": f"{type(error).__name__}: {error}",
        "trace": "".join(traceback.format_exception(error)),
    }
    sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
    sys.stderr.flush()
