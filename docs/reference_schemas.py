"""The page of the reference about schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, cast

from reference_layout import code, page, table, words

from restock.edge.rest import registry as registry_routes
from restock.engine.stream import framing
from restock.engine.stream.registry import Registry, RegistryRefusal
from restock.services import EVENT_SCHEMAS


def schemas() -> str:
    """The registry's paths and errors, and the schemas of events."""
    routes = registry_routes.routes(cast("Registry", None))
    paths = [(code(f"{one.verb} {one.path}"), one.summary, _told(one.request, one.parameters)) for one in routes]
    refusals = sorted(RegistryRefusal.__subclasses__(), key=lambda one: str(one.number))
    errors = [(one.number, one.status, (one.__doc__ or "").split("\n")[0]) for one in refusals]
    own = [one for folder in EVENT_SCHEMAS for one in framing.schemas_in(folder)]
    return page(
        "Schemas",
        "The registry of schemas under `/schemas`, in the form of Confluent's; stock clients take `<address>/schemas`."
        ' An error is `{"error_code": …, "message": …}`. How to use it: [use schemas](../how-to/use-schemas.md).',
        table(["path", "what it does", "parameters or members"], paths),
        "## Errors\n",
        table(["error_code", "HTTP", "meaning"], errors),
        "Other errors have 50001 and the status that they have elsewhere.\n",
        "## Schemas of events\n",
        *(f"### {one.subject}, schema {one.number}\n\n```json\n{one.text.strip()}\n```\n" for one in own),
    )


def _told(kind: type, without: Sequence[str]) -> str:
    return words(one.name for one in fields(cast("Any", kind)) if one.name not in without)
