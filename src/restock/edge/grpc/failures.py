"""What goes wrong in a call: its published status, and a line in the log for what nobody foresaw."""

from __future__ import annotations

import sys
import traceback

import grpc
import msgspec

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
from restock.edge.grpc.streamhouse import NotHere

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


def code_of(name: str, error: RestockError) -> grpc.StatusCode:
    """Give the published status of an error: a wrong partition is a wrong argument, a second topic exists already."""
    if isinstance(error, NotFound) and error.field == "partition":
        return grpc.StatusCode.INVALID_ARGUMENT
    if isinstance(error, Conflict) and name == "CreateTopic":
        return grpc.StatusCode.ALREADY_EXISTS
    return next((code for kind, code in CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def logged(name: str, error: Exception, clock: Clock) -> None:
    """Write a line about what no caller is told."""
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
