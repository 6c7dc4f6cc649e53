"""Text of a flow (YAML or JSON) to a plain tree that remembers lines and columns.

Only plain data is read: no tags, no duplicate keys, numbers with a point are exact decimals, and `yes`, `no`, `on` are text.
Whatever is wrong is a FlowError with file, line and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn

from restock.engine.graph.model import FlowError

if TYPE_CHECKING:
    import yaml

MAX_TEXT = 1 << 20
"""Characters of a flow file: 500 nodes need a tenth of it."""

MAX_VALUES = 20_000
"""Values of a flow file, aliases expanded: stops the file that unfolds to billions."""

MAX_TREE_DEPTH = 40
"""Levels of a flow file, aliases expanded: stops the file that contains itself."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]*([eE][-+]?[0-9]{1,3})?|[-+]?[0-9]+[eE][-+]?[0-9]{1,3}")
_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge", "value")
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "~": None, "": None}

Plain = str | int | Decimal | bool | None


@dataclass(frozen=True)
class Tree:
    """A value of the file and its place. `value` is plain, a list of trees, or a dict of trees; `keys` place its keys."""

    value: object
    file: str
    line: int
    column: int
    keys: dict[str, Tree] = field(default_factory=dict)
    style: str | None = None

    def refuse(self, what: str, remedy: str = "", shift: int = -1) -> NoReturn:
        """Raise a FlowError that points here, or `shift` characters (at least 0) into the text that stands here."""
        if shift >= 0:
            shift = 0 if self.style in ("|", ">") else shift + (self.style is not None)
        raise FlowError(what, file=self.file, line=self.line, column=self.column + max(shift, 0), remedy=remedy)

    def key(self, name: str) -> Tree:
        """Give the place of a key, or of the mapping when it lacks the key."""
        return self.keys.get(name, self)

    def get(self, name: str) -> Tree | None:
        """Give the value under a key; None when it is absent or null."""
        found = self.value.get(name) if isinstance(self.value, dict) else None
        return found if isinstance(found, Tree) and found.value is not None else None

    def mapping(self, what: str) -> dict[str, Tree]:
        """Give the members of a mapping, or refuse, saying what was expected here."""
        if not isinstance(self.value, dict):
            self.refuse(f"{what} must be a mapping (name: value), not {self.shape()}.")
        return self.value

    def items(self, what: str) -> list[Tree]:
        """Give the members of a list, or refuse, saying what was expected here."""
        if not isinstance(self.value, list):
            self.refuse(f"{what} must be a list, not {self.shape()}.")
        return self.value

    def text(self, what: str) -> str:
        """Give a text, or refuse, saying what was expected here."""
        if not isinstance(self.value, str) or not self.value.strip():
            self.refuse(f"{what} must be a text, not {self.shape()}.")
        return self.value.strip()

    def shape(self) -> str:
        """Name the kind of value for a message."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return "nothing" if self.value is None else repr(self.value) if isinstance(self.value, str) else str(self.value)

    def plain(self) -> object:
        """Give the value without its places."""
        if isinstance(self.value, dict):
            return {name: member.plain() for name, member in self.value.items()}
        if isinstance(self.value, list):
            return [member.plain() for member in self.value]
        return self.value

    def like(self, value: object) -> Tree:
        """Put another value at this place: for shapes that are rewritten."""
        return Tree(value, self.file, self.line, self.column, self.keys)


def _fail(name: str, what: str, line: int = 1, column: int = 1, remedy: str = "") -> NoReturn:
    raise FlowError(what, file=name, line=line, column=column, remedy=remedy)


def decode(data: str | bytes, name: str) -> str:
    """Give the text of a flow file; refuses bytes that are not UTF-8, and files that are too large."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        _fail(name, f"Byte 0x{error.object[error.start]:02x} is not UTF-8.", line, column, "Save the file as UTF-8.")
    if len(text) > MAX_TEXT:
        _fail(name, f"The file has {len(text)} characters, {MAX_TEXT} are allowed.")
    return text.removeprefix("\ufeff")


def _checked_json(text: str, name: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        _fail(name, f"This is not JSON: {error.msg}.", error.lineno, error.colno)
    return text.replace("\t", " ")  # JSON has no tab inside a text, YAML no tab outside


def parse(data: str | bytes, name: str) -> Tree:
    """Read a file to a tree. JSON is what ends in .json, or begins with a brace and is not called YAML. Raises FlowError."""
    import yaml  # noqa: PLC0415 - only who loads a flow needs it

    text = decode(data, name)
    if not text.strip():
        _fail(name, "The file is empty.", remedy="A flow needs at least 'nodes:'.")
    try:
        braced = text.lstrip().startswith("{") and not name.endswith((".yaml", ".yml"))
        if braced or name.endswith(".json"):
            text = _checked_json(text, name)
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        _fail(
            name, f"This is not YAML: {error.problem or error.context}.", line, column, "Check indentation and quotes."
        )
    except yaml.YAMLError as error:
        _fail(name, f"This is not YAML: {str(error).splitlines()[0]}.")
    except (RecursionError, ValueError):
        _fail(name, f"The file nests deeper than {MAX_TREE_DEPTH} levels.")
    if root is None:
        _fail(name, "The file has only comments.", remedy="A flow needs at least 'nodes:'.")
    return _tree(root, name, iter(range(MAX_VALUES)), 0)


def _scalar(node: yaml.ScalarNode) -> Plain:
    text = str(node.value)
    if node.style is not None:  # quoted or block
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if text in _WORDS:
        word = _WORDS[text]
        return word if isinstance(word, bool) else None
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 40 else text
    return Decimal(text) if _DECIMAL.fullmatch(text) else text


def _tree(node: yaml.Node, name: str, budget: Iterator[int], depth: int) -> Tree:
    import yaml  # noqa: PLC0415 - only who loads a flow needs it

    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if next(budget, None) is None:
        _fail(name, f"The file unfolds to more than {MAX_VALUES} values.", line, column)
    if depth > MAX_TREE_DEPTH:
        _fail(name, f"The file nests deeper than {MAX_TREE_DEPTH} levels.", line, column)
    if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
        _fail(name, f"The tag '{node.tag}' is not allowed: a flow is plain data.", line, column)
    if isinstance(node, yaml.ScalarNode):
        return Tree(_scalar(node), name, line, column, style=node.style)
    if isinstance(node, yaml.SequenceNode):
        return Tree([_tree(each, name, budget, depth + 1) for each in node.value], name, line, column)
    members: dict[str, Tree] = {}
    keys: dict[str, Tree] = {}
    for key_node, value_node in node.value:
        key = _tree(key_node, name, budget, depth + 1)
        if isinstance(key.value, dict | list) or key.value is None:
            key.refuse("A key must be a plain word.")
        word = str(key_node.value)
        if word in members:
            key.refuse(f"'{word}' is here twice; it is already on line {keys[word].line}.", "Remove or rename one.")
        members[word], keys[word] = _tree(value_node, name, budget, depth + 1), key
    return Tree(members, name, line, column, keys)
