"""Pass 3b: which names the rules use, and what an undeclared one is: a well-known input, an input, an output or a slip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Final

from restock.engine.rules.declarations import Declared, build_field
from restock.engine.rules.errors import Place, RuleError, SourceText, nearest
from restock.engine.rules.ir import Field, Kind, Value
from restock.engine.rules.limits import MAX_ERRORS, MAX_FIELDS, UNDECLARED_DECIMALS, UNDECLARED_LIMIT
from restock.engine.rules.published import WELL_KNOWN
from restock.engine.rules.syntax import Assignment, Binary, Call, Expression, Name, RulebookSyntax, children
from restock.engine.rules.syntax_patterns import Null

SLIP: Final = 0.9  # a float: likeness of names, no quantity
"""Likeness above which an undeclared name is taken for a slip of the pen: one letter in eleven."""

MAX_NAMES_FOR_SLIPS: Final = 300
"""Most names among which slips are looked for: every name is compared with every other."""

_START: Final[dict[Kind, Value]] = {"number": Decimal(0), "bool": False, "text": ""}


def inferred_fields(
    source: SourceText,
    syntax: RulebookSyntax,
    declared: Declared,
    kinds: dict[str, Kind],
    errors: list[RuleError],
) -> dict[str, Field]:
    """Give all fields: the declared ones, then inputs and outputs from use; names that cannot be either are errors."""
    written, read = _used(syntax)
    asked = _asked(syntax)
    fields = dict(declared.fields)
    for name, place in written.items():
        if name not in fields:
            if declared.has_outputs and len(errors) < MAX_ERRORS:
                message = f"There is no output '{name}'."
                errors.append(source.error(place, message, _nearest(name, fields, "output")))
            fields[name] = Field(name, "output", kinds[name], default=_START[kinds[name]], place=place)
        elif fields[name].role == "input":
            errors.append(source.error(place, f"'{name}' is an input; a rule can only set outputs."))
    for name, place in read.items():
        if name not in fields and len(errors) < MAX_ERRORS:
            kind = kinds.get(name, "text")  # none was found where a pattern stands in a call, which the typer refuses
            _read_only(source, name, place, kind, fields, declared, errors, tuple(written))
            if fields[name].default is None and fields[name].derived is None:
                fields[name] = replace(fields[name], absent=name in asked)
    if len(fields) > MAX_FIELDS:
        errors.append(source.error(Place(1, 1), f"There are more than {MAX_FIELDS} fields."))
    return fields


def _read_only(
    source: SourceText,
    name: str,
    place: Place,
    kind: Kind,
    fields: dict[str, Field],
    declared: Declared,
    errors: list[RuleError],
    written: tuple[str, ...],
) -> None:
    """Add an undeclared field that is only read."""
    if name in WELL_KNOWN and not declared.has_inputs:
        _well_known(name, fields, declared)
        return
    if declared.has_inputs:
        errors.append(source.error(place, f"There is no field '{name}'.", _nearest(name, fields)))
    elif slip := _slip(name, (*written, *WELL_KNOWN)):
        errors.append(source.error(place, f"There is no field '{name}'; declare it if it is an input.", slip))
    fields[name] = _input(name, kind, place)


def _used(syntax: RulebookSyntax) -> tuple[dict[str, Place], dict[str, Place]]:
    """Give the names written and the names read, each with its first place."""
    written: dict[str, Place] = {}
    read: dict[str, Place] = {}
    for rule in syntax.rules:
        nodes = [rule.condition]
        for action in rule.actions:
            if isinstance(action, Assignment):
                written.setdefault(action.target, action.place)
                nodes.append(action.value)
        for node in nodes:
            for name in _names(node):
                read.setdefault(name.name, name.place)
    return written, read


def _asked(syntax: RulebookSyntax) -> set[str]:
    """Give the names of which a rule asks whether they are there."""
    nodes: list[Expression] = [rule.condition for rule in syntax.rules]
    nodes += [action.value for rule in syntax.rules for action in rule.actions if isinstance(action, Assignment)]
    found: set[str] = set()
    while nodes:
        node = nodes.pop()
        match node:
            case Call(function="has", arguments=(Name() as name,)) | Binary(right=Null(), left=Name() as name):
                found.add(name.name)
            case _:
                nodes += children(node)
    return found


def _names(node: Expression) -> Iterator[Name]:
    if isinstance(node, Name):
        yield node
    is_round = isinstance(node, Call) and node.function == "round"
    for child in children(node)[: 2 if is_round else None]:
        yield from _names(child)


def _input(name: str, kind: Kind, place: Place) -> Field:
    if kind != "number":
        return Field(name, "input", kind, place=place)
    return Field(name, "input", kind, UNDECLARED_DECIMALS, -UNDECLARED_LIMIT, UNDECLARED_LIMIT, place=place)


def _well_known(name: str, fields: dict[str, Field], declared: Declared) -> None:
    """Add a well-known input, and those from which it is computed when absent."""
    built, derived = build_field(SourceText("published inputs", ""), WELL_KNOWN[name], {})
    if derived is not None:
        declared.derived[name] = derived
        for other in _names(derived):
            if other.name not in fields:
                _well_known(other.name, fields, declared)
    fields[name] = built


def _nearest(name: str, fields: dict[str, Field], role: str = "") -> str:
    return nearest(name, [one.name for one in fields.values() if one.role == role or not role])


def _slip(name: str, known: tuple[str, ...]) -> str:
    """Give the known name that was probably meant; names that differ in digits only are different on purpose."""
    if len(known) > MAX_NAMES_FOR_SLIPS:
        return ""
    found = nearest(name, known)
    if not found or _letters(found) == _letters(name):
        return ""
    return found if SequenceMatcher(None, name, found).ratio() > SLIP else ""


def _letters(name: str) -> str:
    return "".join(character for character in name if not character.isdigit())
