"""The manual: the OpenAPI document, and a page made from it that needs no script and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from html import escape
from typing import Any

import msgspec

from restock.edge.rest.message import Answer, Request
from restock.edge.rest.openapi import document
from restock.edge.rest.probes import VERSION, shown
from restock.edge.rest.routes import Route
from restock.edge.rest.schemas import Json

HTML = b"text/html; charset=utf-8"

_SAFE = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
)

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --get: #1b7f4b; --post: #1f5fbf }
@media (prefers-color-scheme: dark) { :root { --get: #5fd39a; --post: #8ab8ff } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem }
nav { display: flex; flex-wrap: wrap; gap: 0 1rem } a { color: inherit } summary { overflow-wrap: anywhere }
:focus-visible { outline: 3px solid var(--post); outline-offset: 2px }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; padding: 0 .8rem }
summary { cursor: pointer; padding: .5rem 0 } summary code { font-size: 1rem }
.get { color: var(--get) } .post { color: var(--post) } .verb { display: inline-block; width: 3.2rem; font-weight: 700 }
code, pre { font-family: ui-monospace, monospace; font-size: .9rem }
pre { background: var(--soft); padding: .6rem; overflow-x: auto; border-radius: .3rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .25rem .6rem .25rem 0;
border-bottom: 1px solid var(--line); vertical-align: top }
"""


class Manual:
    """The document and its page, made when somebody first asks."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [*routes, *self.routes()]

    @cached_property
    def document(self) -> Json:
        """The OpenAPI document."""
        return document(self._routes, VERSION)

    @cached_property
    def page(self) -> bytes:
        """The page."""
        return page(self.document).encode()

    def routes(self) -> list[Route]:
        """Give the routes of the manual."""

        async def openapi(_request: Request) -> Answer:
            return Answer(200, msgspec.json.encode(self.document))

        async def docs(_request: Request) -> Answer:
            return Answer(200, self.page, HTML, _SAFE)

        return [
            shown("openapi.json", "This document", dict[str, object], openapi),
            shown("docs", "This document as a page", str, docs, "text/html"),
        ]


def page(described: Json) -> str:
    """Give the page of a document."""
    info = described["info"]
    tags = [tag["name"] for tag in described["tags"]]
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in tags)
    sections = "".join(_section(described, tag) for tag in tags)
    schemas = "".join(
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>{_told(schema)}'
        f"{_table(schema)}</details>"
        for name, schema in described["components"]["schemas"].items()
    )
    paragraphs = "".join(f"<p>{_marked(line)}</p>" for line in info["description"].split("\n") if line)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Restock REST</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>Restock REST {escape(info['version'])}</h1>{paragraphs}"
        f'<nav aria-label="Groups">{links}<a href="#schemas">schemas</a>'
        f'<a href="/openapi.json">openapi.json</a></nav></header><main>{sections}'
        f'<section id="schemas"><h2>Schemas</h2>{schemas}</section></main></body></html>'
    )


def _section(described: Json, tag: str) -> str:
    operations = "".join(
        _operation(verb, path, operation)
        for path, verbs in described["paths"].items()
        for verb, operation in verbs.items()
        if tag in operation["tags"]
    )
    return f'<section id="{escape(tag)}"><h2>{escape(tag.capitalize())}</h2>{operations}</section>'


def _operation(verb: str, path: str, operation: Json) -> str:
    parts = [f"<p>{_marked(operation['description'])}</p>"]
    parameters = [each for each in operation.get("parameters", ()) if "$ref" not in each]
    if parameters:
        rows = ((each["name"], each["schema"], each["required"], each["in"]) for each in parameters)
        parts.append(f"<h4>Parameters</h4>{_rows(rows)}")
    if body := operation.get("requestBody"):
        content = body["content"]["application/json"]
        parts.append(f"<h4>Body</h4>{_table(content['schema'])}")
        if "example" in content:
            shown_example = msgspec.json.format(msgspec.json.encode(content["example"]), indent=2).decode()
            parts.append(f"<pre>{escape(shown_example)}</pre>")
    for status, response in operation["responses"].items():
        for media, content in response.get("content", {}).items():
            parts.append(f"<h4>{status} <code>{escape(media)}</code></h4>{_table(content['schema'])}")
    refused = [status for status, response in operation["responses"].items() if "$ref" in response]
    parts.append(
        f'<p>Refused with {", ".join(refused)} and a <a href="#schema-Problem">problem document</a>.</p>'
        * bool(refused)
    )
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="verb {verb}">{verb.upper()}</span>'
        f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary>{''.join(parts)}</details>"
    )


def _table(schema: Json) -> str:
    if "properties" not in schema:
        return f"<p>{_type(schema)}</p>"
    required = schema.get("required", ())
    return _rows((name, each, name in required, "") for name, each in schema["properties"].items())


def _rows(rows: Iterable[tuple[str, Json, bool, str]]) -> str:
    inside = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(schema)}{' ' + place if place else ''}</td>"
        f"<td>{'required' if required else _default(schema)}</td><td>{_marked(schema.get('description', ''))}</td></tr>"
        for name, schema, required, place in rows
    )
    return f"<table><tbody>{inside}</tbody></table>" if inside else "<p>Nothing.</p>"


def _default(schema: Json) -> str:
    if "default" not in schema:
        return ""
    return f"default <code>{escape(msgspec.json.encode(schema['default']).decode())}</code>"


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    kind: Any = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    if "enum" in schema:
        return escape(" | ".join(schema["enum"]))
    return escape(" or ".join(kind) if isinstance(kind, list) else kind)


def _told(schema: Json) -> str:
    return f"<p>{_marked(schema['description'])}</p>" if schema.get("description") else ""


def _marked(text: str) -> str:
    """Escape a text, and show what stands between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
