"""From a program to its network: tests of one fact go to alpha memories, equalities to keys, the rest to the joins.

Equal beginnings of rules share their nodes. A rule that reads flat fields, or begins with no pattern, first joins the one
fact that holds the flat fields.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from restock.engine.rules.fact_writes import declared_field
from restock.engine.rules.ir import Compare, Const, Expr, Read, fields_read
from restock.engine.rules.ir_patterns import (
    Check,
    Condition,
    FactProgram,
    FactRule,
    Gather,
    Group,
    Match,
    SetField,
    place_of_read,
    reads_of,
    variables_of,
    writes_of,
)
from restock.engine.rules.network.code import Code, conjunction
from restock.engine.rules.network.nodes import (
    Alpha,
    Counter,
    Entry,
    Fact,
    Filter,
    Gathering,
    Inside,
    Join,
    Node,
    Work,
)
from restock.engine.rules.network.strata import own_claims
from restock.engine.rules.network.terminal import Terminal, Writing

FLAT = ""
"""Type and variable of the fact that holds the flat fields."""

Slots = dict[str, int]


@dataclass
class Kind:
    """The alpha memories of one type, by their equality with a constant where they have one, and who listens to them."""

    guarded: dict[str, dict[Any, list[Alpha]]]
    rest: list[Alpha]
    listeners: dict[Alpha, list[Node]]

    def candidates(self, fact: Fact) -> list[Alpha]:
        """Give the memories whose guard a fact passes; the other tests are still to be made."""
        found = list(self.rest)
        for path, table in self.guarded.items():
            found += table.get(fact[path], ())
        return found


@dataclass(frozen=True)
class Split:
    """The tests of a pattern: of its fact alone, equalities with what is bound before, and the others."""

    own: list[Expr]
    left: list[Expr]
    right: list[Expr]
    rest: list[Expr]


class Builder:
    """Builds the nodes of one program."""

    def __init__(self, program: FactProgram, before: Callable[[Fact, str, int], Any]) -> None:
        self._program = program
        self._code = Code()
        self.work = Work()
        self._alphas: dict[tuple[str, str], Alpha] = {}
        self.kinds: dict[str, Kind] = {name: Kind({}, [], {}) for name in (FLAT, *(one.name for one in program.types))}
        self._entries: dict[str, Node] = {}
        self.users: dict[Node, set[int]] = {}
        self._rank = 0
        self._claims: set[tuple[str, str]] = set()
        self._variables: dict[str, str] = {}
        self.shadows: dict[tuple[str, str], list[int]] = {}
        self._code.bind("before", before)
        self._writers: dict[tuple[str, str], int] = {}
        for rank, rule in enumerate(program.rules):
            for target in writes_of(rule):
                self._writers[target] = rank
        self.terminals = [self._rule(rank, rule) for rank, rule in enumerate(program.rules)]

    def _rule(self, rank: int, rule: FactRule) -> Terminal:
        self._rank = rank
        self._claims = own_claims(rule)
        self._variables = variables_of(rule.conditions)
        for claim in self._claims:
            self.shadows.setdefault(claim, []).append(rank)
        conditions = attached(with_flat(rule))
        node, slots, _ = self._conditions(conditions, None, {}, 0)
        terminal = self._terminal(rank, rule, slots)
        node.children.append(terminal)
        return terminal

    def _conditions(
        self, conditions: tuple[Condition, ...], node: Node | None, slots: Slots, width: int
    ) -> tuple[Node, Slots, int]:
        slots = dict(slots)
        for one in conditions:
            match one:
                case Match():
                    node = self._match(one, node, slots, width)
                    slots[one.variable] = width
                    width += 1
                case Gather():
                    assert node is not None, "with_flat puts a pattern first"
                    node = self._gather(one, node, slots)
                    slots[one.name] = width
                    width += 1
                case Check():
                    assert node is not None, "with_flat puts a pattern first"
                    node = self._filter(one, node, slots)
                case Group():
                    assert node is not None, "with_flat puts a pattern first"
                    node = self._group(one, node, slots, width)
        assert node is not None, "with_flat puts a pattern first"
        return node, slots, width

    def _match(self, one: Match, node: Node | None, slots: Slots, width: int) -> Node:
        split = _split(one.variable, one.tests)
        alpha, signature = self._alpha(one.type, one.variable, split.own)
        if node is None:
            key = f"{one.type}|{signature}"
            found = self._entries.get(key)
            if found is None:
                self._entries[key] = found = Entry(1)
                self.kinds[one.type].listeners[alpha].append(found)
            return self._used(found)
        left, right, test = self._texts(one.variable, split, slots)
        way = f"join {one.type}|{signature}|{left}|{right}|{test}"
        if way not in node.ways:
            function = self._code.function
            facts = alpha.index(right, function("f", right))
            join = Join(
                node.depth + 1, facts, function("t", left), function("f", right), self._test(test), self.work, one.place
            )
            self._attach(way, join, node, one.type, alpha)
        return self._used(node.ways[way])

    def _gather(self, one: Gather, node: Node, slots: Slots) -> Node:
        split = _split(one.variable, one.tests)
        alpha, signature = self._alpha(one.type, one.variable, split.own)
        left, right, test = self._texts(one.variable, split, slots)
        value = self._code.text(one.value, self._naming(one.variable, slots))
        way = f"{one.function} {value}|{one.type}|{signature}|{left}|{right}|{test}"
        if way not in node.ways:
            function = self._code.function
            facts = alpha.index(right, function("f", right))
            made = Gathering(
                node.depth + 1,
                facts,
                function("t", left),
                function("f", right),
                self._test(test),
                self.work,
                one.place,
                one.function,
                function("f", value),
            )
            self._attach(way, made, node, one.type, alpha)
        return self._used(node.ways[way])

    def _attach(self, way: str, made: Node, node: Node, kind: str, alpha: Alpha) -> None:
        node.ways[way] = made
        node.children.append(made)  # type: ignore[arg-type]  # each kind of node has its kind of children
        self.kinds[kind].listeners[alpha].append(made)

    def _filter(self, one: Check, node: Node, slots: Slots) -> Node:
        text = self._code.text(one.test, self._naming("", slots))
        way = f"if {text}"
        if way not in node.ways:
            made = Filter(node.depth + 1, self._code.function("t", text))
            node.ways[way] = made
            node.children.append(made)
        return self._used(node.ways[way])

    def _group(self, one: Group, node: Node, slots: Slots, width: int) -> Node:
        ends = [self._conditions(attached(branch), node, slots, width)[0] for branch in one.branches]
        counter = Counter(max(end.depth for end in ends) + 1, one.negated, width)
        for end in ends:
            end.children.append(Inside(counter))
        node.children.append(counter)
        return self._used(counter)

    def _used(self, node: Node) -> Node:
        self.users.setdefault(node, set()).add(self._rank)
        return node

    def _alpha(self, kind: str, variable: str, own: list[Expr]) -> tuple[Alpha, str]:
        naming = self._naming(variable, {})
        texts = sorted(self._code.text(test, naming) for test in own)
        signature = conjunction(texts)
        alpha = self._alphas.get((kind, signature))
        if alpha is None:
            test = self._code.function("f", signature) if signature else None
            self._alphas[kind, signature] = alpha = Alpha(test)
            where = self.kinds[kind]
            where.listeners[alpha] = []
            path, value = _guard(own)
            if path:
                path = self._path(path)
                where.guarded.setdefault(path, {}).setdefault(value, []).append(alpha)
            else:
                where.rest.append(alpha)
        return alpha, signature

    def _texts(self, variable: str, split: Split, slots: Slots) -> tuple[str, str, str]:
        naming = self._naming(variable, slots)
        left = ", ".join(self._code.text(one, naming) for one in split.left)
        right = ", ".join(self._code.text(one, naming) for one in split.right)
        test = conjunction([self._code.text(one, naming) for one in split.rest])
        if len(split.left) == 1:
            return left, right, test
        return f"({left})", f"({right})", test

    def _test(self, text: str) -> Callable[..., object] | None:
        return self._code.function("t, f", text) if text else None

    def _naming(self, variable: str, slots: Slots) -> Callable[[str], str]:
        def named(name: str) -> str:
            head, dot, _ = name.partition(".")
            if dot and head == variable and variable:
                return f"f[{self._path(name)!r}]"
            if dot and head in slots:
                return f"t[{slots[head]}][{self._path(name)!r}]"
            if name in slots:
                return f"t[{slots[name]}]"
            return f"t[0][{self._path(name)!r}]" if variable or slots else f"f[{self._path(name)!r}]"

        return named

    def _path(self, name: str) -> str:
        """Give the entry of a fact that a condition reads: for what its rule claims, the value that rules above left."""
        kind, path = place_of_read(name, self._variables)
        return shadow(path, self._rank) if (kind, path) in self._claims else path

    def _terminal(self, rank: int, rule: FactRule, slots: Slots) -> Terminal:
        writings: list[Writing] = []
        watched: set[int] = set()
        earlier: dict[str, int] = {}
        for action in rule.actions:
            assert isinstance(action, SetField), "strata looked"
            names: dict[str, str] = {}
            for name in fields_read(action.value):
                names[name] = self._action_name(rank, rule, name, slots, earlier, watched)
            body = self._code.text(action.value, names.__getitem__)
            kind = rule.types.get(action.variable, FLAT)
            slot = slots[action.variable] if action.variable else 0
            field = declared_field(self._program, kind, action.path)
            writings.append(Writing(slot, action.path, self._code.function("t, w", body), field))
            earlier[f"{action.variable}.{action.path}" if action.variable else action.path] = len(writings) - 1
        return Terminal(rule.name, rank, tuple(writings), tuple(sorted(watched)))

    def _action_name(
        self, rank: int, rule: FactRule, name: str, slots: Slots, earlier: dict[str, int], watched: set[int]
    ) -> str:
        """Write what an action reads: as it was before rules of this rank and lower wrote it."""
        if name in earlier:
            return f"w[{earlier[name]}]"
        if name in slots:
            return f"t[{slots[name]}]"
        kind, path = place_of_read(name, rule.types)
        slot = slots[name.partition(".")[0]] if kind else 0
        watched.add(slot)
        if self._writers.get((kind, path), -1) >= rank:
            return f"before(t[{slot}], {path!r}, {rank})"
        return f"t[{slot}][{path!r}]"

    def affected(self, kind: str, path: str) -> frozenset[Node]:
        """Give the nodes that must hear of a changed field: of all rules that read it, and of those that share with them."""
        plain, _, only = path.partition("@")
        ranks = {rank for rank, rule in enumerate(self._program.rules) if (kind, plain) in reads_of(rule)}
        ranks -= set(self.shadows.get((kind, plain), ()))
        if only:
            ranks = {int(only)}
        while True:
            nodes = [node for node, users in self.users.items() if users & ranks]
            wider = ranks.union(*(self.users[node] for node in nodes)) if nodes else ranks
            if wider == ranks:
                return frozenset(nodes)
            ranks = wider


def shadow(path: str, rank: int) -> str:
    """Name the entry of a fact that holds a field as rules above a rank left it."""
    return f"{path}@{rank}"


def with_flat(rule: FactRule) -> tuple[Condition, ...]:
    """Put the fact of the flat fields first where the rule reads or sets one, or begins with no pattern."""
    flat = any(not kind for kind, _ in reads_of(rule) | writes_of(rule))
    values = [name for action in rule.actions if isinstance(action, SetField) for name in fields_read(action.value)]
    gathers = {one.name for one in rule.conditions if isinstance(one, Gather)}
    flat |= any(name not in gathers and not place_of_read(name, rule.types)[0] for name in values)
    if flat or not rule.conditions or not isinstance(rule.conditions[0], Match):
        return (Match(FLAT, FLAT, ()), *rule.conditions)
    return rule.conditions


def attached(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Move each test to the last pattern that binds something it reads, so that joins can use it."""
    found: list[Condition] = []
    for one in conditions:
        heads = {name.partition(".")[0] for name in fields_read(one.test)} if isinstance(one, Check) else set()
        names = set(fields_read(one.test)) if isinstance(one, Check) else set()
        at = len(found) - 1
        while isinstance(one, Check) and at >= 0:
            there = found[at]
            if isinstance(there, Gather) and there.name in names:
                break
            if isinstance(there, Match) and (there.variable in heads or (not there.variable and heads - _bound(found))):
                found[at] = replace(there, tests=(*there.tests, one.test))
                break
            at -= 1
        if not isinstance(one, Check) or at < 0 or isinstance(found[at], Gather):
            found.append(one)
    return tuple(found)


def _bound(conditions: list[Condition]) -> set[str]:
    found = {one.variable for one in conditions if isinstance(one, Match | Gather)}
    return found | {one.name for one in conditions if isinstance(one, Gather)}


def _own(variable: str, node: Expr) -> bool:
    names = fields_read(node)
    if not variable:
        return True
    return all(name.startswith(f"{variable}.") for name in names)


def _split(variable: str, tests: tuple[Expr, ...]) -> Split:
    split = Split([], [], [], [])
    prefix = f"{variable}."
    for test in tests:
        if _own(variable, test):
            split.own.append(test)
            continue
        if isinstance(test, Compare) and test.operator == "==":
            for right, left in ((test.left, test.right), (test.right, test.left)):
                free = not any(name.startswith(prefix) for name in fields_read(left))
                if isinstance(right, Read) and right.name.startswith(prefix) and free:
                    split.left.append(left)
                    split.right.append(right)
                    break
            else:
                split.rest.append(test)
        else:
            split.rest.append(test)
    return split


def _guard(own: list[Expr]) -> tuple[str, Any]:
    """Give the name that is read and the value of an equality with a constant, by which the memory is found."""
    for test in own:
        match test:
            case Compare(operator="==", left=Read(name=name), right=Const(value=value)):
                return name, value
            case _:
                pass
    return "", None
