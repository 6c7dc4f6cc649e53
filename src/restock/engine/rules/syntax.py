"""The abstract syntax of a rulebook: what the text says, before names and types mean anything.

The parser makes it, the printer writes it back, `resolve` gives it meaning. Equality ignores places and the way a text
was laid out, so that parsing a printed tree gives an equal tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from restock.engine.rules.errors import Place

NOWHERE = Place(1, 1)
"""The place of nodes that no text produced."""

MAIN = "MAIN"
"""The module of rules that stand before every module comment."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, true or false, or a text."""

    value: Decimal | bool | str
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A field, or a name with dots."""

    name: str
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `!x`."""

    operator: str
    operand: Expression
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; the operator is written in its symbol form, or as contains, startsWith, endsWith, in."""

    operator: str
    left: Expression
    right: Expression
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function with arguments."""

    function: str
    arguments: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Items:
    """A list in brackets; it may stand only behind `in`."""

    items: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


class Element:
    """What stands in a condition and looks over facts or lists; its kinds are in `syntax_patterns`."""

    __slots__ = ()
    place: Place

    def parts(self) -> tuple[Expression, ...]:
        """Give the expressions it holds."""
        return ()


Expression = Literal | Name | Unary | Binary | Call | Items | Element


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as written: decimal, decimal(9,2), integer, bool, text or an enum's name."""

    name: str
    digits: int | None = None
    decimals: int | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FieldDeclaration:
    """`input` or `output`: name, type, range and default, each but the name optional."""

    role: str
    name: str
    type: TypeName | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    default: Expression | None = None
    optional: bool = False
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EnumDeclaration:
    """The texts that fields of this type may hold."""

    name: str
    values: tuple[str, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """`assume` (text is empty) or `invariant` with its sentence."""

    word: str
    text: str
    condition: Expression
    place: Place = field(default=NOWHERE, compare=False, repr=False)


Declaration = FieldDeclaration | EnumDeclaration | Statement


@dataclass(frozen=True, slots=True)
class Assignment:
    """`field = expression;`."""

    target: str
    value: Expression
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Log:
    """`Log(...)`: kept in the text, does nothing."""

    arguments: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Append:
    """`list += expression;`."""

    target: str
    value: Expression
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MethodCall:
    """`$object.method(...)`: setX sets a field, everything else is refused by name."""

    target: str
    method: str
    arguments: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ActionCall:
    """`retract($o)`, `ActivateAgendaGroup("a")`, or an action that no engine runs."""

    name: str
    arguments: tuple[Expression, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


Action = Assignment | Log | Append | MethodCall | ActionCall


@dataclass(frozen=True, slots=True)
class Attribute:
    """A rule attribute besides salience and no-loop, kept so that `resolve` can refuse it by name."""

    name: str
    value: str | bool
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as written."""

    name: str
    condition: Expression
    actions: tuple[Action, ...]
    description: str = ""
    salience: int = 0
    no_loop: bool = False
    attributes: tuple[Attribute, ...] = ()
    module: str = MAIN
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Import:
    """What a module takes from another: patterns of rule names and of templates (empty: none given)."""

    module: str
    rules: str
    templates: str = ""
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Module:
    """`defmodule`: what it lets others see (all, none or a pattern), and what it takes from them."""

    name: str
    exports: str
    imports: tuple[Import, ...] = ()
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """`query`: a goal to be shown from the facts; `settings` are the written ones by name, in the order of the text."""

    name: str
    goal: Expression
    settings: tuple[tuple[str, str | int | bool], ...] = ()
    condition: Expression | None = None
    answers: tuple[tuple[str, tuple[Action, ...]], ...] = ()
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RulebookSyntax:
    """A whole text: declarations, rules, modules and queries, each in the order of the text."""

    declarations: tuple[Declaration, ...]
    rules: tuple[Rule, ...]
    modules: tuple[Module, ...] = ()
    queries: tuple[Query, ...] = ()


def rebuilt(node: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Give the expression with changed parts. Of `round` only the number: decimals and mode are words, not fields."""
    match node:
        case Unary():
            return replace(node, operand=change(node.operand))
        case Binary():
            return replace(node, left=change(node.left), right=change(node.right))
        case Call(function="round"):
            return replace(node, arguments=(*map(change, node.arguments[:1]), *node.arguments[1:]))
        case Call():
            return replace(node, arguments=tuple(map(change, node.arguments)))
        case Items():
            return replace(node, items=tuple(map(change, node.items)))
        case _:
            return node


def children(node: Expression) -> tuple[Expression, ...]:
    """Give the direct parts of an expression."""
    match node:
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Call():
            return node.arguments
        case Items():
            return node.items
        case Element():
            return node.parts()
        case _:
            return ()
