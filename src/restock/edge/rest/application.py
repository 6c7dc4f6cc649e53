"""The ASGI application: reads a request, finds its route, writes the answer. No middleware: each step is a line below."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter_ns
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from restock.core.clock import timestamp
from restock.core.errors import Refused, RestockError
from restock.core.text import MAX_NAME
from restock.edge.rest import probes, published
from restock.edge.rest.keys import Keys
from restock.edge.rest.manual import Manual
from restock.edge.rest.message import (
    Answer,
    Defect,
    Gone,
    Receive,
    Request,
    Scope,
    Send,
    WrongMethod,
    WrongType,
    idempotency_key,
    no_page,
    read_body,
    refusal,
    token,
)
from restock.edge.rest.meters import Meters, RouteMeter
from restock.edge.rest.routes import Route, Table, derived
from restock.edge.rest.served import Served
from restock.engine.database.replies import Replies
from restock.services import OPERATIONS

Access = Callable[[str, str, int, int, str], None]
"""Is told method, path, status, nanoseconds and request id of every answer."""

NOBODY_THERE = 499
"""Stands in the metrics for a caller who left before the request was complete."""

MAX_HOSTS = 64
"""Host headers that are remembered as right."""

_NO_PARAMETERS: Mapping[str, str] = {}


class Application:
    """REST over a running program."""

    def __init__(self, app: Served, access: Access | None = None) -> None:
        self.meters = Meters()
        self.condition = probes.Condition(app)
        self.routes = all_routes(app, self.meters, self.condition)
        self._access = access
        self._clock = app.clock
        self._table = Table(self.routes)
        self._keys = Keys(Replies(app.databases["decisions"], app.clock))
        self._direct = {
            (route.verb, route.path): (route, self.meters.route(route.verb, route.path), _NO_PARAMETERS)
            for route in self.routes
            if not route.parameters
        }
        self._unknown = self.meters.route("", "unknown")
        self._stem = app.ids.new()[-12:]
        self._numbered = 0
        self._hosts = {b""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        began = perf_counter_ns()
        self.meters.in_flight += 1
        head = read_head(scope["headers"])
        request_id = token(head.request_id) if head.request_id else ""
        if not request_id:
            self._numbered += 1
            request_id = f"{self._stem}-{self._numbered:x}"
        meter = self._unknown
        try:
            route, meter, parameters = self._direct.get((scope["method"], scope["path"])) or self._search(scope)
            answer = await self._act(route, parameters, scope, receive, head, request_id)
        except RestockError as error:
            answer = refusal(error, request_id)
        except Gone:
            answer = Answer(NOBODY_THERE, b"")
        except Exception as error:
            self._log(error, scope, request_id)
            defect = Defect("Something went wrong in Restock.", remedy=f"Report it with the request id {request_id}.")
            answer = refusal(defect, request_id)
        try:
            await self._send(scope, send, answer, request_id)
        finally:
            self.meters.in_flight -= 1
            took = perf_counter_ns() - began
            meter.observe(answer.status, took)
            if self._access is not None:
                self._access(scope["method"], scope["path"], answer.status, took, request_id)

    async def _act(
        self, route: Route, parameters: Mapping[str, str], scope: Scope, receive: Receive, head: Head, request_id: str
    ) -> Answer:
        """Read what the route needs and let it answer."""
        if head.host not in self._hosts or head.origin:
            self._check_source(head)
        key = body = b""
        if route.verb == "POST":
            if head.kind and head.kind[:16] != b"application/json" and not _is_json(head.kind):
                raise _wrong_type(head.kind)
            body = await read_body(receive, head.length)
            key = head.key
        request = Request(
            scope["method"],
            scope["path"],
            scope["query_string"],
            parameters,
            body,
            idempotency_key(key) if key else "",
            request_id,
        )
        return await (self._keys.answer(request, route.handler) if key else route.handler(request))

    def _check_source(self, head: Head) -> None:
        """Refuse what a page of another site makes a browser send here; nobody has to sign in on loopback."""
        if head.host and not _on_loopback(head.host):
            raise Refused(f"This is not {head.host[:100].decode('latin-1')}.", remedy="Ask for it by 127.0.0.1.")
        if len(self._hosts) < MAX_HOSTS:
            self._hosts.add(head.host)
        if head.origin and not _on_loopback(head.origin.rpartition(b"/")[2]):
            raise Refused("A page of another site may not ask this.", remedy="Ask from a program or a local page.")

    async def _send(self, scope: Scope, send: Send, answer: Answer, request_id: str) -> None:
        if answer.status == NOBODY_THERE:
            return
        body = answer.body
        headers = [
            (b"content-type", answer.kind),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode("ascii")),
        ]
        if answer.headers:
            headers.extend(answer.headers)
        if self.condition.draining:
            headers.append((b"connection", b"close"))
        if answer.status == 204:
            del headers[:2]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _search(self, scope: Scope) -> tuple[Route, RouteMeter, Mapping[str, str]]:
        """Find a route with parameters in its path, or say why there is none."""
        verb = scope["method"]
        raw = scope.get("raw_path") or scope["path"].encode()
        try:
            parts = [unquote(part, errors="strict") for part in raw.decode("ascii").split("/")]
        except UnicodeDecodeError:
            raise no_page(scope["path"]) from None
        found = self._table.find(scope["path"], parts)
        wanted = "GET" if verb == "HEAD" else verb
        for verbs, parameters in found:
            if wanted in verbs and all(len(value) <= MAX_NAME for value in parameters.values()):
                route = verbs[wanted]
                return route, self.meters.route(route.verb, route.path), parameters
        if not found:
            raise no_page(scope["path"])
        known = {each for verbs, _ in found for each in verbs}
        allow = ", ".join(sorted(known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())))
        if wanted in known:
            raise no_page(scope["path"])
        if verb != "OPTIONS":
            raise WrongMethod(f"{verb} is not possible here.", allow)
        return _options(allow), self._unknown, _NO_PARAMETERS

    def _log(self, error: Exception, scope: Scope, request_id: str) -> None:
        line = {
            "at": timestamp(self._clock.now()),
            "level": "error",
            "event": "request failed",
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"],
            "error": f"{type(error).__name__}: {error}",
            "trace": "".join(traceback.format_exception(error)),
        }
        sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
        sys.stderr.flush()


class Head(NamedTuple):
    """The headers that matter."""

    host: bytes
    length: int
    kind: bytes
    key: bytes
    request_id: bytes
    origin: bytes


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Pick the headers that matter; of one that comes twice the last."""
    found = dict(headers)
    get = found.get
    length = get(b"content-length", b"0")
    return Head(
        get(b"host", b""),
        int(length) if length.isdigit() else 0,
        get(b"content-type", b""),
        get(b"idempotency-key", b""),
        get(b"x-request-id", b""),
        get(b"origin", b""),
    )


def _on_loopback(place: bytes) -> bool:
    """Tell whether `host` or `host:port` names this machine by its loopback."""
    host = re.sub(rb":\d*$", b"", place).lower()
    return host in {b"localhost", b"[::1]"} or re.fullmatch(rb"127\.\d{1,3}\.\d{1,3}\.\d{1,3}", host) is not None


def all_routes(app: Served, meters: Meters, condition: probes.Condition) -> list[Route]:
    """Give every route: derived from the table of operations, published, probes, manual."""
    special = published.routes(app, meters.flow)
    taken = {(route.verb, route.path) for route in special}
    plain = [
        derived(operation, app.ports[operation.port])
        for operation in OPERATIONS.values()
        if (operation.verb, operation.path) not in taken
    ]
    routes = [*special, *plain, *probes.routes(app, condition, meters)]
    return [*routes, *Manual(routes).routes()]


def _options(allow: str) -> Route:
    async def handle(_request: Request) -> Answer:
        return Answer(204, b"", headers=((b"allow", allow.encode()),))

    return Route("server.options", "OPTIONS", "", "", probes.Nothing, None, handle)


def _is_json(kind: bytes) -> bool:
    media = kind.partition(b";")[0].strip().lower()
    return media == b"application/json" or (media.startswith(b"application/") and media.endswith(b"+json"))


def _wrong_type(kind: bytes) -> WrongType:
    shown = kind[:100].decode("latin-1")
    return WrongType(f"{shown} is not read here.", remedy="Send application/json.")
