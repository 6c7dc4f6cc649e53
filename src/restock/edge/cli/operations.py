"""`restock operations`, and a derived command for every operation: its request's fields are the options."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal
from typing import Any, cast, get_args, get_origin, get_type_hints

import click
import msgspec

from restock.core.errors import InvalidInput, RestockError
from restock.core.operation import Operation
from restock.edge import wire
from restock.edge.cli.meanings import meaning
from restock.edge.cli.output import Column, counted, echo_json, pairs, table
from restock.edge.cli.root import PARTLY
from restock.edge.cli.session import as_json, work
from restock.edge.members import refuse_twice
from restock.edge.running import Running
from restock.services import OPERATIONS

HIDDEN = frozenset({"decision_id", "run_id", "plan_version", "created_by", "approved_by", "send_method"})
"""Members that a table of rows leaves out so that it fits a terminal; --json has all."""

LONG = frozenset({"reason", "message", "description", "shipping_address", "supplier_name", "value", "note"})
"""Members that may be cut to fit."""


@click.command(
    epilog="""\b
Examples:
  restock operations
  restock operations --json
  restock purchasing approve --po-id PO-2026-000001 --actor alice"""
)
@as_json
def operations(as_json: bool) -> None:
    """List every operation: its command, its place under REST, who may call it."""
    if as_json:
        members = ("name", "verb", "path", "summary", "permission", "writes")
        echo_json([{member: getattr(one, member) for member in members} for one in OPERATIONS.values()])
        return
    columns = [Column("command"), Column("REST"), Column("permission"), Column("what it does", cut=True)]
    rows = [(_words(one), f"{one.verb} {one.path}", one.permission, one.summary) for one in OPERATIONS.values()]
    click.echo(table(columns, rows))


def _words(operation: Operation) -> str:
    return f"{operation.port} {_dashed(operation.method)}"


def _dashed(name: str) -> str:
    return wire.spoken(name).replace("_", "-")


def _group(port: str) -> click.Group:
    """Make the group of a port's operations."""
    mine = [one for one in OPERATIONS.values() if one.port == port]
    first = mine[0]
    group = click.Group(
        port,
        help=f"The operations of {port}, as under REST.",
        epilog=f"\b\nExample:\n  {_example(first)}\n\nrestock operations lists all.",
        no_args_is_help=True,
    )
    for operation in mine:
        group.add_command(_derived(operation), _dashed(operation.method))
    return group


def _example(operation: Operation) -> str:
    return " ".join(["restock", _words(operation), *_example_options(operation)])


def _example_options(operation: Operation) -> list[str]:
    hints = get_type_hints(operation.request)
    words: list[str] = []
    for field in fields(operation.request):
        if _must_be_given(operation, field.name):
            words += [f"--{_dashed(field.name)}", _EXAMPLES.get(field.name) or _example_value(hints[field.name])]
    return words


_EXAMPLES = {
    "po_id": "PO-2026-000001",
    "product_id": "PROD-001",
    "products": "PROD-001,PROD-002",
    "order_id": "ORD-619699CF",
    "name": "purchasing",
    "proposal_id": "PROP-000001-PROD-001",
    "stock_date": "2026-03-02",
}


def _example_value(hint: Any) -> str:
    """Give a value that shows the shape of a type."""
    inner = get_args(hint)[0] if get_args(hint) else hint
    if isinstance(inner, type) and is_dataclass(inner):
        shown = ", ".join(f'"{field.name}": …' for field in fields(inner) if _required(field))
        return f"'[{{{shown}}}]'"
    return "7" if hint is int else "…"


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _derived(operation: Operation) -> click.Command:
    """Make the command of an operation."""
    hints = get_type_hints(operation.request)
    options: list[click.Parameter] = [
        _option(operation, field, hints[field.name]) for field in fields(operation.request)
    ]
    options.append(click.Option(["--json", "as_json"], is_flag=True, help="Print JSON for machines."))
    return click.Command(
        _dashed(operation.method),
        params=options,
        callback=click.pass_context(functools.partial(_call, operation=operation)),
        help=f"{operation.summary}.\n\nNeeds the permission {operation.permission}; {operation.verb} {operation.path}.",
        short_help=f"{operation.summary}.",
        epilog=f"\b\nExample:\n  {_example(operation)}",
    )


def _must_be_given(operation: Operation, name: str) -> bool:
    """Tell whether a field has to be given; a list of parts of a thing that is named besides may be left out."""
    declared = next(field for field in fields(operation.request) if field.name == name)
    part = "{" in operation.path and _is_list(get_type_hints(operation.request)[name])
    return _required(declared) and not part


def _option(operation: Operation, field: Field[Any], hint: Any) -> click.Option:
    """Make the option of a field: names repeated or with commas, nested values as JSON."""
    required = _must_be_given(operation, field.name)
    what = meaning(operation.name, field.name) + _described(hint)
    name = f"--{_dashed(field.name)}"
    default = None if _required(field) or field.default in ("", None, MISSING) else str(field.default)
    text = what + (f" (by default {default})" if default is not None else "")
    return click.Option([name, field.name], required=required, multiple=_is_list(hint), help=f"{text}.")


def _described(hint: Any) -> str:
    """Say how a value that is no text is written."""
    if _is_list(hint):
        inner = get_args(hint)[0]
        if isinstance(inner, type) and is_dataclass(inner):
            members = ", ".join(field.name for field in fields(inner))
            return f", as JSON: a list of objects ({members})"
        return ", separated by commas or the option several times" if inner is str else ", as JSON: a list"
    words = {int: ", a whole number", Decimal: ", a number", bool: ", true or false"}
    return words.get(get_args(hint)[0] if get_args(hint) else hint, "")


def _is_list(hint: Any) -> bool:
    return get_origin(hint) in (list, tuple, Sequence)


def _call(ctx: click.Context, /, operation: Operation, as_json: bool, **given: Any) -> None:
    """Ask the port, and print its reply."""
    request: object = wire.Reader(operation.request).convert(_values(operation.request, given))

    async def task(app: Running) -> object:
        return await getattr(app.ports[operation.port], operation.method)(request)

    reply = work(ctx.obj, task, settle=operation.writes)
    if as_json:
        echo_json(reply)
    else:
        click.echo(_told(wire.values(reply, rows=True)))
    if any(isinstance(one, RestockError) for one in getattr(reply, "results", ())):
        ctx.exit(PARTLY)


def _values(request: type, given: Mapping[str, Any]) -> dict[str, object]:
    hints = get_type_hints(request)
    values: dict[str, object] = {}
    for name, value in given.items():
        if value is None:
            continue
        values[wire.spoken(name)] = _listed(name, get_args(hints[name])[0], value) if _is_list(hints[name]) else value
    return values


def _listed(name: str, inner: Any, texts: Sequence[str]) -> list[object]:
    if inner is str:
        return [part.strip() for text in texts for part in text.split(",") if part.strip()]
    found: list[object] = []
    for text in texts:
        try:
            value = msgspec.json.decode(text, type=Any)
            refuse_twice(text.encode())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            remedy = "Write a list of objects, in quotes of the shell."
            raise InvalidInput(f"is not JSON: {error}.", field=name, remedy=remedy) from None
        found += value if isinstance(value, list) else [value]
    return found


def _told(value: object, indent: str = "") -> str:
    """Lay out any reply: rows as a table, members as pairs, what is nested below its name."""
    if isinstance(value, list):
        return _rows(value, indent)
    if not isinstance(value, dict):
        return f"{indent}{value}"
    flat = [(str(name), part) for name, part in value.items() if not isinstance(part, list | dict)]
    parts = [pairs(flat, indent)] if flat else []
    for name, part in value.items():
        if isinstance(part, list | dict):
            parts.append(f"{indent}{name}" + ("\n" + _told(part, indent + "  ") if part else "  none"))
    return "\n".join(parts)


def _rows(rows: Sequence[object], indent: str) -> str:
    if not rows:
        return f"{indent}none"
    if not all(isinstance(row, dict) for row in rows):
        return "\n".join(_told(row, indent) for row in rows)
    dicts = cast("Sequence[dict[str, object]]", rows)
    if any("error" in row for row in dicts):
        return "\n\n".join(_told(row, indent) for row in dicts)
    names = [name for name in dicts[0] if name not in HIDDEN]
    numbers = {name for name in names if all(isinstance(row.get(name), Decimal | int) for row in dicts)}
    columns = [Column(name.replace("_", " "), number=name in numbers, cut=name in LONG) for name in names]
    return table(columns, [[_nested(row.get(name)) for name in names] for row in dicts], indent)


def _nested(value: object) -> object:
    """Show a list inside a row as its length, or its texts."""
    if isinstance(value, list):
        return ", ".join(value) if all(isinstance(one, str) for one in value) else counted(len(value), "row")
    return "…" if isinstance(value, dict) and value else "" if isinstance(value, dict) else value


def command(name: str) -> click.Command:
    """Give the command of a name."""
    return operations if name == "operations" else _group(name)
