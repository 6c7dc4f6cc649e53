"""A schema that is called compatible is: readers read what writers write, and validators accept what they accepted."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro
import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from restock.engine.stream.registry import SchemaInvalid, avro_schemas, json_schemas

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "string", "bytes"]
NAMES = st.sampled_from(["A", "B"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-5, 5),
    "long": st.integers(-(2**40), 2**40),
    "float": st.just(0.5),
    "double": st.just(0.25),
    "string": st.sampled_from(["", "a", "b"]),
    "bytes": st.just(b"a"),
}


def field(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def with_default(kind: Any) -> Any:
        return (
            {"null": None, "int": 1, "long": 1, "string": "s", "boolean": True}.get(kind)
            if isinstance(kind, str)
            else 0
        )

    def made(name: str, kind: Any, defaulted: bool) -> dict[str, Any]:
        can = isinstance(kind, str) and kind in {"null", "int", "long", "string", "boolean"}
        return {"name": name, "type": kind, **({"default": with_default(kind)} if can and defaulted else {})}

    return st.builds(made, st.sampled_from(["x", "y", "z"]), inner, st.booleans())


def record(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.lists(field(inner), min_size=1, max_size=3, unique_by=lambda one: one["name"])
    return st.builds(lambda name, fields: {"type": "record", "name": name, "fields": fields}, NAMES, fields)


enums = st.builds(
    lambda name, symbols, defaulted: {
        "type": "enum",
        "name": name,
        "symbols": symbols,
        **({"default": symbols[0]} if defaulted else {}),
    },
    NAMES,
    st.lists(st.sampled_from(["P", "Q", "R"]), min_size=1, max_size=3, unique=True),
    st.booleans(),
)
schemas = st.recursive(
    st.sampled_from(PRIMITIVES) | enums,
    lambda inner: (
        record(inner)
        | st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda values: {"type": "map", "values": values}, inner)
        | st.lists(inner.filter(lambda one: not isinstance(one, list)), min_size=1, max_size=3)
    ),
    max_leaves=5,
)


def values(schema: Any) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of([values(one) for one in schema])
    if isinstance(schema, str):
        return VALUES[schema]
    if schema["type"] == "record":
        return st.fixed_dictionaries({one["name"]: values(one["type"]) for one in schema["fields"]})
    if schema["type"] == "enum":
        return st.sampled_from(schema["symbols"])
    if schema["type"] == "array":
        return st.lists(values(schema["items"]), max_size=2)
    return st.dictionaries(st.just("k"), values(schema["values"]), max_size=1)


def avro(schema: object) -> avro_schemas.AvroSchema:
    return avro_schemas.AvroSchema(json.dumps(schema))


def why_not(reader: object, writer: object) -> list[str]:
    return avro_schemas.obstacles(avro(reader), avro(writer))


@st.composite
def changed(draw: st.DrawFn, schema: Any) -> Any:
    """A schema that somebody made of another: members come, go and grow, here and there."""
    if draw(st.integers(0, 9)) == 0:
        return draw(schemas)
    if isinstance(schema, list):
        branches = [draw(changed(one)) for one in draw(st.permutations(schema))]
        return [one for one in branches if not isinstance(one, list)] + draw(st.sampled_from([[], ["null"], ["int"]]))
    if isinstance(schema, str):
        wider = [wide for wide, narrow in avro_schemas.PROMOTED.items() if schema in narrow]
        return draw(st.sampled_from([schema, schema, *wider, ["null", schema]]))
    if schema["type"] == "record":
        kept = [{**one, "type": draw(changed(one["type"]))} for one in schema["fields"] if draw(st.integers(0, 4))]
        kept = [{k: v for k, v in one.items() if k != "default" or isinstance(one["type"], str)} for one in kept]
        return {
            **schema,
            "fields": kept + draw(st.lists(st.just({"name": "w", "type": "int", "default": 1}), max_size=1)),
        }
    if schema["type"] == "enum":
        return draw(st.sampled_from([schema, {**schema, "symbols": ["P", "Q", "R"]}]))
    inner = "items" if schema["type"] == "array" else "values"
    return {**schema, inner: draw(changed(schema[inner]))}


@settings(suppress_health_check=[HealthCheck.filter_too_much], max_examples=200)
@given(st.data(), schemas)
def test_what_is_called_readable_is_read(data: st.DataObject, writer: Any) -> None:
    reader = data.draw(changed(writer))
    try:
        problems = why_not(reader, writer)
        written = fastavro.parse_schema(writer)
    except SchemaInvalid:  # a name is defined twice, or a union holds two of a kind
        assume(False)
    assume(not problems)
    value = data.draw(values(writer))
    out = BytesIO()
    fastavro.schemaless_writer(out, written, value)
    out.seek(0)
    fastavro.schemaless_reader(out, written, fastavro.parse_schema(reader))


def test_a_name_that_a_union_defines_twice_is_refused() -> None:
    both = [{"type": "record", "name": "A", "fields": [{"name": name, "type": "null"}]} for name in "xy"]
    with pytest.raises(SchemaInvalid, match="redefined"):
        why_not(both, both[0])


@given(schemas)
def test_every_schema_reads_its_own(schema: Any) -> None:
    try:
        assert not why_not(schema, schema)
    except SchemaInvalid:
        assume(False)


def enum(*symbols: str, **more: str) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def number(scale: int, precision: int = 20) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def of(**members: object) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": one} for name, one in members.items()]}


@pytest.mark.parametrize(
    ("reader", "writer", "told"),
    [
        (enum("A"), enum("A", "B"), ["the schema: has no symbol B and no default"]),
        (enum("A", default="A"), enum("A", "B"), []),
        (enum("A", "B"), enum("A"), []),
        (of(price=number(2)), of(price=number(6)), ["price: decimal(20, 6) is not decimal(20, 2)"]),
        (of(a="long"), of(a="int"), []),
        (of(a="int"), of(a="long"), ["a: long is not int"]),
        (of(a="string", b="int"), of(a="string"), ["b: is not written and has no default"]),
        (of(a="string"), of(a="string", b="int"), []),
        (of(a=["null", "string"]), of(a="string"), []),
        (of(a="string"), of(a=["null", "string"]), ["a: null is not string"]),
        (of(a=["null", enum("A")]), of(a=["null", enum("B")]), ["a: has no symbol B and no default"]),
        (of(a={"type": "array", "items": "int"}), of(a={"type": "array", "items": "long"}), ["a[]: long is not int"]),
        ("string", "int", ["the schema: int is not string"]),
        ({**of(a="int"), "name": "S"}, of(a="int"), ["the schema: R is not S"]),
        ({**of(a="int"), "name": "S", "aliases": ["R"]}, of(a="int"), []),
    ],
)
def test_the_reason_names_the_place(reader: object, writer: object, told: list[str]) -> None:
    assert why_not(reader, writer) == told


def test_a_type_that_holds_itself_comes_to_an_end() -> None:
    tree = of(next=["null", "R"])
    assert not why_not(tree, tree)
    assert why_not(of(next=["null", "R"], size="int"), tree) == ["size: is not written and has no default"]


def test_a_schema_made_to_keep_us_busy_is_refused() -> None:
    schema: Any = {**of(a="int"), "name": "R0"}
    for depth in range(1, 30):
        schema = {**of(a=schema, b=f"R{depth - 1}"), "name": f"R{depth}"}
    with pytest.raises(SchemaInvalid, match="pairs"):
        why_not(schema, schema)


@pytest.mark.parametrize(
    "text", ["", "{", "[]x", '{"type":"recor"}', "1", "null", '"nope"', "[" * 3000,
             '{"type":"enum","name":"E","symbols":["A"],"default":"B"}']
)  # fmt: skip
def test_what_is_no_avro_schema_is_refused(text: str) -> None:
    with pytest.raises(SchemaInvalid, match="Avro"):
        avro_schemas.AvroSchema(text)


# --- JSON Schema -------------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.sampled_from([0.5, "", "a", "abc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)


def json_words(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    small = st.integers(0, 3)
    kinds = st.sampled_from(sorted(json_schemas.TYPES))
    return st.fixed_dictionaries(
        {},
        optional={
            "type": kinds | st.lists(kinds, min_size=1, max_size=3, unique=True),
            "minimum": st.integers(-3, 3),
            "maximum": small,
            "minLength": small,
            "maxItems": small,
            "enum": st.lists(st.sampled_from([1, True, "a", None, 0]), min_size=1, max_size=3),
            "const": st.sampled_from([1, True, "a"]),
            "required": st.lists(st.sampled_from("ab"), max_size=2, unique=True),
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "additionalProperties": inner,
            "items": inner,
            "pattern": st.just("^a"),
            "patternProperties": st.dictionaries(st.just("^a"), inner, min_size=1, max_size=1),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "title": st.just("T"),
        },
    )


json_any = st.recursive(st.booleans() | json_words(st.booleans()), json_words, max_leaves=6)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(json_any, json_any, st.lists(json_values, min_size=1, max_size=8))
def test_what_was_accepted_is_accepted(reader: Any, writer: Any, documents: list[Any]) -> None:
    old, new = json_schemas.JsonSchema(json.dumps(writer)), json_schemas.JsonSchema(json.dumps(reader))
    assume(not json_schemas.obstacles(new, old))
    was, now = (jsonschema.Draft7Validator(one) for one in (writer, reader))
    for document in documents:
        assert not was.is_valid(document) or now.is_valid(document), document


def accepts(reader: object, writer: object) -> list[str]:
    return json_schemas.obstacles(
        json_schemas.JsonSchema(json.dumps(reader)), json_schemas.JsonSchema(json.dumps(writer))
    )


CLOSED = {"type": "object", "additionalProperties": False}
NODE = {"$ref": "#/$defs/n"}


@pytest.mark.parametrize(
    ("reader", "writer", "told"),
    [
        ({"type": "number"}, {"type": "integer"}, []),
        ({"type": "integer"}, {"type": "number"}, ["#: number is not accepted"]),
        ({**CLOSED, "properties": {"a": {"type": "string"}}}, CLOSED, []),
        ({"type": "object", "required": ["a"]}, {"type": "object"}, ["#/a: is required now"]),
        (CLOSED, {"type": "object"}, ["#/*: nothing is accepted any more"]),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, []),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, ['#: "b" is not accepted']),
        ({"maximum": 5}, {"maximum": 9}, ["#: maximum is 5 and was 9"]),
        ({}, {"pattern": "x"}, []),
        ({"pattern": "y"}, {"pattern": "x"}, ["#: pattern differs, and what that means is not looked into"]),
        ({**NODE, "$defs": {"n": {"type": "string"}}}, {"type": "string"}, []),
        (
            {"anyOf": [NODE], "$defs": {"n": {"type": "string"}}},
            {"anyOf": [NODE], "$defs": {"n": {"type": "integer"}}},
            ["#: it refers to definitions that differ, and that is not looked into"],
        ),
        (
            {**NODE, "$defs": {"n": {"type": "object", "properties": {"next": NODE}}}},
            {**NODE, "$defs": {"n": {"type": "object", "properties": {"next": NODE}}}},
            [],
        ),
    ],
)
def test_the_reason_says_what_is_refused(reader: object, writer: object, told: list[str]) -> None:
    assert accepts(reader, writer) == told


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", '"s"', '{"type":"strin"}', '{"properties":[]}', '{"properties":{"a":1}}', '{"minimum":"1"}',
     '{"required":[1]}', '{"maximum":NaN}', '{"items":' * 2000 + "{}" + "}" * 2000, '{"type":5}'],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_what_is_no_json_schema_is_refused(text: str) -> None:
    with pytest.raises(SchemaInvalid, match="JSON Schema"):
        json_schemas.JsonSchema(text)
