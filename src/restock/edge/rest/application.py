"""The application: finds the route of a request and gives its answer. No middleware: each step is a line below."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from time import perf_counter_ns
from urllib.parse import unquote

from restock.core import trace
from restock.core.errors import Refused, RestockError
from restock.core.text import MAX_NAME
from restock.edge.calls import Meter
from restock.edge.log import Log
from restock.edge.rest import ordering, probes, published, purchasing_services, registry, streamhouse
from restock.edge.rest.keys import Keys
from restock.edge.rest.live import Live
from restock.edge.rest.manual import Manual
from restock.edge.rest.message import (
    NO_PARAMETERS,
    Answer,
    Defect,
    Request,
    WrongMethod,
    WrongType,
    idempotency_key,
    no_page,
    refusal,
    token,
)
from restock.edge.rest.meters import Meters
from restock.edge.rest.observed import observed
from restock.edge.rest.routes import Route, Table, derived
from restock.edge.rest.served import Served
from restock.engine.database.replies import Replies
from restock.services import OPERATIONS

MAX_HOSTS = 64
"""Host headers that are remembered as right."""


class Application:
    """REST over a running program."""

    def __init__(
        self,
        app: Served,
        log: Log | None = None,
        service: str = "",
        condition: probes.Condition | None = None,
        trace_one_in: int = 0,
    ) -> None:
        """`service` is the one that is served alone: some paths are published with different answers by different ones.

        Of `trace_one_in` requests that bring no trace one begins a trace; 0 begins none.
        """
        self.meters = Meters()
        self.log = log or Log(app.clock)
        self.condition = condition or probes.Condition(app)
        self.routes = all_routes(app, self.meters, self.condition, service)
        self._sampling = trace.Sampling(trace_one_in)
        self._watches = trace_one_in > 0
        observed(app, self.meters, self.log)
        self._table = Table(self.routes)
        self._keys = Keys(Replies(app.replies, app.clock))
        self._direct = {
            (route.verb, route.path): (route, self.meters.route(route.verb, route.path), NO_PARAMETERS)
            for route in self.routes
            if not route.parameters
        }
        self._unknown = self.meters.route("", "unknown")
        self._stem = app.ids.new()[-12:]
        self._numbered = 0
        self._hosts = {b""}
        self.secure = False
        """Whether TLS is spoken: who is asked by which name is then proved by the certificate, not by the name alone."""

    async def answer(self, request: Request) -> Answer:
        """Answer one request, whatever happens."""
        began = perf_counter_ns()
        self.meters.in_flight += 1
        given = request.headers.get(b"x-request-id")
        request_id = token(given) if given else ""
        if not request_id:
            self._numbered += 1
            request_id = f"{self._stem}-{self._numbered:x}"
        request.request_id = request_id
        meter, traced = self._unknown, None
        if self._watches or b"traceparent" in request.headers:
            traced = _Traced(self._sampling, request)
        try:
            route, meter, request.parameters = self._direct.get((request.method, request.path)) or self._search(request)
            answer = await self._act(route, request)
        except RestockError as error:
            answer = refusal(error, request_id)
        except Exception as error:
            self._tell_defect(error, request)
            defect = Defect("Something went wrong in Restock.", remedy=f"Report it with the request id {request_id}.")
            answer = refusal(defect, request_id)
        finally:
            self.meters.in_flight -= 1
        took = perf_counter_ns() - began
        meter.observe(answer.status, took)
        trace_id = traced.end(request, answer.status) if traced is not None else ""
        if self.log.tells_requests:
            self.log.tell(
                "info",
                "request",
                method=request.method,
                path=request.path,
                status=answer.status,
                us=took // 1000,
                request_id=request_id,
                trace_id=trace_id,
                **(request.about or {}),
            )
        return answer

    async def _act(self, route: Route, request: Request) -> Answer:
        """Check what came with the request and let the route answer."""
        headers, request.route = request.headers, route.path
        if headers.get(b"host", b"") not in self._hosts or b"origin" in headers:
            self._check_source(headers.get(b"host", b""), headers.get(b"origin", b""))
        if route.verb == "POST":
            kind = headers.get(b"content-type")
            if kind and kind[:16] != b"application/json" and not _is_json(kind):
                raise _wrong_type(kind)
            key = headers.get(b"idempotency-key")
            if key is not None:
                request.key = idempotency_key(key)
                return await self._keys.answer(request, route.handler)
        return await route.handler(request)

    def _check_source(self, host: bytes, origin: bytes) -> None:
        """Refuse what a page of another site makes a browser send here; nobody has to sign in on loopback."""
        if host and not self.secure and not _on_loopback(host):
            raise Refused(f"This is not {host[:100].decode('latin-1')}.", remedy="Ask for it by 127.0.0.1.")
        if len(self._hosts) < MAX_HOSTS:
            self._hosts.add(host)
        site = origin.rpartition(b"/")[2]
        if origin and not (site == host if self.secure else _on_loopback(site)):
            raise Refused("A page of another site may not ask this.", remedy="Ask from a program or a local page.")

    def _search(self, request: Request) -> tuple[Route, Meter, Mapping[str, str]]:
        """Find a route with parameters in its path, or say why there is none."""
        verb, path = request.method, request.path
        try:
            parts = [unquote(part, errors="strict") for part in path.split("/")]
        except UnicodeDecodeError:
            raise no_page(path) from None
        request.path = path = "/".join(parts)
        found = self._table.find(path, parts)
        wanted = "GET" if verb == "HEAD" else verb
        for verbs, parameters in found:
            if wanted in verbs and all(len(value) <= MAX_NAME for value in parameters.values()):
                route = verbs[wanted]
                return route, self.meters.route(route.verb, route.path), parameters
        if not found:
            raise streamhouse.absent(path)
        known = {each for verbs, _ in found for each in verbs}
        allow = ", ".join(sorted(known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())))
        if wanted in known:
            raise no_page(path)
        if verb != "OPTIONS":
            raise WrongMethod(f"{verb} is not possible here.", allow)
        return _options(allow), self._unknown, NO_PARAMETERS

    def _tell_defect(self, error: Exception, request: Request) -> None:
        self.log.tell(
            "error",
            "request failed",
            request_id=request.request_id,
            trace_id=trace.id_of(trace.current()),
            method=request.method,
            path=request.path,
            error=f"{type(error).__name__}: {error}",
            trace="".join(traceback.format_exception(error)),
        )


class _Traced:
    """A request within a trace: from here to `end` it is the current one."""

    __slots__ = ("_began", "_own", "_parent", "_token")

    def __init__(self, sampling: trace.Sampling, request: Request) -> None:
        given = request.headers.get(b"traceparent", b"")
        self._began = perf_counter_ns()
        self._own, self._parent = sampling.of_request(given.decode("latin-1"))
        self._token = trace.enter(self._own)

    def end(self, request: Request, status: int) -> str:
        """Leave the trace, with a span; give its identifier."""
        trace.leave(self._token)
        if not trace.is_sampled(self._own):
            return trace.id_of(self._own)
        about = {
            "http.response.status_code": str(status),
            "url.path": request.path,
            "request_id": request.request_id,
            **(request.about or {}),
        }
        failed = str(status) if status >= 500 else ""
        name = f"{request.method} {request.route or 'unknown'}"
        trace.record(self._own, self._parent, name, self._began, about, kind="server", failed=failed)
        return trace.id_of(self._own)


def _on_loopback(place: bytes) -> bool:
    """Tell whether `host` or `host:port` names this machine by its loopback."""
    host = re.sub(rb":\d*$", b"", place).lower()
    return host in {b"localhost", b"[::1]"} or re.fullmatch(rb"127\.\d{1,3}\.\d{1,3}\.\d{1,3}", host) is not None


def all_routes(app: Served, meters: Meters, condition: probes.Condition, service: str = "") -> list[Route]:
    """Give every route: derived from the table of operations, published, registry, probes, manual."""
    special = [*published.routes(app), *ordering.routes(app), *purchasing_services.routes(app)]
    if service == ordering.SERVICE:
        special.append(ordering.health(app, condition))
    if service == streamhouse.SERVICE:
        special += streamhouse.probes(condition)
    taken = {(route.verb, route.path) for route in special}
    plain = [
        derived(operation, app.ports[operation.port])
        for operation in OPERATIONS.values()
        if (operation.verb, operation.path) not in taken
    ]
    common = [each for each in probes.routes(app, condition, meters, service) if (each.verb, each.path) not in taken]
    others = [Live(app, condition).route(), *registry.routes(app.registry), *streamhouse.routes(app)]
    routes = [*special, *plain, *others, *common]
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
