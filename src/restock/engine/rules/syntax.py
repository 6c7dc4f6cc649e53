"""The abstract syntax of a rulebook: what the text says, before names and types mean anything.

The parser makes it, the printer writes it back, `resolve` gives it meaning. Equality ignores places and the way a text
was laid out, so that parsing a printed tree gives an equal tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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


Expression = Literal | Name | Unary | Binary | Call | Items


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


Action = Assignment | Log


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
class RulebookSyntax:
    """A whole text: declarations and rules, each in the order of the text."""

    declarations: tuple[Declaration, ...]
    rules: tuple[Rule, ...]


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
        case _:
            return ()
