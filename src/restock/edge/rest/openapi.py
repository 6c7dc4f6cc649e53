"""The OpenAPI 3.1 document, made from the routes: what is described is what is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from restock.core.frame import Frame
from restock.edge.rest.routes import Route, item_type
from restock.edge.rest.schemas import PROBLEM_REF, Json, Schemas

DESCRIPTION = """Restock turns customer orders into the right purchase orders by itself, and can say why.

Numbers are exact: they are written as plain decimals without exponent or trailing zeros, and read as JSON numbers or texts.
Lists answer `{"items": [...], "next": "..."}`: while `next` is not empty, give it as `after` (or `before`) to get on.
Queries about many things answer in columns: member i of every list belongs to row i.
Errors are problem documents (RFC 9457): `detail` says what happened, `field` to what, `remedy` what to do.
Every POST takes an `Idempotency-Key`: the same request with the same key gets the first reply again for 7 days."""

PROBLEM: Json = {
    "type": "object",
    "description": "What happened, to which field, and what to do.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "urn:restock:error: and the kind of error"},
        "title": {"type": "string", "description": "The kind of error in words"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened"},
        "field": {"type": "string", "description": "What is wrong, like orders[0].items[2].quantity"},
        "remedy": {"type": "string", "description": "What to do"},
        "position": {"type": "integer", "description": "The first wrong byte of broken JSON"},
        "instance": {"type": "string", "format": "uri", "description": "The request id, to find it in the log"},
    },
}

ERRORS: Mapping[int, str] = {
    400: "The text is not JSON",
    403: "Not allowed",
    404: "No such thing",
    409: "In another state, or the request with this key is being worked on",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "A field is wrong, or the key was used for another request",
    500: "A defect; the details are in the log",
    503: "Not now; try again after Retry-After seconds",
    507: "The disk is full; nothing was changed",
}
_OF_POST = (400, 403, 404, 409, 413, 415, 422, 500, 503, 507)
_OF_GET = (403, 404, 422, 500, 503)

_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 visible ASCII characters. The same request with the same key gets the first reply again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "example": "5f0c1c3e-9d1a-4c62-8c0e-1f6f0f5d2f11",
}


def document(routes: Sequence[Route], version: str) -> Json:
    """Give the whole document."""
    schemas = Schemas()
    schemas.named["Problem"] = PROBLEM
    paths: Json = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.verb.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Restock",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted({route.tag for route in routes})],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.named.items())),
            "parameters": {"IdempotencyKey": _KEY},
            "responses": {
                f"Problem{status}": {
                    "description": told,
                    "content": {"application/problem+json": {"schema": PROBLEM_REF}},
                }
                for status, told in ERRORS.items()
            },
        },
    }


def _operation(route: Route, schemas: Schemas) -> Json:
    shape = schemas.members(route.request, route.parameters, asked=True)
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 128}}
        for name in route.parameters
    ]
    made: Json = {
        "operationId": route.name.replace(".", "_"),
        "summary": route.summary,
        "description": shape.pop("description"),
        "tags": [route.tag],
    }
    if route.verb == "POST":
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if route.verb in {"POST", "PUT"}:
        content: Json = {"schema": shape}
        if route.examples:
            content["example"] = dict(route.examples)
        made["requestBody"] = {"required": bool(shape.get("required")), "content": {"application/json": content}}
    else:
        parameters += [_query(name, schema, shape) for name, schema in shape["properties"].items()]
    if parameters:
        made["parameters"] = parameters
    made["responses"] = {str(route.status): _answer(route, schemas)}
    for status in _OF_GET if route.verb == "GET" else _OF_POST:
        made["responses"][str(status)] = _refusal(route, schemas, status)
    if route.name in {"server.health", "server.readyz"}:
        made["responses"]["503"] = {**_answer(route, schemas), "description": "Not ready; it says why"}
    return made


def _refusal(route: Route, schemas: Schemas, status: int) -> Json:
    if route.refusal is None:
        return {"$ref": f"#/components/responses/Problem{status}"}
    content = {route.media: {"schema": schemas.of(route.refusal, asked=False)}}
    return {"description": ERRORS[status], "content": content}


def _query(name: str, schema: Json, shape: Json) -> Json:
    return {"name": name, "in": "query", "required": name in shape.get("required", ()), "schema": schema}


def _answer(route: Route, schemas: Schemas) -> Json:
    headers: Json = {"X-Request-Id": {"schema": {"type": "string"}, "description": "As given, or made here"}}
    if route.verb == "POST":
        headers["Idempotent-Replayed"] = {
            "schema": {"type": "string", "const": "true"},
            "description": "Present when this is the reply to an earlier request with the same key",
        }
    content = {route.media: {"schema": _reply(route, schemas)}}
    return {"description": route.summary, "headers": headers, "content": content}


def _reply(route: Route, schemas: Schemas) -> Json:
    if not route.is_list:
        if route.as_row:
            return schemas.row(cast("type[Frame]", route.reply))
        return schemas.of(route.reply, asked=False)
    kind = item_type(route)
    framed = isinstance(kind, type) and issubclass(kind, Frame)
    item = schemas.row(cast("type[Frame]", kind)) if framed else schemas.of(kind, asked=False)
    told = f"Give it as `{route.page.parameter}` for the next page; empty at the end." if route.page else "Empty."
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {"items": {"type": "array", "items": item}, "next": {"type": "string", "description": told}},
    }
