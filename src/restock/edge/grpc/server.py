"""The gRPC server: TLS on both sides, or plain text on loopback; health, reflection; it finishes what is inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any, NamedTuple

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from restock.core import deadline
from restock.core.clock import Clock
from restock.core.errors import RestockError, Unavailable
from restock.edge.calls import answered
from restock.edge.grpc.failures import code_of, logged
from restock.edge.grpc.limits import DEFECT, MOST_BYTES
from restock.edge.grpc.messages import message, service
from restock.edge.grpc.serving_ports import port_handlers
from restock.edge.rest.probes import Condition
from restock.edge.rest.server import bound
from restock.edge.tls import Identity

LIVE, READY = "live", "ready"
"""The names under which `grpc.health.v1` tells whether the process turns, and whether calls are welcome."""

LOOK_SECONDS = 1.0
"""How often it is looked whether calls are welcome."""

MOST_CALLS = 1024
"""Calls inside at once; one more is refused at once with RESOURCE_EXHAUSTED, so that those inside are finished in time."""

GRACE_SECONDS = 10
"""How long calls that are inside may take to finish."""

Handler = Callable[[Any, Any], Awaitable[Any]]


class Offer(NamedTuple):
    """A published service, by its full name, and who answers its calls: a method of that name for each."""

    name: str
    calls: object


class Served(NamedTuple):
    """What a process answers: published services, its ports for neighbours, and how it is."""

    offers: Sequence[Offer]
    clock: Clock
    ports: Mapping[str, object] = {}
    condition: Condition | None = None
    """Says whether calls are welcome; without it they always are."""
    identity: Identity | None = None
    """Whose certificates are shown and asked for; without it plain text is spoken, on loopback."""


@asynccontextmanager
async def serving(served: Served, host: str, *ports: int) -> AsyncIterator[str]:
    """Serve at every port until the end of the block; give the first address.

    Raises InvalidInput for the host, Unavailable for a busy port.
    """
    addresses = [_free(host, port, secure=served.identity is not None) for port in ports]
    server = grpc.aio.server(
        maximum_concurrent_rpcs=MOST_CALLS,
        options=[
            ("grpc.max_receive_message_length", MOST_BYTES),
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # neighbours ask every 20 s whether it is there
        ],
    )
    published = [
        grpc.method_handlers_generic_handler(each.name, _handlers(each, served.clock)) for each in served.offers
    ]
    server.add_generic_rpc_handlers((*published, *port_handlers(served.ports, served.clock)))
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = [each.name for each in served.offers]
    for name in ("", LIVE, READY, *names):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((*names, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
    for address in addresses:
        try:
            if served.identity is None:
                server.add_insecure_port(address)
            else:
                server.add_secure_port(address, _credentials(served.identity))
        except RuntimeError as error:
            raise Unavailable(f"{address} cannot be used: {error}.", remedy="Set another RESTOCK_GRPC_PORT.") from error
    await server.start()
    watching = asyncio.create_task(_watched(health, served.condition), name="health") if served.condition else None
    try:
        yield addresses[0]
    finally:
        if watching is not None:
            watching.cancel()
        await health.enter_graceful_shutdown()
        await server.stop(GRACE_SECONDS)


def _credentials(identity: Identity) -> Any:
    """Give what the server shows, and asks of whoever calls; the folder is looked at for each connection."""

    def now() -> Any:
        pems = identity.pems
        return grpc.ssl_server_certificate_configuration([(pems.key, pems.certificate)], pems.authority)

    return grpc.dynamic_ssl_server_credentials(now(), now, require_client_authentication=True)


def _free(host: str, port: int, *, secure: bool) -> str:
    """Give the address of a free port; the host must be of this machine alone unless TLS is spoken."""
    with closing(bound(host, port, "RESTOCK_GRPC_PORT", secure=secure)) as free:
        place, number = free.getsockname()[:2]
    return f"[{place}]:{number}" if ":" in place else f"{place}:{number}"


async def _watched(health: HealthServicer, condition: Condition) -> None:
    """Say whether calls are welcome, for ever; at once that they no longer are when the process leaves."""
    while not condition.draining:
        ready = health_pb2.HealthCheckResponse.NOT_SERVING
        if not await condition.problems():
            ready = health_pb2.HealthCheckResponse.SERVING
        await health.set(READY, ready)
        await condition.left(LOOK_SECONDS)
    for name in ("", READY):
        await health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)


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
    call, method = getattr(offer.calls, name), f"{offer.name}/{name}"

    async def act(request: Any, context: Any) -> Any:
        with answered(method, context.invocation_metadata() or ()) as told:
            try:
                with deadline.within(context.time_remaining()):
                    return await call(request)
            except RestockError as error:
                code, what = code_of(name, error), str(error)
            except Exception as error:
                logged(method, error, clock)
                code, what = grpc.StatusCode.INTERNAL, DEFECT
            told.code = code.name
            return await context.abort(code, what)

    return act
