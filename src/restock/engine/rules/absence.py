"""Inputs that may be absent: beside each stands a bool, `has(name)`, that says whether it is there.

So no engine knows null. An absent input holds a value that nobody reads: each test that would read it asks its bool first
and is false where it is absent, and an action may read it only where the rule's condition says that it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from restock.engine.rules.errors import SourceText
from restock.engine.rules.ir import Apply, Const, Expr, Field, Logic, Not, Read, Value, fields_read, parts


def presence(name: str) -> str:
    """Give the name of the bool that says whether an input is there; no field of a text can be called so."""
    return f"has({name})"


def there(name: str) -> Expr:
    """Ask whether an input is there."""
    return Read("bool", presence(name))


def with_presence(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Give the fields with a bool behind each input that may be absent, and a value to fill its place."""
    found: dict[str, Field] = {}
    for name, one in fields.items():
        found[name] = one
        if one.absent:
            found[name] = replace(one, default=_filling(one))
            bool_name = presence(name)
            found[bool_name] = Field(bool_name, "input", "bool", default=False, presence_of=name, place=one.place)
    return found


def _filling(one: Field) -> Value:
    """Give the value nearest to nothing that the input may have."""
    if one.kind != "number":
        return False if one.kind == "bool" else one.values[0] if one.values else ""
    low, high = one.low or Decimal(0), one.high or Decimal(0)
    return min(max(Decimal(0), low), max(high, low))


def guarded(node: Expr, asked: Mapping[str, Expr]) -> Expr:
    """Make each test that reads an absent value false: put what asks for it (by name in `asked`) before the test."""
    if not asked:
        return node
    if isinstance(node, Logic):
        return Logic(node.operator, guarded(node.left, asked), guarded(node.right, asked), node.place)
    if isinstance(node, Not):
        return Not(guarded(node.operand, asked), node.place)
    for name in sorted(set(_values_read(node)) & asked.keys(), reverse=True):
        node = Logic("&&", replace(asked[name], place=node.place), node, node.place)
    return node


def _values_read(node: Expr) -> Iterator[str]:
    """Give the names whose values an expression needs; `has` needs none."""
    if isinstance(node, Apply) and node.function == "has":
        return
    if isinstance(node, Read):
        yield node.name
    for part in parts(node):
        yield from _values_read(part)


def refuse_unasked(source: SourceText, rule: str, value: Expr, asked: Iterable[str], tests: Iterable[Expr]) -> None:
    """Refuse an action that reads an input which may be absent where the tests do not say that it is there."""
    known = list(tests)
    for name in sorted(set(fields_read(value)) & set(asked)):
        if not any(_assures(test, presence(name)) for test in known):
            message = f"'{name}' may be absent here: ask for it in the condition of {rule}: has({name})."
            raise source.error(value.place, message)


def _assures(test: Expr, bool_name: str, holds: bool = True) -> bool:
    """Tell whether a test that holds, or one that does not, says that the bool is true."""
    match test:
        case Const():
            return test.value is not holds
        case Read():
            return holds and test.name == bool_name
        case Not():
            return _assures(test.operand, bool_name, not holds)
        case Logic():
            sides = (_assures(test.left, bool_name, holds), _assures(test.right, bool_name, holds))
            return any(sides) if (test.operator == "&&") is holds else all(sides)
        case _:
            return False


def with_bools(inputs: Iterable[Field], facts: Mapping[str, Value]) -> dict[str, Value]:
    """Give facts with everything about the inputs that may be absent; the opposite of `only_given`."""
    found = dict(facts)
    for one in inputs:
        if one.presence_of:
            found[one.name] = facts.get(one.name) is not False and one.presence_of in facts
        elif one.absent and one.default is not None:
            found.setdefault(one.name, one.default)
    return found


def only_given(values: Mapping[str, Value]) -> dict[str, Value]:
    """Give facts as people know them: without what is absent and without the bools that say so."""
    bools = {name: value for name, value in values.items() if name.startswith("has(")}
    if not bools:
        return dict(values)
    gone = {name for name in values if bools.get(presence(name)) is False}
    return {name: value for name, value in values.items() if name not in gone and name not in bools}
