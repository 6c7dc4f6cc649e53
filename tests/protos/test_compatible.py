"""Version N and N+1 of a service work together: today's protos break no client of the released ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compatible import Field, Files, breaks
from google.protobuf import descriptor_pb2
from hypothesis import given
from hypothesis import strategies as st

from restock.edge.grpc.messages import COMPILED

RELEASED = Path(__file__).with_name("released.binpb")
"""What the last release published: copied from published.binpb when a release is made, never to make this test pass."""

KINDS = (Field.TYPE_INT32, Field.TYPE_INT64, Field.TYPE_STRING, Field.TYPE_DOUBLE, Field.TYPE_BOOL, Field.TYPE_BYTES)


def test_todays_protos_break_no_released_client() -> None:
    found = breaks(Files.FromString(RELEASED.read_bytes()), Files.FromString(COMPILED.read_bytes()))
    assert not found, "\n".join(found) + "\nGive what is new another name and number, and leave what is there."


def message(name: str, fields: list[Any]) -> Any:
    return descriptor_pb2.DescriptorProto(name=name, field=fields)


def field(name: str, number: int, kind: Any = Field.TYPE_STRING, label: Any = Field.LABEL_OPTIONAL) -> Any:
    return Field(name=name, number=number, type=kind, label=label)


@st.composite
def files(draw: st.DrawFn) -> Files:
    """Draw one file with at least a message with a field, an enum with a value, and a service with a method."""
    messages = []
    for index in range(draw(st.integers(1, 3))):
        numbers = draw(st.lists(st.integers(1, 200), min_size=1, max_size=5, unique=True))
        labels = st.sampled_from([Field.LABEL_OPTIONAL, Field.LABEL_REPEATED])
        fields = [field(f"f{number}", number, draw(st.sampled_from(KINDS)), draw(labels)) for number in numbers]
        messages.append(message(f"M{index}", fields))
    messages[0].nested_type.append(message("Inner", [field("deep", 1)]))
    enum = descriptor_pb2.EnumDescriptorProto(name="E")
    for number in range(draw(st.integers(1, 3))):
        enum.value.add(name=f"V{number}", number=number)
    service = descriptor_pb2.ServiceDescriptorProto(name="S")
    for index in range(draw(st.integers(1, 3))):
        service.method.add(name=f"Do{index}", input_type=".p.M0", output_type=".p.M0")
    made = descriptor_pb2.FileDescriptorProto(
        name="p.proto", package="p", syntax="proto3", message_type=messages, enum_type=[enum], service=[service]
    )
    return Files(file=[made])


def copy(given: Files) -> Files:
    return Files.FromString(given.SerializeToString())


@given(files())
def test_what_did_not_change_breaks_nothing(released: Files) -> None:
    assert breaks(released, copy(released)) == []


@given(files(), st.integers(201, 500))
def test_adding_breaks_nothing(released: Files, number: int) -> None:
    today = copy(released)
    for each in today.file[0].message_type:
        each.field.add(name="added", number=number, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL)
    today.file[0].message_type.add(name="Added")
    today.file[0].enum_type[0].value.add(name="ADDED", number=number)
    today.file[0].service[0].method.add(name="Added", input_type=".p.Added", output_type=".p.Added")
    today.file.add(name="q.proto", package="q").message_type.add(name="M0")
    today.file[0].message_type.sort(key=lambda one: one.name, reverse=True)  # nor does another order
    assert breaks(released, today) == []
    assert breaks(today, released), "and taking it away again does"


def _chosen(items: Any, index: int) -> Any:
    return items[index % len(items)]


def _pop(items: Any, index: int) -> None:
    del items[index % len(items)]


CHANGES: dict[str, tuple[Callable[[Any, int], Any], str]] = {
    "a field is removed": (lambda file, i: _pop(_chosen(file.message_type, i).field, i), "is gone"),
    "a field is renumbered": (lambda f, i: _set(_field(f, i), "number", 777), "has the number 777 now"),
    "a field is renamed": (lambda f, i: _set(_field(f, i), "name", "other"), "is called other now"),
    "a field is retyped": (lambda f, i: _set(_field(f, i), "type", Field.TYPE_FIXED64), "and is"),
    "a field is repeated or no more": (lambda f, i: _set(_field(f, i), "label", 4 - _field(f, i).label), "and is"),
    "a field knows its absence": (
        lambda f, i: _set(_optional(_field(f, i)), "proto3_optional", True),
        "and is optional",
    ),
    "a field joins a oneof": (lambda f, i: _join(_chosen(f.message_type, i), i), "is in the oneof either"),
    "a message is removed": (lambda f, i: _pop(f.message_type, i), "is gone"),
    "an inner field is removed": (lambda f, i: _pop(f.message_type[0].nested_type[0].field, i), "M0.Inner.deep"),
    "a value is removed": (lambda f, i: _pop(f.enum_type[0].value, i), "Value p.E"),
    "a value is renumbered": (lambda f, i: _set(_chosen(f.enum_type[0].value, i), "number", 9), "has the number 9 now"),
    "an enum is removed": (lambda f, i: _pop(f.enum_type, 0), "Enum p.E is gone"),
    "a method is removed": (lambda f, i: _pop(f.service[0].method, i), "Method p.S/Do"),
    "a method takes another": (lambda f, i: _set(_chosen(f.service[0].method, i), "input_type", ".p.X"), "(.p.X)"),
    "a method gives another": (lambda f, i: _set(_chosen(f.service[0].method, i), "output_type", ".p.X"), "(.p.X)"),
    "a method streams": (lambda f, i: _set(_chosen(f.service[0].method, i), "server_streaming", True), "(stream "),
    "a service is removed": (lambda f, i: _pop(f.service, 0), "Service p.S is gone"),
    "a package is renamed": (lambda f, i: _set(f, "package", "q"), "is gone"),
}


def _field(file: Any, index: int) -> Any:
    return _chosen(_chosen(file.message_type, index).field, index)


def _set(one: Any, name: str, value: object) -> None:
    setattr(one, name, value)


def _optional(one: Any) -> Any:
    one.label = Field.LABEL_OPTIONAL
    return one


def _join(kind: Any, index: int) -> None:
    kind.oneof_decl.add(name="either")
    _chosen(kind.field, index).oneof_index = 0


@pytest.mark.parametrize("change", CHANGES)
@given(released=files(), index=st.integers(0, 10))
def test_what_breaks_a_client_is_told(change: str, released: Files, index: int) -> None:
    make, told = CHANGES[change]
    today = copy(released)
    make(today.file[0], index)
    found = breaks(released, today)
    assert found
    assert any(told in one for one in found), found
