"""Pass 4 for facts: which fact a name means. Conditions become a list of alternatives with names written in full.

`amount` inside `$o: Order(...)` becomes `$o.amount`; a variable bound to a field becomes that field; `Order.amount` is the
fact of the pattern without a variable; a name that is none of these stays a flat field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from restock.engine.rules.errors import Place, RuleError, SourceText, nearest
from restock.engine.rules.syntax import Binary, Call, Element, Expression, Name, Unary, rebuilt
from restock.engine.rules.syntax_patterns import (
    Accumulate,
    Bind,
    Multifield,
    Pattern,
    Quantified,
    Stream,
    elements,
)

MAX_ALTERNATIVES = 32
"""Most alternatives of one rule: `||` between patterns multiplies, and people write two or three."""


@dataclass
class Matched:
    """A pattern or a stream with tests in full names."""

    variable: str
    type: str
    tests: list[Expression]
    place: Place


@dataclass
class Gathered:
    """An accumulate with tests in full names; `name` is how other expressions read its result."""

    name: str
    type: str
    variable: str
    function: str
    value: Expression
    tests: list[Expression]
    place: Place


@dataclass
class Grouped:
    """exists, forall and not: whether one of the branches has a match."""

    negated: bool
    branches: list[list[Scoped]]


Scoped = Matched | Gathered | Grouped | Expression
"""A condition; an expression is a test."""


@dataclass
class Scope:
    """What names mean at one point of a rule."""

    types: dict[str, str] = field(default_factory=dict)
    meaning: dict[str, Expression] = field(default_factory=dict)
    implicit: dict[str, str] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)

    def copy(self) -> Scope:
        """Give a scope for what stands inside."""
        return Scope(dict(self.types), dict(self.meaning), dict(self.implicit), self.lists)


class ScopeReader:
    """Reads the conditions and targets of one rule."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._count = 0
        self.streams: dict[str, Stream] = {}

    def alternatives(self, node: Expression, scope: Scope) -> list[tuple[list[Scoped], Scope]]:
        """Give each alternative with the scope behind it."""
        found: list[tuple[list[Scoped], Scope]] = []
        for conjuncts in self._split(node):
            inner = scope.copy()
            conditions: list[Scoped] = []
            for conjunct in conjuncts:
                self._add(conjunct, inner, conditions)
            found.append((conditions, inner))
        return found

    def _split(self, node: Expression) -> list[list[Expression]]:
        """Split at `&&`, and at those `||` that stand between facts."""
        if isinstance(node, Binary) and node.operator == "&&":
            pairs = [(a, b) for a in self._split(node.left) for b in self._split(node.right)]
            if len(pairs) > MAX_ALTERNATIVES:
                raise self._error(node.place, f"'||' between patterns gives more than {MAX_ALTERNATIVES} alternatives.")
            return [[*left, *right] for left, right in pairs]
        if isinstance(node, Binary) and node.operator == "||" and _binds(node):
            found = self._split(node.left) + self._split(node.right)
            if len(found) > MAX_ALTERNATIVES:
                raise self._error(node.place, f"'||' between patterns gives more than {MAX_ALTERNATIVES} alternatives.")
            return found
        return [[node]]

    def _add(self, node: Expression, scope: Scope, found: list[Scoped]) -> None:
        match node:
            case Pattern():
                found.append(self._pattern(node, scope))
            case Stream():
                found.append(self._stream(node, scope))
            case Quantified(word="forall"):
                found.append(self._forall(node, scope))
            case Quantified():
                found.append(self._group(node.condition, scope, node.word == "not"))
            case Unary(operator="!") if _binds(node.operand):
                found.append(self._group(node.operand, scope, True))
            case Bind():
                scope.meaning[node.variable] = self.full(Name(node.path, node.place), scope)
            case Accumulate():
                self._gather(node, scope, found)
            case _:
                found += self._tests(node, scope, lambda name: name, found)

    def _group(self, node: Expression, scope: Scope, negated: bool) -> Grouped:
        return Grouped(negated, [conditions for conditions, _ in self.alternatives(node, scope)])

    def _forall(self, node: Quantified, scope: Scope) -> Grouped:
        """Turn `forall(P(c) && rest)` into: there is no P for which c and the rest do not hold."""
        conjuncts = self._split(node.condition)
        first = conjuncts[0][0]
        if len(conjuncts) > 1 or not isinstance(first, Pattern):
            raise self._error(node.place, "'forall' begins with one pattern: forall(Order(paid == true)).")
        inner = scope.copy()
        others = conjuncts[0][1:]
        if others:
            domain = self._pattern(first, inner)
            rest: list[Scoped] = []
            behind = inner.copy()
            for conjunct in others:
                self._add(conjunct, behind, rest)
            return Grouped(True, [[domain, Grouped(True, [rest])]])
        domain = self._pattern(replace(first, condition=None), inner)
        if first.condition is None:
            raise self._error(node.place, "'forall' needs a condition: forall(Order(paid == true)).")
        tests = self._inside(domain.variable, first.condition, inner)
        return Grouped(True, [[domain, Grouped(True, [list(tests)])]])

    def _pattern(self, node: Pattern, scope: Scope) -> Matched:
        self._count += 1
        variable = node.variable or f"{node.type}#{self._count}"
        self._declare(variable, node.type, node.place, scope)
        if not node.variable:
            scope.implicit[node.type] = variable
        tests = [] if node.condition is None else self._inside(variable, node.condition, scope)
        return Matched(variable, node.type, tests, node.place)

    def _stream(self, node: Stream, scope: Scope) -> Matched:
        window = f"~{node.window}:{node.amount}{node.unit}" if node.amount else "~"
        kind = node.stream + window
        self.streams[kind] = node
        self._declare(node.variable, kind, node.place, scope)
        return Matched(node.variable, kind, [], node.place)

    def _declare(self, variable: str, kind: str, place: Place, scope: Scope) -> None:
        if variable in scope.types or variable in scope.meaning:
            raise self._error(place, f"'{variable}' is bound twice; give the second another name.")
        scope.types[variable] = kind

    def _inside(self, variable: str, node: Expression, scope: Scope) -> list[Expression]:
        """Read what stands in the parentheses of a pattern: bare names are fields of its fact."""
        if isinstance(node, Binary) and node.operator == "&&":
            return self._inside(variable, node.left, scope) + self._inside(variable, node.right, scope)
        if isinstance(node, Bind):
            if node.variable in scope.types or node.variable in scope.meaning:
                raise self._error(node.place, f"'{node.variable}' is bound twice; give the second another name.")
            scope.meaning[node.variable] = Name(f"{variable}.{node.path}", node.place)
            return []
        if isinstance(node, Element) and not isinstance(node, Multifield):
            raise self._error(node.place, "A pattern cannot stand inside a pattern; join them with '&&'.")
        return self._tests(node, scope, lambda name: f"{variable}.{name}", None)

    def _tests(
        self, node: Expression, scope: Scope, bare: Callable[[str], str], found: list[Scoped] | None
    ) -> list[Expression]:
        """Read a test. `found` takes an accumulate that stands inside it."""
        if isinstance(node, Multifield) and node.word in ("first", "last", "all"):
            path = self._list_path(node, scope, bare)
            if node.variable:
                item: Expression = path if node.word == "all" else Call(f"#{node.word}", (path,), node.place)
                scope.meaning[node.variable] = item
            return [] if node.word == "all" else [Unary("!", Call("#empty", (path,), node.place), node.place)]
        return [self.full(node, scope, bare, found)]

    def full(
        self,
        node: Expression,
        scope: Scope,
        bare: Callable[[str], str] = lambda name: name,
        found: list[Scoped] | None = None,
    ) -> Expression:
        """Write every name of an expression in full."""
        match node:
            case Name():
                return self._meaning(node, scope, bare)
            case Accumulate() if found is not None:
                return Name(self._gather(node, scope, found), node.place)
            case Multifield(word="count" | "empty" | "not_empty"):
                return self._list_test(node, scope, bare)
            case _:
                return rebuilt(node, lambda part: self.full(part, scope, bare, found))

    def _list_test(self, node: Multifield, scope: Scope, bare: Callable[[str], str]) -> Expression:
        path = self._list_path(node, scope, bare)
        if node.word == "not_empty":
            return Unary("!", Call("#empty", (path,), node.place), node.place)
        return Call(f"#{node.word}", (path,), node.place)

    def _list_path(self, node: Multifield, scope: Scope, bare: Callable[[str], str]) -> Name:
        """Read the name of a list, which is a field of a fact that a pattern found."""
        path = self.full(Name(node.path, node.place), scope, bare)
        if not isinstance(path, Name) or path.name.partition(".")[0] not in scope.types:
            kind, _, field_name = node.path.rpartition(".")
            example = f"$o: {kind or 'Order'}() && $o.{field_name}"
            message = f"'{node.path}' is no list of a fact that a pattern found; name the fact: {example} count > 1."
            raise self._error(node.place, message)
        scope.lists.add(path.name)
        return path

    def _meaning(self, node: Name, scope: Scope, bare: Callable[[str], str]) -> Expression:
        if node.name in scope.meaning:
            return scope.meaning[node.name]
        head, dot, rest = node.name.partition(".")
        if head in scope.types:
            if not dot:
                raise self._error(node.place, f"'{head}' is a whole fact; name a field: {head}.name.")
            return node
        if dot and head in scope.implicit:
            return Name(f"{scope.implicit[head]}.{rest}", node.place)
        if head[:1] in "$?":
            known = [*scope.types, *scope.meaning]
            raise self._error(node.place, f"'{head}' is not bound before this.", nearest(head, known))
        return Name(bare(node.name), node.place)

    def _gather(self, node: Accumulate, scope: Scope, found: list[Scoped]) -> str:
        self._count += 1
        name, variable = f"{node.function}#{self._count}", f"{node.type}#{self._count}"
        inner = scope.copy()
        inner.types[variable] = node.type
        inner.meaning[node.variable] = value = Name(f"{variable}.{node.path}", node.place)
        tests = [test for written in node.tests for test in self._inside(variable, written, inner)]
        found.append(Gathered(name, node.type, variable, node.function, value, tests, node.place))
        for written in ("avg", "average") if node.function == "avg" else (node.function,):
            scope.meaning[node.result or f"{node.type}.{written}"] = Name(name, node.place)
        return name

    def target(self, written: str, place: Place, scope: Scope) -> tuple[str, str]:
        """Give variable and field of what an action sets; the variable of a flat field is empty."""
        head, dot, rest = written.partition(".")
        if head in scope.types and dot:
            return head, rest
        if dot and head in scope.implicit:
            return scope.implicit[head], rest
        if head[:1] in "$?":
            known = list(scope.types)
            message = f"'{head}' is no fact here; set a field of one, such as {known[0] if known else '$o'}.name."
            raise self._error(place, message, nearest(head, known))
        return "", written

    def _error(self, place: Place, message: str, suggestion: str = "") -> RuleError:
        return self._source.error(place, message, suggestion)


def _binds(node: Expression) -> bool:
    """Tell whether facts are looked over in an expression; lists and null are ordinary tests."""
    return any(isinstance(one, Pattern | Quantified | Stream | Bind | Accumulate) for one in elements(node))
