"""Ports of this process, answered over gRPC for neighbours: each call as the port has it, each error with all it knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import msgspec

from restock.core import deadline
from restock.core.clock import Clock
from restock.core.errors import InvalidInput, RestockError
from restock.edge.calls import answered
from restock.edge.grpc.calls import Call, calls_of, service_name
from restock.edge.grpc.columns import error_out
from restock.edge.grpc.failures import code_of, logged
from restock.edge.grpc.limits import DEFECT, ERROR_KEY
from restock.services import PORTS


def port_handlers(ports: Mapping[str, object], clock: Clock) -> tuple[Any, ...]:
    """Give the handlers for the ports of this process by their names."""
    return tuple(
        grpc.method_handlers_generic_handler(
            service_name(PORTS[name]),
            {
                call.path.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(
                    _answering(getattr(port, method), call, clock)
                )
                for method, call in calls_of(name, PORTS[name]).items()
            },
        )
        for name, port in ports.items()
    )


def _answering(act: Any, call: Call, clock: Clock) -> Any:
    async def answer(data: bytes, context: Any) -> bytes:
        with answered(call.path[1:], context.invocation_metadata() or ()) as told:
            try:
                with deadline.within(context.time_remaining()):
                    return call.answered(await act(**_arguments(call, data)))
            except RestockError as error:
                context.set_trailing_metadata(((ERROR_KEY, error_out(error)),))
                code, what = code_of(call.method, error), str(error)[:1000]
            except Exception as error:
                logged(call.path, error, clock)
                code, what = grpc.StatusCode.INTERNAL, DEFECT
            told.code = code.name
            await context.abort(code, what)
        raise AssertionError("abort raises")

    return answer


def _arguments(call: Call, data: bytes) -> dict[str, Any]:
    try:
        return call.arguments_of(data)
    except (msgspec.DecodeError, ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise InvalidInput(f"The request cannot be read: {type(error).__name__}: {error}.", field=call.method) from None
