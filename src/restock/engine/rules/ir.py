"""The typed intermediate representation: what every engine, proof and comparison of rulebooks starts from.

`resolve` makes it. Every field has a kind, and a number its decimals and range; every expression has a kind. A program
is closed: each name in it is one of its fields. Engines trust it and check nothing again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from restock.engine.rules.errors import Place
from restock.engine.rules.syntax import NOWHERE

Kind = Literal["number", "text", "bool"]
Value = Decimal | bool | str
Role = Literal["input", "output"]
RoundingMode = Literal["half_even", "half_up", "up", "down", "floor", "ceil"]


@dataclass(frozen=True, slots=True)
class Const:
    """A fixed value."""

    kind: Kind
    value: Value
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """The present value of a field."""

    kind: Kind
    name: str
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """Minus a number."""

    operand: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    operand: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+ - *` are exact; `%` has the sign of the left operand, as the published engine has it."""

    operator: str
    left: Expr
    right: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """`== != < <= > >=` of two numbers, or `== !=` of two texts or bools."""

    operator: str
    left: Expr
    right: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """`&&` and `||`; the right operand is looked at only when the left does not decide."""

    operator: str
    left: Expr
    right: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rounded:
    """A number, or an exact quotient when there is a divisor, rounded once to so many decimals.

    `up` is away from zero and `down` towards it; `floor` and `ceil` towards the smaller and the larger number.
    """

    operand: Expr
    divisor: Expr | None
    decimals: int
    mode: RoundingMode
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """A built-in function: abs, min, max, length, contains, startsWith, endsWith, lower, upper, trim, join (text + text)."""

    kind: Kind
    function: str
    arguments: tuple[Expr, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


Expr = Const | Read | Negate | Not | Arithmetic | Compare | Logic | Rounded | Apply


def kind_of(node: Expr) -> Kind:
    """Give the kind of an expression's value."""
    match node:
        case Const() | Read() | Apply():
            return node.kind
        case Not() | Compare() | Logic():
            return "bool"
        case _:
            return "number"


def parts(node: Expr) -> tuple[Expr, ...]:
    """Give the direct parts of an expression."""
    match node:
        case Negate() | Not():
            return (node.operand,)
        case Arithmetic() | Compare() | Logic():
            return (node.left, node.right)
        case Rounded():
            return (node.operand,) if node.divisor is None else (node.operand, node.divisor)
        case Apply():
            return node.arguments
        case _:
            return ()


def walk(node: Expr) -> Iterator[Expr]:
    """Give the expression and everything in it, in the order of the text."""
    yield node
    for part in parts(node):
        yield from walk(part)


def fields_read(*nodes: Expr) -> tuple[str, ...]:
    """Give the names of the fields that expressions read, each once, in the order of the text."""
    found = (part.name for node in nodes for part in walk(node) if isinstance(part, Read))
    return tuple(dict.fromkeys(found))


def conjuncts(condition: Expr) -> tuple[Expr, ...]:
    """Split a condition at its outermost `&&`."""
    if isinstance(condition, Logic) and condition.operator == "&&":
        return (*conjuncts(condition.left), *conjuncts(condition.right))
    return (condition,)


@dataclass(frozen=True, slots=True)
class Field:
    """An input that the caller gives, or an output that rules set.

    A number has `decimals` and lies in `low..high` (None: no bound is known). `default` is what stands before any rule
    fires, or what an absent input gets; `derived` computes an absent input from others. `checked` says that writes
    outside the declared range are an error at run time. `values` are the texts an enum allows; empty allows any.
    `helper` marks an input that no rule reads: it only serves to compute others. `absent` marks an input that may be
    absent (see `absence`): its default then only fills its place; `presence_of` names it in the bool that says so.
    """

    name: str
    role: Role
    kind: Kind
    decimals: int = 0
    low: Decimal | None = None
    high: Decimal | None = None
    default: Value | None = None
    derived: Expr | None = None
    declared: bool = False
    checked: bool = False
    values: tuple[str, ...] = ()
    helper: bool = False
    absent: bool = field(default=False, repr=False)
    presence_of: str = field(default="", repr=False)
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def optional(self) -> bool:
        """Whether a caller may leave this input out."""
        return self.helper or self.default is not None or self.derived is not None


@dataclass(frozen=True, slots=True)
class Write:
    """An assignment: the target gets the value at once."""

    target: str
    value: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RuleIR:
    """One rule. `tests` are the texts of the condition's conjuncts, for explanations."""

    name: str
    salience: int
    no_loop: bool
    module: str
    condition: Expr
    writes: tuple[Write, ...]
    description: str = field(default="", compare=False, repr=False)
    tests: tuple[str, ...] = field(default=(), compare=False, repr=False)
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def condition_reads(self) -> tuple[str, ...]:
        """Fields that the condition reads."""
        return fields_read(self.condition)

    @property
    def action_reads(self) -> tuple[str, ...]:
        """Fields that the actions read."""
        return fields_read(*(write.value for write in self.writes))

    @property
    def targets(self) -> tuple[str, ...]:
        """Fields that the rule writes, each once."""
        return tuple(dict.fromkeys(write.target for write in self.writes))


@dataclass(frozen=True, slots=True)
class Claim:
    """An `assume` (text is empty) or an `invariant`: typed and kept for proofs."""

    text: str
    condition: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Program:
    """A typed rulebook: fields in order (inputs first), rules in firing order (salience down, then as in the text)."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    rules: tuple[RuleIR, ...]
    assumptions: tuple[Claim, ...] = ()
    invariants: tuple[Claim, ...] = ()

    def field(self, name: str) -> Field:
        """Give a field by its name."""
        return self.fields()[name]

    def fields(self) -> dict[str, Field]:
        """Give all fields by name."""
        return {one.name: one for one in (*self.inputs, *self.outputs)}

    def modules(self) -> tuple[str, ...]:
        """Give the names of the modules that have rules."""
        return tuple(dict.fromkeys(rule.module for rule in self.rules))
