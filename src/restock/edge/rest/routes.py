"""Routes from the table of operations: verb, path, where each field of the request comes from, how the reply is written."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast, get_args, get_origin, get_type_hints

from restock.core.errors import InvalidInput
from restock.core.frame import Frame
from restock.core.operation import Operation
from restock.edge import wire
from restock.edge.rest.message import Answer, Request

Handler = Callable[[Request], Awaitable[Answer]]
Call = Callable[[Any], Awaitable[object]]


@dataclass(frozen=True)
class Page:
    """How the next page of a list is asked for: the parameter, and the member of the last item that it takes."""

    parameter: str
    member: str


PAGES: Mapping[str, Page] = {
    "replenishment.proposals": Page("after", "product_id"),
    "replenishment.skips": Page("after", "product_id"),
    "replenishment.runs": Page("before", "run_id"),
    "purchasing.orders": Page("before", "po_id"),
    "inventory.catalogue": Page("after", "product_id"),
    "inventory.backorders": Page("after", "number"),
    "orders.orders": Page("after", "order_id"),
    "analytics.windows": Page("to", "start"),
}
"""The lists that come in pages."""


@dataclass(frozen=True)
class Route:
    """One verb at one path, with what the OpenAPI document tells of it."""

    name: str
    verb: str
    path: str
    summary: str
    request: type
    reply: object
    handler: Handler
    status: int = 200
    tag: str = ""
    examples: Mapping[str, object] = field(default_factory=dict)
    page: Page | None = None
    takes_key: bool = False
    """Whether the effect itself is kept once per idempotency key."""
    as_row: bool = False
    """Whether the answer is the one row of a frame."""
    media: str = "application/json"
    refusal: type | None = None
    """What an error looks like, where a published form is another than the problem document."""
    whole: bool = False
    """Whether a list is answered as a plain array, as an interface was published."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Give the names in the path, in order."""
        return path_parameters(self.path)

    @property
    def is_list(self) -> bool:
        """Tell whether the answer is {"items": [...], "next": "..."}."""
        published = self.whole or self.refusal is not None
        return (self.verb == "GET" and not self.as_row and not published) and (
            self.page is not None
            or get_origin(self.reply) is list
            or (isinstance(self.reply, type) and issubclass(self.reply, Frame))
        )


def path_parameters(path: str) -> tuple[str, ...]:
    """Give the names in braces."""
    return tuple(re.findall(r"{(\w+)}", path))


def derived(operation: Operation, port: object) -> Route:
    """Make the route of an operation."""
    call = cast("Call", getattr(port, operation.method))
    route = Route(
        operation.name,
        operation.verb,
        operation.path,
        operation.summary,
        operation.request,
        operation.reply,
        _unset,
        operation.status,
        operation.port,
        operation.examples,
        PAGES.get(operation.name),
        "idempotency_key" in {each.name for each in fields(operation.request)},
    )
    reading = from_body(route) if operation.verb == "POST" else from_query(route)
    writing = as_list if route.is_list else wire.encode
    status = operation.status

    async def handle(request: Request) -> Answer:
        asked = reading(request)
        return Answer(status, writing(await call(asked)))

    async def handle_page(request: Request) -> Answer:
        asked = reading(request)
        return Answer(status, list_page(route, asked, await call(asked)))

    return replace(route, handler=handle_page if route.page else handle)


async def _unset(request: Request) -> Answer:
    raise NotImplementedError(request.path)


Reading = Callable[[Request], Any]


def from_body(route: Route) -> Reading:
    """Read the request from a JSON object and the path."""
    reader = wire.Reader[Any](route.request, route.parameters)
    names, takes_key = route.parameters, route.takes_key

    def read(request: Request) -> Any:
        body = request.body
        if reader.optional and (not body or body.isspace()):
            body = b"{}"
        asked = reader.read(body, **{name: request.parameters[name] for name in names})
        return keyed(asked, request.key) if takes_key and request.key else asked

    return read


def keyed(asked: Any, key: str) -> Any:
    """Give the request with the key of the header. Raises InvalidInput when it has another one."""
    if asked.idempotency_key and asked.idempotency_key != key:
        raise InvalidInput(
            "differs from the header Idempotency-Key.", field="idempotency_key", remedy="Leave it out of the body."
        )
    return replace(asked, idempotency_key=key)


def from_query(route: Route) -> Reading:
    """Read the request from the query and the path."""
    reader = wire.Reader[Any](route.request, route.parameters)
    hints = get_type_hints(route.request)
    lists = frozenset(name for name, hint in hints.items() if get_origin(hint) is list)
    names = route.parameters

    def read(request: Request) -> Any:
        return reader.convert(request.given(lists), **{name: request.parameters[name] for name in names})

    return read


def as_list(reply: object) -> bytes:
    """Write a list that comes whole."""
    return wire.encode({"items": reply, "next": ""}, rows=True)


def list_page(route: Route, asked: Any, reply: Any) -> bytes:
    """Write a page, with what to give as `after` or `before` for the next one; empty at the end."""
    if hasattr(reply, "next"):
        return wire.encode({"items": getattr(reply, list_member(type(reply))), "next": reply.next})
    page = route.page
    assert page is not None
    following: object = ""
    if len(reply) >= asked.limit:
        last = getattr(reply, page.member)[-1] if isinstance(reply, Frame) else getattr(reply[-1], page.member)
        following = str(last)
    return wire.encode({"items": reply, "next": following}, rows=True)


def list_member(kind: type) -> str:
    """Give the member of a page that holds its items."""
    return next(each.name for each in fields(cast("Any", kind)) if each.name != "next")


def item_type(route: Route) -> object:
    """Give the type of one item of a list route."""
    reply = route.reply
    if get_origin(reply) is list:
        return get_args(reply)[0]
    if isinstance(reply, type) and issubclass(reply, Frame):
        return reply
    return get_args(get_type_hints(reply)[list_member(cast("type", reply))])[0]


class Table:
    """Finds the route of a request."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = sorted(routes, key=lambda route: (route.path, route.verb))
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: dict[int, list[tuple[list[str], dict[str, Route]]]] = {}
        for route in self.routes:
            if route.parameters:
                parts = route.path.split("/")
                known = self._patterns.setdefault(len(parts), [])
                shape = next((verbs for pattern, verbs in known if pattern == parts), None)
                if shape is None:
                    shape = {}
                    known.append((parts, shape))
                shape[route.verb] = route
            else:
                self._exact.setdefault(route.path, {})[route.verb] = route

    def find(self, path: str, parts: Sequence[str]) -> list[tuple[dict[str, Route], dict[str, str]]]:
        """Give the routes by verb of every path that matches, the literal one first, with the path's parameters."""
        found: list[tuple[dict[str, Route], dict[str, str]]] = []
        if path in self._exact:
            found.append((self._exact[path], {}))
        for pattern, verbs in self._patterns.get(len(parts), ()):
            values: dict[str, str] | None = {}
            for wanted, part in zip(pattern, parts, strict=True):
                if wanted[:1] == "{":
                    assert values is not None
                    values[wanted[1:-1]] = part
                elif wanted != part:
                    values = None
                    break
            if values is not None and all(values.values()):
                found.append((verbs, values))
        return found
