"""The application: finds the route of a request and gives its answer. No middleware: each step is a line below."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from urllib.parse import unquote

import msgspec

from restock.core.clock import timestamp
from restock.core.errors import Refused, RestockError
from restock.core.text import MAX_NAME
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
from restock.edge.rest.meters import Meters, RouteMeter
from restock.edge.rest.routes import Route, Table, derived
from restock.edge.rest.served import Served
from restock.engine.database.replies import Replies
from restock.services import OPERATIONS

Access = Callable[[str, str, int, int, str], None]
"""Is told method, path, status, nanoseconds and request id of every answer."""

MAX_HOSTS = 64
"""Host headers that are remembered as right."""


class Application:
    """REST over a running program."""

    def __init__(
        self, app: Served, access: Access | None = None, service: str = "", condition: probes.Condition | None = None
    ) -> None:
        """`service` is the one that is served alone: some paths are published with different answers by different ones."""
        self.meters = Meters()
        self.condition = condition or probes.Condition(app)
        self.routes = all_routes(app, self.meters, self.condition, service)
        self._access = access
        self._clock = app.clock
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
        meter = self._unknown
        try:
            route, meter, request.parameters = self._direct.get((request.method, request.path)) or self._search(request)
            answer = await self._act(route, request)
        except RestockError as error:
            answer = refusal(error, request_id)
        except Exception as error:
            self._log(error, request)
            defect = Defect("Something went wrong in Restock.", remedy=f"Report it with the request id {request_id}.")
            answer = refusal(defect, request_id)
        finally:
            self.meters.in_flight -= 1
        took = perf_counter_ns() - began
        meter.observe(answer.status, took)
        if self._access is not None:
            self._access(request.method, request.path, answer.status, took, request_id)
        return answer

    async def _act(self, route: Route, request: Request) -> Answer:
        """Check what came with the request and let the route answer."""
        headers = request.headers
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

    def _search(self, request: Request) -> tuple[Route, RouteMeter, Mapping[str, str]]:
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

    def _log(self, error: Exception, request: Request) -> None:
        line = {
            "at": timestamp(self._clock.now()),
            "level": "error",
            "event": "request failed",
            "request_id": request.request_id,
            "method": request.method,
            "path": request.path,
            "error": f"{type(error).__name__}: {error}",
            "trace": "".join(traceback.format_exception(error)),
        }
        sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
        sys.stderr.flush()


def _on_loopback(place: bytes) -> bool:
    """Tell whether `host` or `host:port` names this machine by its loopback."""
    host = re.sub(rb":\d*$", b"", place).lower()
    return host in {b"localhost", b"[::1]"} or re.fullmatch(rb"127\.\d{1,3}\.\d{1,3}\.\d{1,3}", host) is not None


def all_routes(app: Served, meters: Meters, condition: probes.Condition, service: str = "") -> list[Route]:
    """Give every route: derived from the table of operations, published, registry, probes, manual."""
    special = [*published.routes(app, meters.flow), *ordering.routes(app), *purchasing_services.routes(app)]
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
