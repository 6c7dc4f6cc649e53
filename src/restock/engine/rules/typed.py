"""Pass 4: expressions get kinds; names, functions and operands that do not fit are refused with the nearest known name.

Sugar goes away here: `in`, `sum` and the aliases of functions become the few nodes of the IR.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final, cast

from restock.core.quantity import plain
from restock.engine.rules.absence import there
from restock.engine.rules.errors import Place, RuleError, SourceText, nearest
from restock.engine.rules.infer import AVERAGES, literal_kind
from restock.engine.rules.ir import (
    Apply,
    Arithmetic,
    Compare,
    Const,
    Expr,
    Kind,
    Logic,
    Negate,
    Not,
    Read,
    Rounded,
    RoundingMode,
    kind_of,
)
from restock.engine.rules.parser_expressions import COMPARISONS
from restock.engine.rules.syntax import Binary, Call, Element, Expression, Items, Literal, Name, Unary
from restock.engine.rules.syntax_patterns import Null
from restock.engine.rules.wildcards import wildcard

Join = Callable[[Expr, Expr], Expr]

ROUNDING_MODES: Final = ("half_up", "half_even", "up", "down")
MAX_ROUNDING_DECIMALS: Final = 12
"""Most decimals to round to: money has 2 to 4, a rate 6."""

_ALIASES: Final = {
    "lowercase": "lower",
    "uppercase": "upper",
    "startswith": "startsWith",
    "endswith": "endsWith",
}

_SIGNATURES: Final[dict[str, tuple[Kind, int, int, Kind]]] = {
    "abs": ("number", 1, 1, "number"),
    "min": ("number", 2, 16, "number"),
    "max": ("number", 2, 16, "number"),
    "sum": ("number", 2, 16, "number"),
    "length": ("text", 1, 1, "number"),
    "lower": ("text", 1, 1, "text"),
    "upper": ("text", 1, 1, "text"),
    "trim": ("text", 1, 1, "text"),
    "contains": ("text", 2, 2, "bool"),
    "startsWith": ("text", 2, 2, "bool"),
    "endsWith": ("text", 2, 2, "bool"),
    "has": ("text", 1, 1, "bool"),
}
"""Kind of the arguments, their least and greatest count, kind of the result."""

FUNCTIONS: Final = ("round", "floor", "ceil", "avg", *_SIGNATURES, *_ALIASES)
"""Every function a rule may call."""

_WORDS: Final[dict[Kind, str]] = {"number": "a number", "text": "a text", "bool": "true or false"}


class ExpressionTyper:
    """Gives expressions their kinds, for one text knowing fields, the texts that enums allow, what may be absent."""

    def __init__(
        self,
        source: SourceText,
        kinds: Mapping[str, Kind],
        allowed: Mapping[str, tuple[str, ...]],
        absent: Collection[str] = (),
    ) -> None:
        self._source = source
        self._kinds = kinds
        self._allowed = allowed
        self._absent = absent

    def condition(self, node: Expression) -> Expr:
        """Type a condition."""
        return self.typed(node, "bool", "a condition is true or false")

    def assigned(self, target: str, node: Expression) -> Expr:
        """Type the value of an assignment to a known field."""
        value = self.typed(node, self._kinds[target], f"'{target}' is {_WORDS[self._kinds[target]]}")
        self._check_enum(Read(self._kinds[target], target), value)
        return value

    def typed(self, node: Expression, kind: Kind, reason: str) -> Expr:
        """Type an expression that must be of a kind, for the reason given."""
        return self._required(self._expression(node), kind, node.place, reason)

    def _required(self, result: Expr, kind: Kind, place: Place, reason: str) -> Expr:
        if kind_of(result) != kind:
            raise self._error(place, f"Expected {_WORDS[kind]} ({reason}), found {_WORDS[kind_of(result)]}.")
        return result

    def _expression(self, node: Expression) -> Expr:
        match node:
            case Literal():
                value = plain(node.value) if isinstance(node.value, Decimal) else node.value
                return Const(literal_kind(node), value, node.place)
            case Name():
                return self._name(node)
            case Unary(operator="!"):
                return Not(self.typed(node.operand, "bool", "'!' negates a condition"), node.place)
            case Unary():
                return Negate(self.typed(node.operand, "number", "'-' takes a number"), node.place)
            case Binary():
                return self._binary(node)
            case Call():
                return self._call(node)
            case Items():
                raise self._error(node.place, "A list may stand only behind 'in'.")
            case Element():
                raise self._error(node.place, "Facts and lists cannot stand inside a value or a comparison.")

    def _presence(self, node: Expression, whole: Expression) -> Expr:
        """Type the question whether an input is there: `has(x)`, `x != null`."""
        if not isinstance(node, Name):
            raise self._error(whole.place, "Only an input or a field of a fact may be absent: has(mail), mail == null.")
        name = self._name(node)
        if node.name not in self._absent:
            message = (
                f"'{node.name}' is never absent: only an input declared optional is (input {node.name}: … optional;)."
            )
            raise self._error(whole.place, message)
        return replace(there(node.name), place=name.place)

    def _name(self, node: Name) -> Expr:
        kind = self._kinds.get(node.name)
        if kind is None:
            raise self._error(node.place, f"There is no field '{node.name}'.", nearest(node.name, self._kinds))
        return Read(kind, node.name, node.place)

    def _binary(self, node: Binary) -> Expr:
        operator, place = node.operator, node.place
        if operator in ("&&", "||"):
            left = self.typed(node.left, "bool", f"'{operator}' joins conditions")
            return Logic(operator, left, self.typed(node.right, "bool", f"'{operator}' joins conditions"), place)
        if operator == "in":
            return self._membership(node)
        if operator == "matches":
            return self._expression(wildcard(self._source, node))
        if operator in COMPARISONS:
            return self._comparison(node)
        if operator == "/":
            raise self._error(place, "A division may stand only directly inside round, floor or ceil: round(a / b, 2).")
        if operator in ("contains", "startsWith", "endsWith"):
            return self._call(Call(operator, (node.left, node.right), place))
        left = self._expression(node.left)
        if operator == "+" and kind_of(left) == "text":
            right = self.typed(node.right, "text", "'+' joins two texts or adds two numbers")
            return Apply("text", "join", (left, right), place)
        left = self._required(left, "number", node.left.place, f"'{operator}' takes numbers")
        right = self.typed(node.right, "number", f"'{operator}' takes numbers")
        return Arithmetic(operator, left, self._divisor(right) if operator == "%" else right, place)

    def _comparison(self, node: Binary) -> Expr:
        if isinstance(node.right, Null) and node.operator in ("==", "!="):
            present = self._presence(node.left, node)
            return present if node.operator == "!=" else Not(present, node.place)
        return self._compare(node.operator, self._expression(node.left), self._expression(node.right), node.place)

    def _compare(self, operator: str, left: Expr, right: Expr, place: Place) -> Expr:
        if kind_of(left) != kind_of(right):
            message = f"{_WORDS[kind_of(left)].capitalize()} is compared with {_WORDS[kind_of(right)]}."
            raise self._error(place, message)
        if kind_of(left) != "number" and operator not in ("==", "!="):
            raise self._error(place, f"'{operator}' compares numbers; texts and bools are compared with == or !=.")
        self._check_enum(left, right)
        self._check_enum(right, left)
        return Compare(operator, left, right, place)

    def _check_enum(self, left: Expr, right: Expr) -> None:
        if isinstance(left, Read) and isinstance(right, Const) and isinstance(right.value, str):
            allowed = self._allowed.get(left.name, ())
            if allowed and right.value not in allowed:
                message = f"\"{right.value}\" is not a value of '{left.name}'."
                raise self._error(right.place, message, nearest(right.value, allowed))

    def _membership(self, node: Binary) -> Expr:
        items = node.right.items if isinstance(node.right, Items) else ()
        if not items:
            raise self._error(node.right.place, "Behind 'in' stands a list of values: in [1, 2].")
        left = self._expression(node.left)
        tests = [self._compare("==", left, self._expression(item), node.place) for item in items]
        return _balanced(tests, lambda first, second: Logic("||", first, second, node.place))

    def _call(self, node: Call) -> Expr:
        function = _ALIASES.get(node.function, node.function)
        if function in ("round", "floor", "ceil"):
            return self._rounding(function, node)
        if function == "has" and len(node.arguments) == 1:
            return self._presence(node.arguments[0], node)
        signature = _SIGNATURES.get(function)
        if signature is None:
            suggestion = nearest(node.function, FUNCTIONS)
            if function[:1].isupper():
                raise self._error(node.place, f"Typed patterns ('{function}(...)') are not supported; use flat fields.")
            raise self._error(node.place, f"There is no function '{node.function}'.", suggestion)
        kind, least, most, result = signature
        if not least <= len(node.arguments) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            raise self._error(
                node.place, f"'{function}' takes {count} argument{'s' * (count != '1')}, not {len(node.arguments)}."
            )
        arguments = [self.typed(one, kind, f"'{function}' takes {_WORDS[kind]}") for one in node.arguments]
        if function == "sum":
            return _balanced(arguments, lambda first, second: Arithmetic("+", first, second, node.place))
        return Apply(result, function, tuple(arguments), node.place)

    def _rounding(self, function: str, node: Call) -> Expr:
        most = 3 if function == "round" else 1
        if not 1 <= len(node.arguments) <= most:
            takes = "a number, decimals and a mode" if most == 3 else "one number"
            raise self._error(node.place, f"'{function}' takes {takes}, not {len(node.arguments)} arguments.")
        decimals = self._decimals(node.arguments[1]) if len(node.arguments) > 1 else 0
        mode = self._mode(node.arguments[2]) if len(node.arguments) > 2 else "half_up"
        if function != "round":
            mode = cast(RoundingMode, function)
        inner = node.arguments[0]
        if isinstance(inner, Call) and inner.function in AVERAGES:
            count = Literal(Decimal(len(inner.arguments)), inner.place)
            inner = Binary("/", Call("sum", inner.arguments, inner.place), count, inner.place)
        reason = f"'{function}' takes a number"
        if isinstance(inner, Binary) and inner.operator == "/":
            operand = self.typed(inner.left, "number", reason)
            divisor = self._divisor(self.typed(inner.right, "number", reason))
            return Rounded(operand, divisor, decimals, mode, node.place)
        return Rounded(self.typed(inner, "number", reason), None, decimals, mode, node.place)

    def _divisor(self, node: Expr) -> Expr:
        if isinstance(node, Const) and node.value == 0:
            raise self._error(node.place, "This divides by zero.")
        return node

    def _decimals(self, node: Expression) -> int:
        value = node.value if isinstance(node, Literal) else None
        if isinstance(value, Decimal) and value == int(value) and 0 <= value <= MAX_ROUNDING_DECIMALS:
            return int(value)
        raise self._error(node.place, f"The decimals to round to are a whole number from 0 to {MAX_ROUNDING_DECIMALS}.")

    def _mode(self, node: Expression) -> RoundingMode:
        if isinstance(node, Name) and node.name in ROUNDING_MODES:
            return cast(RoundingMode, node.name)
        suggestion = nearest(node.name, ROUNDING_MODES) if isinstance(node, Name) else ""
        raise self._error(node.place, f"The rounding mode is one of {', '.join(ROUNDING_MODES)}.", suggestion)

    def _error(self, place: Place, message: str, suggestion: str = "") -> RuleError:
        return self._source.error(place, message, suggestion)


def _balanced(nodes: list[Expr], join: Join) -> Expr:
    """Join many nodes pairwise in order, so that the tree stays flat."""
    while len(nodes) > 1:
        pairs = [join(nodes[at], nodes[at + 1]) for at in range(0, len(nodes) - 1, 2)]
        nodes = pairs + nodes[len(pairs) * 2 :]
    return nodes[0]
