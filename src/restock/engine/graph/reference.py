"""Dotted paths into a run's context, compiled once to functions that the hot walk calls.

A name whose node was skipped gives None, and so does every path through None; a field that an answer does not have is
an InvalidInput which names the fields it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import cast

from restock.core.errors import InvalidInput
from restock.engine.graph.model import Literal, Reference, Value

Getter = Callable[[Mapping[str, object]], object]

PATH = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*")
"""A reference: names of letters, digits, _ and -, joined by dots; the first does not begin with a digit."""

_PLAIN = (str, bytes, int, float, bool)


def nearest(name: str, known: object) -> str:
    """Say which known name was probably meant, as a sentence with a leading space, or nothing."""
    names = [str(each) for each in known] if isinstance(known, Sequence | Mapping | set | frozenset) else []
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else (f"Known: {', '.join(sorted(names)[:12])}." if names else "")


def parse_reference(text: str) -> Reference | None:
    """Read a dotted path; None when the text is not one."""
    return Reference(tuple(text.split("."))) if PATH.fullmatch(text) else None


_SHOWN: dict[type, frozenset[str]] = {}
"""Public fields and properties by type: a handful of types pass through an installation's flows."""


def _shown_by(kind: type) -> frozenset[str]:
    """Give what a reference may name of a type without a closer look."""
    found = _SHOWN.get(kind)
    if found is None:
        declared = set(getattr(kind, "__dataclass_fields__", ()))
        declared |= {name for name, member in vars(kind).items() if isinstance(member, property)}
        found = _SHOWN[kind] = frozenset(name for name in declared if not name.startswith("_"))
    return found


def _step(value: object, name: str, whole: Reference) -> object:
    if type(value) is dict and name in value:
        return value[name]
    if name in _shown_by(type(value)):
        return getattr(value, name)
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        raise InvalidInput(f"'{whole}' names '{name}', which the answer lacks.", remedy=nearest(name, value))
    if isinstance(value, list | tuple) and name.isdigit():
        if int(name) < len(value):
            return value[int(name)]
        raise InvalidInput(f"'{whole}' asks for item {name} of {len(value)}.", remedy="Items count from 0.")
    if not name.startswith("_") and not isinstance(value, _PLAIN):
        found: object = getattr(value, name, whole)
        if found is not whole and not callable(found):
            return found
    raise InvalidInput(f"'{whole}' names '{name}', which the answer ({type(value).__name__}) lacks.")


def follow(reference: Reference, context: Mapping[str, object]) -> object:
    """Give the value at the path; None when its node was skipped. Raises InvalidInput for a field that is not there."""
    value = context.get(reference.path[0])
    for name in reference.path[1:]:
        if value is None:
            return None
        value = _step(value, name, reference)
    return value


def getter(value: Value) -> Getter:
    """Compile a value to a function of the context."""
    if isinstance(value, Literal):
        constant = value.value
        return lambda _: constant
    first = value.path[0]
    if len(value.path) == 1:
        return lambda context: context.get(first)
    if len(value.path) > 2:
        return lambda context: follow(value, context)
    last = value.path[1]

    def field_of(context: Mapping[str, object]) -> object:
        owner = context.get(first)
        return None if owner is None else _step(owner, last, value)

    return field_of


def builder(inputs: Sequence[tuple[str, Value]], spread: bool) -> Callable[[Mapping[str, object]], dict[str, object]]:
    """Compile a node's inputs to a function that makes its dict from the context."""
    if not spread and all(isinstance(value, Reference) and len(value.path) <= 2 for _, value in inputs):
        return _members_of([(name, cast("Reference", value)) for name, value in inputs])
    pairs = [(name, getter(value)) for name, value in inputs]

    def spread_out(context: Mapping[str, object]) -> dict[str, object]:
        given = context["input"]
        made: dict[str, object] = dict(given) if isinstance(given, Mapping) else {}
        for name, get in pairs:
            made[name] = get(context)
        return made

    return spread_out if spread else lambda context: {name: get(context) for name, get in pairs}


def _members_of(inputs: Sequence[tuple[str, Reference]]) -> Callable[[Mapping[str, object]], dict[str, object]]:
    """Make the dict of inputs that are answers or fields of answers, as nearly all are, in one loop without calls."""
    parts = [(name, one.path[0], one.path[-1] if len(one.path) == 2 else "", one) for name, one in inputs]

    def made(context: Mapping[str, object]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, first, last, whole in parts:
            value = context.get(first)
            if last and value is not None:
                shown = _SHOWN.get(type(value))
                value = getattr(value, last) if shown and last in shown else _step(value, last, whole)
            found[name] = value
        return found

    return made
