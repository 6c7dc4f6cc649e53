"""One request and one answer, as routes see them; and how an error is told to a caller."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import ClassVar
from urllib.parse import parse_qsl

from restock.core.errors import InvalidInput, NotFound, RestockError, Unavailable
from restock.edge import wire

MAX_BODY = 8 << 20
"""Bytes of a request body: some 50,000 products in one batch; files are imported with the command line."""

MAX_PARAMETERS = 100
"""Parameters in a query."""

JSON = b"application/json"
PROBLEM = b"application/problem+json"


class TooLarge(RestockError):
    """The body is larger than any request needs to be."""

    status, code = 413, "too-large"


class WrongType(RestockError):
    """The body is of a type that is not read."""

    status, code = 415, "unsupported-media-type"


class WrongMethod(RestockError):
    """The path exists, the method does not."""

    status, code = 405, "method-not-allowed"

    def __init__(self, what: str, allow: str) -> None:
        super().__init__(what, remedy=f"Use {allow}.")
        self.allow = allow


class Defect(RestockError):
    """Something went wrong that nobody foresaw. The details are in the log."""

    code = "internal-error"


NO_PARAMETERS: Mapping[str, str] = {}


@dataclass(slots=True)
class Request:
    """A request, whole. `path` is as it was sent; the application adds what it finds: parameters, key, request id."""

    method: str
    path: str
    query: bytes
    parameters: Mapping[str, str]
    body: bytes
    headers: Mapping[bytes, bytes]
    key: str = ""
    request_id: str = ""
    route: str = ""
    """The path of the route that answers, with the names of its parameters; empty where there is none."""
    about: Mapping[str, str] | None = None
    """What the log and the trace tell of it beside its path: order_id, po_id, run_id."""

    def given(self, lists: frozenset[str]) -> dict[str, object]:
        """Give the parameters of the query; those in `lists` may come several times."""
        if not self.query:
            return {}
        try:
            pairs = parse_qsl(
                self.query.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=MAX_PARAMETERS,
            )
        except ValueError:
            raise InvalidInput(
                "The query cannot be read.", field="query", remedy="Write it like ?name=value&other=value, in UTF-8."
            ) from None
        found: dict[str, object] = {}
        for name, value in pairs:
            if name in lists:
                found.setdefault(name, []).append(value)  # type: ignore[attr-defined]  # a list, made here
            elif name in found:
                raise InvalidInput("is given twice.", field=name, remedy="Give it once.")
            else:
                found[name] = value
        return found


@dataclass(slots=True)
class Answer:
    """An answer: status, body, and headers beside type, length and request id."""

    status: int
    body: bytes
    kind: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())
    parts: AsyncGenerator[bytes, None] | None = None
    """What follows the body, written part by part as the caller reads; the connection closes at its end."""

    OK: ClassVar[int] = 200


_VISIBLE = re.compile(rb"[\x21-\x7e]{1,255}")


def token(value: bytes) -> str:
    """Give a header's value when it is 1 to 255 visible ASCII characters, else nothing."""
    return value.decode("ascii") if _VISIBLE.fullmatch(value) else ""


def idempotency_key(value: bytes) -> str:
    """Read the header Idempotency-Key. Raises InvalidInput."""
    value = value.strip()
    if len(value) > 1 and value[:1] == value[-1:] == b'"':  # the draft standard writes it as a quoted string
        value = value[1:-1]
    key = token(value)
    if not key:
        raise InvalidInput(
            "is not 1 to 255 visible ASCII characters.", field="Idempotency-Key", remedy="Send a UUID, for example."
        )
    return key


def no_page(path: str) -> NotFound:
    """Say that there is nothing at a path."""
    return NotFound(f"There is nothing at {path[:200]}.", field="path", remedy="See /docs for what there is.")


def refusal(error: RestockError, request_id: str) -> Answer:
    """Tell an error as a problem document (RFC 9457)."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, Unavailable) or hasattr(error, "retry_after_s"):
        seconds = ceil(getattr(error, "retry_after_s", 1))
        headers = ((b"retry-after", str(max(1, seconds)).encode()),)
    elif isinstance(error, WrongMethod):
        headers = ((b"allow", error.allow.encode()),)
    members = {**error.problem(), "instance": f"urn:restock:request:{request_id}"}
    try:
        body = wire.encode(members)
    except UnicodeEncodeError:  # what was wrong is quoted, and was not Unicode
        body = json.dumps(members, default=str).encode()
    return Answer(error.status, body, PROBLEM, headers)
