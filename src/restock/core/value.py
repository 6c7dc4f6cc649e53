"""Values: frozen dataclasses that are cheap to make and to change a copy of.

A frozen dataclass sets each field through `object.__setattr__`; for an order of 19 fields that costs more than deciding on
it. `value` makes the same class with an `__init__` that sets all fields at once, `changed` is `dataclasses.replace` without
the detour through it. Use both where thousands are made a second; elsewhere `dataclass(frozen=True)` says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(kind: type[T]) -> type[T]:
    """Make a frozen dataclass of a class of annotated fields. Raises TypeError for what its `__init__` cannot do."""
    made = dataclass(frozen=True)(kind)
    its_fields = fields(cast("Any", made))
    if hasattr(made, "__post_init__") or not all(one.init for one in its_fields):
        raise TypeError(f"{kind.__name__} needs dataclass(frozen=True): it computes a field when it is made.")
    made.__init__ = _init(its_fields)  # type: ignore[method-assign]  # the one place that replaces it
    return made


def changed(one: T, **changes: object) -> T:
    """Give a copy of a value with some fields changed; the names must be fields."""
    kind = type(one)
    copy = kind.__new__(kind)
    object.__setattr__(copy, "__dict__", {**one.__dict__, **changes})
    return copy


def _init(its_fields: tuple[Field[Any], ...]) -> Callable[..., None]:
    space: dict[str, object] = {"_set": object.__setattr__, "_absent": MISSING}
    parameters, members = ["self"], []
    for one in its_fields:
        member = one.name
        if one.default_factory is not MISSING:
            space[f"_{one.name}"] = one.default_factory
            parameters.append(f"{one.name}=_absent")
            member = f"_{one.name}() if {one.name} is _absent else {one.name}"
        elif one.default is not MISSING:
            space[f"_{one.name}"] = one.default
            parameters.append(f"{one.name}=_{one.name}")
        else:
            parameters.append(one.name)
        members.append(f"{one.name!r}: {member}")
    code = f"def __init__({', '.join(parameters)}):\n    _set(self, '__dict__', {{{', '.join(members)}}})\n"
    exec(code, space)  # noqa: S102 - the names are those of a class's own fields
    return cast("Callable[..., None]", space["__init__"])
