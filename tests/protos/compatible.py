"""Whether a client made from the released protos still works with today's: on the wire, in JSON and in its source.

Files are compared by what they compile to. Adding is free; what a client may hold is neither taken away nor given another
meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import descriptor_pb2

Files = descriptor_pb2.FileDescriptorSet
Field = descriptor_pb2.FieldDescriptorProto


def breaks(released: Files, today: Files) -> list[str]:
    """Give what breaks released clients, one sentence each; an empty list is what a change must keep."""
    found = []
    for name, message in _messages(released).items():
        now = _messages(today).get(name)
        found += [f"Message {name} is gone."] if now is None else _fields(name, message, now)
    for name, enum in _enums(released).items():
        now = _enums(today).get(name)
        found += [f"Enum {name} is gone."] if now is None else _values(name, enum, now)
    for name, service in _services(released).items():
        now = _services(today).get(name)
        found += [f"Service {name} is gone."] if now is None else _methods(name, service, now)
    return found


def _fields(name: str, before: Any, after: Any) -> Iterator[str]:
    by_number = {field.number: field for field in after.field}
    by_name = {field.name: field for field in after.field}
    for field in before.field:
        where, now = f"Field {name}.{field.name} = {field.number}", by_number.get(field.number)
        moved = by_name.get(field.name, field)
        if moved.number != field.number:
            yield f"{where} has the number {moved.number} now."
        elif now is None:
            yield f"{where} is gone."
        elif now.name != field.name:
            yield f"{where} is called {now.name} now."
        elif _kind(field) != _kind(now):
            yield f"{where} was {_kind(field)} and is {_kind(now)}."
        elif _group(before, field) != _group(after, now):
            yield f"{where} was in {_group(before, field)} and is in {_group(after, now)}."


def _kind(field: Any) -> str:
    """Give how a field is declared, such as `repeated int32` or `optional .oms.Trend`."""
    label = "repeated " if field.label == Field.LABEL_REPEATED else "optional " if field.proto3_optional else ""
    return label + (field.type_name or Field.Type.Name(field.type).removeprefix("TYPE_").lower())


def _group(message: Any, field: Any) -> str:
    """Give the oneof that a field is in: setting one of its fields clears the others."""
    inside = field.HasField("oneof_index") and not field.proto3_optional
    return f"the oneof {message.oneof_decl[field.oneof_index].name}" if inside else "no oneof"


def _values(name: str, before: Any, after: Any) -> Iterator[str]:
    now = {value.name: value.number for value in after.value}
    for value in before.value:
        where = f"Value {name}.{value.name} = {value.number}"
        if value.name not in now:
            yield f"{where} is gone."
        elif now[value.name] != value.number:
            yield f"{where} has the number {now[value.name]} now."


def _methods(name: str, before: Any, after: Any) -> Iterator[str]:
    now = {method.name: method for method in after.method}
    for method in before.method:
        where = f"Method {name}/{method.name}"
        if method.name not in now:
            yield f"{where} is gone."
        elif _signature(method) != _signature(now[method.name]):
            yield f"{where} was {_signature(method)} and is {_signature(now[method.name])}."


def _signature(method: Any) -> str:
    streams = ("stream " * method.client_streaming, "stream " * method.server_streaming)
    return f"({streams[0]}{method.input_type}) returns ({streams[1]}{method.output_type})"


def _messages(files: Files) -> Mapping[str, Any]:
    return {name: one for name, one in _declared(files) if isinstance(one, descriptor_pb2.DescriptorProto)}


def _enums(files: Files) -> Mapping[str, Any]:
    return {name: one for name, one in _declared(files) if isinstance(one, descriptor_pb2.EnumDescriptorProto)}


def _services(files: Files) -> Mapping[str, Any]:
    return {name: one for name, one in _declared(files) if isinstance(one, descriptor_pb2.ServiceDescriptorProto)}


def _declared(files: Files) -> Iterator[tuple[str, Any]]:
    for file in files.file:
        for one in (*file.message_type, *file.enum_type, *file.service):
            yield from _within(file.package, one)


def _within(place: str, one: Any) -> Iterator[tuple[str, Any]]:
    name = f"{place}.{one.name}" if place else one.name
    yield name, one
    if isinstance(one, descriptor_pb2.DescriptorProto):
        for inner in (*one.nested_type, *one.enum_type):
            yield from _within(name, inner)
