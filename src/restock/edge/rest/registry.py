"""The schema registry under /schemas, in the form of a Confluent registry: its stock clients take `<address>/schemas`.

Paths, members, numbers of errors and the media type are theirs. Members and parameters that are not known here are passed
over, as their clients send what newer registries understand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec

from restock.core.errors import RestockError
from restock.edge.rest.message import MAX_PARAMETERS, Answer, Request
from restock.edge.rest.probes import Nothing
from restock.edge.rest.routes import Route
from restock.engine.stream.registry import (
    AVRO,
    KINDS,
    Given,
    Reference,
    Registry,
    SchemaInvalid,
    SchemaUnknown,
    Stored,
    Version,
)

T = TypeVar("T")

ROOT = "/schemas"
MEDIA = "application/vnd.schemaregistry.v1+json"

UNFORESEEN = 50001
"""The number of errors that have none in the published table: the store, mostly."""

MAX_DIGITS = 10
"""Digits of a schema's number: it has 4 bytes in a frame."""


@dataclass(frozen=True)
class Shown:
    """Whether what was deleted is shown too."""

    deleted: bool = False


@dataclass(frozen=True)
class Deleting:
    """Whether what was deleted is forgotten for good."""

    permanent: bool = False


@dataclass(frozen=True)
class ModeAsked:
    """Whether a subject without a mode answers the one for all."""

    defaultToGlobal: bool = False  # noqa: N815 - published


@dataclass(frozen=True)
class ModeGiven:
    """How schemas may change."""

    compatibility: str


@dataclass(frozen=True)
class SchemaReference:
    """Another schema that this one uses under a name."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class SchemaGiven:
    """A schema as text, and what it refers to."""

    schema: str
    schemaType: str = AVRO  # noqa: N815 - published
    references: list[SchemaReference] = field(default_factory=list)


@dataclass(frozen=True)
class Registered:
    """The number of a schema."""

    id: int


@dataclass(frozen=True)
class SchemaShown:
    """A schema."""

    schema: str
    schemaType: str  # noqa: N815 - published
    references: list[SchemaReference]


@dataclass(frozen=True)
class VersionShown(SchemaShown):
    """A schema at its place in a subject."""

    subject: str
    version: int
    id: int


@dataclass(frozen=True)
class Place:
    """A subject and a version of it."""

    subject: str
    version: int


@dataclass(frozen=True)
class Tested:
    """Whether a schema could follow, and if not, why."""

    is_compatible: bool
    messages: list[str]


@dataclass(frozen=True)
class ModeShown:
    """How schemas may change, under both names that clients look for."""

    compatibility: str
    compatibilityLevel: str  # noqa: N815 - published


@dataclass(frozen=True)
class RegistryError:
    """What went wrong: the published number, and a sentence that says what to do."""

    error_code: int
    message: str


class _Body(msgspec.Struct, rename="camel"):
    schema: str
    schema_type: str | None = None
    references: list[SchemaReference] | None = None


class _Mode(msgspec.Struct):
    compatibility: str


_body = msgspec.json.Decoder(_Body).decode
_mode = msgspec.json.Decoder(_Mode).decode

Call = Callable[[Request], Awaitable[object]]


def routes(registry: Registry) -> list[Route]:
    """Give the routes."""
    return [*_subjects(registry), *_schemas(registry), *_compatibility(registry), *_config(registry)]


def _subjects(registry: Registry) -> list[Route]:
    async def subjects(request: Request) -> object:
        return await registry.subjects(deleted=_flag(request, "deleted"))

    async def versions(request: Request) -> object:
        found = await registry.versions(_subject(request), deleted=_flag(request, "deleted"))
        return [one.version for one in found]

    async def register(request: Request) -> object:
        return Registered(await registry.register(_subject(request), _given(request)))

    async def lookup(request: Request) -> object:
        return _shown(await registry.lookup(_subject(request), _given(request), deleted=_flag(request, "deleted")))

    async def version(request: Request) -> object:
        return _shown(await _version(registry, request))

    async def text(request: Request) -> object:
        return msgspec.Raw((await _version(registry, request)).schema.text.encode())

    async def delete(request: Request) -> object:
        number = request.parameters["version"]
        return await registry.delete_version(_subject(request), number, permanent=_flag(request, "permanent"))

    async def delete_all(request: Request) -> object:
        return await registry.delete_subject(_subject(request), permanent=_flag(request, "permanent"))

    one, all_of, at = "/subjects/{subject}", "/subjects/{subject}/versions", "/subjects/{subject}/versions/{version}"
    return [
        _route("subjects", "GET", "/subjects", "Subjects that have a version", Shown, list[str], subjects),
        _route("versions", "GET", all_of, "Versions of a subject", Shown, list[int], versions),
        _route(
            "register", "POST", all_of, "Make a schema a subject's newest version", SchemaGiven, Registered, register
        ),
        _route("lookup", "POST", one, "Find a schema in a subject", SchemaGiven, VersionShown, lookup),
        _route("version", "GET", at, "A version by number, or latest", Shown, VersionShown, version),
        _route("text", "GET", at + "/schema", "The schema of a version, bare", Shown, object, text),
        _route("delete_version", "DELETE", at, "Take a version out of its subject", Deleting, int, delete),
        _route("delete_subject", "DELETE", one, "Take all versions out of a subject", Deleting, list[int], delete_all),
    ]


def _schemas(registry: Registry) -> list[Route]:
    async def by_id(request: Request) -> object:
        found = await registry.schema(_id(request))
        return SchemaShown(*_schema(found))

    async def places(request: Request) -> object:
        found = await registry.places(_id(request))
        return [Place(subject, version) for subject, version in found]

    async def subjects(request: Request) -> object:
        return list(dict.fromkeys(subject for subject, _ in await registry.places(_id(request))))

    async def types(_request: Request) -> object:
        return list(KINDS)

    at = "/schemas/ids/{id}"
    return [
        _route("schema", "GET", at, "A schema by its number", Nothing, SchemaShown, by_id),
        _route("places", "GET", at + "/versions", "Places of a schema", Nothing, list[Place], places),
        _route("schema_subjects", "GET", at + "/subjects", "Subjects of a schema", Nothing, list[str], subjects),
        _route("types", "GET", "/schemas/types", "Kinds of schema", Nothing, list[str], types),
    ]


def _compatibility(registry: Registry) -> list[Route]:
    async def test(request: Request) -> object:
        number = request.parameters.get("version", "")
        problems = await registry.test(_subject(request), number, _given(request))
        return Tested(not problems, problems)

    path = "/compatibility/subjects/{subject}/versions"
    return [
        _route("test", "POST", path + "/{version}", "Could it follow this version", SchemaGiven, Tested, test),
        _route("test_all", "POST", path, "Could it follow in this subject", SchemaGiven, Tested, test),
    ]


def _config(registry: Registry) -> list[Route]:
    async def mode(request: Request) -> object:
        subject = request.parameters.get("subject", "")
        found = await registry.mode(subject, inherited=_flag(request, "defaultToGlobal"))
        return ModeShown(found, found)

    async def put(request: Request) -> object:
        subject = request.parameters.get("subject", "")
        return ModeGiven(await registry.set_mode(_read(_mode, request).compatibility, subject))

    async def unset(request: Request) -> object:
        found = await registry.unset_mode(request.parameters.get("subject", ""))
        return ModeShown(found, found)

    async def writable(_request: Request) -> object:
        return {"mode": "READWRITE"}

    one = "/config/{subject}"
    return [
        _route("mode", "GET", "/config", "How schemas may change", ModeAsked, ModeShown, mode),
        _route("set_mode", "PUT", "/config", "Set how schemas may change", ModeGiven, ModeGiven, put),
        _route("subject_mode", "GET", one, "How those of a subject may change", ModeAsked, ModeShown, mode),
        _route("set_subject_mode", "PUT", one, "Set how those of a subject may", ModeGiven, ModeGiven, put),
        _route("unset_subject_mode", "DELETE", one, "Let a subject follow the others", Nothing, ModeShown, unset),
        _route(
            "writable", "GET", "/mode", "Whether schemas may be registered: always", Nothing, dict[str, str], writable
        ),
    ]


def _route(name: str, verb: str, path: str, summary: str, asked: type, reply: object, call: Call) -> Route:
    async def handle(request: Request) -> Answer:
        try:
            return Answer(200, msgspec.json.encode(await call(request)), MEDIA.encode())
        except RestockError as error:
            number = getattr(error, "number", UNFORESEEN)
            told = " ".join(filter(None, (error.what, error.remedy)))
            return Answer(error.status, msgspec.json.encode(RegistryError(number, told)), MEDIA.encode())

    return Route(
        f"registry.{name}",
        verb,
        ROOT + path,
        summary,
        asked,
        reply,
        handle,
        tag="registry",
        media=MEDIA,
        refusal=RegistryError,
    )


async def _version(registry: Registry, request: Request) -> Version:
    return await registry.version(_subject(request), request.parameters["version"], deleted=_flag(request, "deleted"))


def _subject(request: Request) -> str:
    return request.parameters["subject"]


def _id(request: Request) -> int:
    text = request.parameters["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise SchemaUnknown(f"{text[:50]!r} is no number of a schema.", remedy="Give a whole number.")
    return int(text)


def _flag(request: Request, name: str) -> bool:
    found = parse_qs(request.query.decode("latin-1"), max_num_fields=MAX_PARAMETERS) if request.query else {}
    return found.get(name, [""])[-1].lower() == "true"


def _read(decode: Callable[[bytes], T], request: Request) -> T:
    try:
        return decode(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaInvalid(f"The body cannot be read: {error}.", remedy="See /docs for its members.") from None


def _given(request: Request) -> Given:
    body = _read(_body, request)
    references = tuple(Reference(one.name, one.subject, one.version) for one in body.references or ())
    return Given(body.schema, body.schema_type or AVRO, references)


def _shown(one: Version) -> VersionShown:
    return VersionShown(*_schema(one.schema), one.subject, one.version, one.schema.id)


def _schema(schema: Stored) -> tuple[str, str, list[SchemaReference]]:
    return schema.text, schema.kind, [SchemaReference(*one) for one in schema.references]
