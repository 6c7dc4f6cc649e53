"""Cases beside a rulebook, `NAME.cases.yaml`: facts, and what a decision on them must be.

Plain data only: no tags, and a number is the exact decimal that is written. Whatever is wrong names file, line and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NoReturn

from restock.core.errors import InvalidInput
from restock.core.quantity import plain
from restock.engine.rules.errors import Place, meant
from restock.engine.rules.ir import Value
from restock.engine.rules.syntax import NOWHERE

if TYPE_CHECKING:
    import yaml

SUFFIX: Final = ".cases.yaml"
MAX_BYTES: Final = 1 << 20
"""Largest file of cases: ten thousand of them."""

_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?")
_WORDS: Final[dict[str, bool]] = {"true": True, "false": False}
_KEYS: Final = ("name", "facts", "module", "expect", "fired", "error", "breaks")

Facts = tuple[dict[str, Value | tuple[Value, ...]], ...]
"""Facts of one type; a field may be a list."""


@dataclass(frozen=True)
class Case:
    """One case. `expect` are some outputs, `fired` all rules in order, `error` a part of the refusal.

    For rules over facts `documents` are the facts by type, and `expected` fields that they have in the end. Every
    invariant must hold on it, but for those in `breaks`: known exceptions, each with its reason.
    """

    name: str
    facts: dict[str, Value]
    module: str = ""
    expect: dict[str, Value] = field(default_factory=dict)
    fired: tuple[str, ...] | None = None
    error: str = ""
    breaks: dict[str, str] = field(default_factory=dict)
    documents: dict[str, Facts] = field(default_factory=dict)
    expected: dict[str, Facts] = field(default_factory=dict)
    place: Place = NOWHERE


def read_cases(text: str, name: str) -> list[Case]:
    """Read a file of cases. Raises InvalidInput that says where and what."""
    import yaml  # noqa: PLC0415 - only who tests rules needs it

    if len(text.encode()) > MAX_BYTES:
        raise InvalidInput(f"{name} is larger than {MAX_BYTES} bytes.", field=name, remedy="Divide it.")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise InvalidInput(f"This is not YAML: {error.problem}.", field=place, remedy="Correct the text.") from None
    except yaml.YAMLError as error:
        raise InvalidInput(f"This is not YAML: {error}.", field=name, remedy="Correct the text.") from None
    return _Reader(name).cases(root)


def write_case(case: Case) -> str:
    """Write a case as it stands in a file, below its `cases:`."""
    lines = [f"  - name: {_quoted(case.name)}", f"    facts: {_flow(case.facts)}"]
    if case.expect:
        lines.append(f"    expect: {_flow(case.expect)}")
    return "\n".join(lines) + "\n"


def _flow(values: Mapping[str, Value]) -> str:
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in values.items()) + "}"


def _scalar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{plain(value):f}" if isinstance(value, Decimal) else _quoted(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _kind(node: yaml.Node) -> str:
    return str(getattr(node, "id", ""))


class _Reader:
    """Reads nodes of one file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def cases(self, root: yaml.Node | None) -> list[Case]:
        if root is None:
            return []
        members = self._mapping(root, "The file")
        if list(members) != ["cases"]:
            self._refuse(root, "The file must have one key, 'cases', with a list of cases.")
        found: dict[str, Case] = {}
        if members["cases"].tag == "tag:yaml.org,2002:null":
            return []
        for node in self._list(members["cases"], "'cases'"):
            case = self._case(node)
            if case.name in found:
                self._refuse(node, f"There is already a case {case.name!r} at line {found[case.name].place.line}.")
            found[case.name] = case
        return list(found.values())

    def _case(self, node: yaml.Node) -> Case:
        members = self._mapping(node, "A case")
        for key in members:
            if key not in _KEYS:
                self._refuse(members[key], f"A case has no '{key}'.", meant(key, _KEYS))
        for key in ("name", "facts"):
            if key not in members:
                self._refuse(node, f"This case has no '{key}'.")
        fired = members.get("fired")
        breaks = self._values(members.get("breaks"), "'breaks'")
        flat, documents = self._both(members["facts"], "'facts'")
        expect, expected = self._both(members.get("expect"), "'expect'")
        return Case(
            self._text(members["name"], "'name'"),
            flat,
            self._text(members["module"], "'module'") if "module" in members else "",
            expect,
            None if fired is None else tuple(self._text(one, "a rule") for one in self._list(fired, "'fired'")),
            self._text(members["error"], "'error'") if "error" in members else "",
            {invariant: str(reason) for invariant, reason in breaks.items()},
            documents,
            expected,
            self._place(node),
        )

    def _both(self, node: yaml.Node | None, what: str) -> tuple[dict[str, Value], dict[str, Facts]]:
        """Read values, and under the name of a type one fact or a list of them."""
        members = {} if node is None else self._mapping(node, what)
        facts = {name: one for name, one in members.items() if _kind(one) != "scalar"}
        flat = {name: self._value(one, name) for name, one in members.items() if name not in facts}
        return flat, {name: tuple(self._facts(one, name)) for name, one in facts.items()}

    def _facts(self, node: yaml.Node, name: str) -> Iterator[dict[str, Value | tuple[Value, ...]]]:
        for one in self._list(node, f"'{name}'") if _kind(node) == "sequence" else [node]:
            fields = self._mapping(one, f"A fact of '{name}'")
            yield {path: self._field(value, path) for path, value in fields.items()}

    def _field(self, node: yaml.Node, name: str) -> Value | tuple[Value, ...]:
        if _kind(node) != "sequence":
            return self._value(node, name)
        return tuple(self._value(one, name) for one in self._list(node, f"'{name}'"))

    def _values(self, node: yaml.Node | None, what: str) -> dict[str, Value]:
        if node is None:
            return {}
        return {name: self._value(one, name) for name, one in self._mapping(node, what).items()}

    def _value(self, node: yaml.Node, name: str) -> Value:
        if not isinstance(node.value, str):
            self._refuse(node, f"'{name}' must be a number, a text, true or false.")
        bare = getattr(node, "style", None) is None
        if bare and node.value in _WORDS:
            return _WORDS[node.value]
        if bare and _NUMBER.fullmatch(node.value):
            return plain(Decimal(node.value))
        return node.value

    def _mapping(self, node: yaml.Node, what: str) -> dict[str, yaml.Node]:
        if _kind(node) != "mapping":
            self._refuse(node, f"{what} must be a mapping (name: value).")
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self._text(key, "A key")
            if name in found:
                self._refuse(key, f"'{name}' is given twice.")
            found[name] = value
        return found

    def _list(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if _kind(node) != "sequence":
            self._refuse(node, f"{what} must be a list.")
        return list(node.value)

    def _text(self, node: yaml.Node, what: str) -> str:
        if _kind(node) != "scalar" or not str(node.value).strip():
            self._refuse(node, f"{what} must be a text.")
        return str(node.value)

    def _place(self, node: yaml.Node) -> Place:
        return Place(node.start_mark.line + 1, node.start_mark.column + 1)

    def _refuse(self, node: yaml.Node, what: str, remedy: str = "Correct it.") -> NoReturn:
        place = self._place(node)
        raise InvalidInput(what, field=f"{self._file}:{place.line}:{place.column}", remedy=remedy)
