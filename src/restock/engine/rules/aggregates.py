"""Rules about one type with accumulate over others, as two steps that a database knows: GROUP BY, then rules of one row.

    rule Small { when $s: Supplier(open) && $t: accumulate(Line($v: amount, supplier == $s.id, open), sum($v)) && ... }

becomes the aggregate `sum of amount from Line where open group by supplier`, joined to Supplier on id, and a scalar program
over the fields of Supplier and that sum. exists and not over one pattern become a count that is above 0, or 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from restock.engine.rules.errors import RuleError, SourceText
from restock.engine.rules.ir import (
    Apply,
    Arithmetic,
    Compare,
    Const,
    Expr,
    Field,
    Logic,
    Negate,
    Not,
    Program,
    Read,
    Rounded,
    RuleIR,
    Write,
    fields_read,
)
from restock.engine.rules.ir_patterns import (
    Check,
    Condition,
    FactProgram,
    FactRule,
    Function,
    Gather,
    Group,
    Match,
    SetField,
)
from restock.engine.rules.limits import UNDECLARED_DECIMALS, UNDECLARED_LIMIT
from restock.engine.rules.ranges import measure
from restock.engine.rules.syntax import MAIN

COUNT_LIMIT = Decimal(10) ** 9
"""Most members of a group."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`function` of `value` over the facts of `type` for which all filters hold, by key.

    A key pairs an expression over the type's fields with one over the group's. Expressions read plain field names.
    """

    name: str
    type: str
    function: Function
    value: Expr
    keys: tuple[tuple[Expr, Expr], ...]
    filters: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """The two steps: the aggregates, by key, and the scalar program over the group's fields and the aggregates' names.

    In that program the aggregates are inputs. sum and count of nothing are 0, and what avg, min and max of nothing are does
    not matter: the program tests their count.
    """

    type: str
    aggregates: tuple[Aggregate, ...]
    program: Program


class _NoPlan(Exception):
    pass


def group_plan(source: SourceText, program: FactProgram) -> GroupPlan | str:
    """Give the two steps of a rulebook, or the reason why it has no such form."""
    try:
        return _Planner(source, program).plan()
    except _NoPlan as reason:
        return str(reason)
    except RuleError as error:
        return error.message


@dataclass
class _Planner:
    source: SourceText
    program: FactProgram
    found: dict[tuple[object, ...], Aggregate] = field(default_factory=dict)

    def plan(self) -> GroupPlan:
        if self.program.inputs or self.program.outputs:
            raise _NoPlan("it has flat fields beside facts")
        kinds = {one.type for rule in self.program.rules for one in rule.conditions if isinstance(one, Match)}
        if len(kinds) != 1:
            raise _NoPlan(f"its rules are about {len(kinds)} types of facts, not one")
        (kind,) = kinds
        rules = tuple(self._rule(rule) for rule in self.program.rules)
        written = {write.target for rule in rules for write in rule.writes}
        fields = {one.name: self._field(one.field, one.name in written) for one in self.program.type(kind).fields}
        fields |= {one.name: self._aggregated(one) for one in self.found.values()}
        measured = measure(self.source, fields, rules).fields.values()
        inputs = tuple(one for one in measured if one.role == "input")
        outputs = tuple(one for one in measured if one.role == "output")
        return GroupPlan(kind, tuple(self.found.values()), Program(inputs, outputs, rules))

    def _field(self, one: Field, written: bool) -> Field:
        if not written:
            return replace(one, role="input")
        start = one.default
        if start is None:
            start = Decimal(0) if one.kind == "number" else False if one.kind == "bool" else ""
        unmeasured = replace(one, decimals=0, low=None, high=None) if not one.declared else one
        return replace(unmeasured, role="output", default=start)

    def _aggregated(self, one: Aggregate) -> Field:
        if one.function == "count":
            return Field(one.name, "input", "number", 0, Decimal(0), COUNT_LIMIT)
        values = {f.name: f.field for f in self.program.type(one.type).fields}
        value = values[one.value.name] if isinstance(one.value, Read) else None
        low, high, decimals = -UNDECLARED_LIMIT, UNDECLARED_LIMIT, UNDECLARED_DECIMALS
        if value is not None and one.function != "avg":
            decimals = value.decimals
        if value is not None and value.low is not None and value.low >= 0:
            low = Decimal(0)
        return Field(one.name, "input", "number", decimals, low, high, default=Decimal(0))

    def _rule(self, rule: FactRule) -> RuleIR:
        where = f"{rule.name} (line {rule.place.line})"
        if rule.lock_on_active or rule.auto_focus or rule.activation_group or rule.group != MAIN:
            raise _NoPlan(f"{where} belongs to a group, and one pass has no agenda")
        if rule.effective or rule.expires:
            raise _NoPlan(f"{where} has dates, and one pass knows no moment")
        matches = [one for one in rule.conditions if isinstance(one, Match)]
        if len(matches) != 1 or rule.conditions[0] is not matches[0]:
            raise _NoPlan(f"{where} does not begin with its one pattern")
        names: dict[str, str] = {}
        tests = [test for one in rule.conditions for test in self._tests(one, matches[0].variable, names, where)]
        writes: list[Write] = []
        for action in rule.actions:
            if not isinstance(action, SetField) or action.variable != matches[0].variable:
                raise _NoPlan(f"{where} does more than set fields of its fact")
            writes.append(Write(action.path, self._own(action.value, matches[0].variable, names, where), action.place))
        condition = tests[0] if tests else Const("bool", True)
        for test in tests[1:]:
            condition = Logic("&&", condition, test, rule.place)
        module = rule.module or MAIN
        return RuleIR(rule.name, rule.salience, rule.no_loop, module, condition, tuple(writes), place=rule.place)

    def _tests(self, one: Condition, variable: str, names: dict[str, str], where: str) -> Iterator[Expr]:
        match one:
            case Match():
                yield from (self._own(test, variable, names, where) for test in one.tests)
            case Check():
                yield self._own(one.test, variable, names, where)
            case Gather():
                names[one.name] = self._aggregate(one.function, one.value, one, variable, where)
                if one.function in ("avg", "min", "max"):
                    count = self._aggregate("count", Const("number", Decimal(1)), one, variable, where)
                    yield Compare(">", Read("number", count), Const("number", Decimal(0)), one.place)
            case Group():
                inside, negated = _only(one)
                if not isinstance(inside, Match):
                    raise _NoPlan(f"{where} has exists, not or forall over more than one pattern")
                count = self._aggregate("count", Const("number", Decimal(1)), inside, variable, where)
                yield Compare("==" if negated else ">", Read("number", count), Const("number", Decimal(0)))

    def _aggregate(self, function: Function, value: Expr, one: Gather | Match, variable: str, where: str) -> str:
        keys: list[tuple[Expr, Expr]] = []
        filters: list[Expr] = []
        for test in one.tests:
            heads = {name.partition(".")[0] for name in fields_read(test)}
            if heads == {one.variable} or not heads:
                filters.append(plainly(test, one.variable))
                continue
            sides = (test.left, test.right) if isinstance(test, Compare) and test.operator == "==" else None
            if sides is not None and fields_read(sides[1]) and _of(sides[1], one.variable):
                sides = (sides[1], sides[0])
            if sides is None or not _of(sides[0], one.variable) or not _of(sides[1], variable):
                raise _NoPlan(f"{where} accumulates over facts that are not found by an equal field")
            keys.append((plainly(sides[0], one.variable), plainly(sides[1], variable)))
        key = (one.type, function, plainly(value, one.variable), tuple(keys), tuple(filters))
        if key not in self.found:
            name = f"{function}_{len(self.found) + 1}"
            self.found[key] = Aggregate(name, one.type, function, key[2], tuple(keys), tuple(filters))
        return self.found[key].name

    def _own(self, node: Expr, variable: str, names: dict[str, str], where: str) -> Expr:
        strange = [name for name in fields_read(node) if name not in names and name.partition(".")[0] != variable]
        if strange:
            raise _NoPlan(f"{where} reads {strange[0]}")
        return plainly(node, variable, names)


def _only(group: Group) -> tuple[Condition | None, bool]:
    """Give the one condition in a group, and whether it must not hold; `!exists(P)` is a group in a group."""
    inside: Condition | None = group
    negated = False
    while isinstance(inside, Group):
        negated ^= inside.negated
        inside = inside.branches[0][0] if len(inside.branches) == 1 and len(inside.branches[0]) == 1 else None
    return inside, negated


def _of(node: Expr, variable: str) -> bool:
    return all(name.partition(".")[0] == variable for name in fields_read(node))


def plainly(node: Expr, variable: str, names: dict[str, str] | None = None) -> Expr:
    """Write an expression with plain field names in the place of those of a variable, and names for gathers."""
    match node:
        case Read():
            known = names or {}
            name = known.get(node.name, node.name.removeprefix(f"{variable}."))
            return replace(node, name=name)
        case Negate() | Not():
            return replace(node, operand=plainly(node.operand, variable, names))
        case Arithmetic() | Compare() | Logic():
            left, right = plainly(node.left, variable, names), plainly(node.right, variable, names)
            return replace(node, left=left, right=right)
        case Rounded():
            divisor = None if node.divisor is None else plainly(node.divisor, variable, names)
            return replace(node, operand=plainly(node.operand, variable, names), divisor=divisor)
        case Apply():
            return replace(node, arguments=tuple(plainly(one, variable, names) for one in node.arguments))
        case _:
            return node
