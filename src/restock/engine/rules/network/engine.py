"""The working part of the network: changes of facts go through the nodes, rules fire in order, derived values are replaced.

Each derived value remembers the matches that wrote it. When a match goes, its writes go with it and the field falls back to
what the rule before wrote, or to its start. So nothing that a rule once concluded stays behind without its reason.
"""

from __future__ import annotations

import heapq
from typing import Any

from restock.engine.rules.fact_writes import problem
from restock.engine.rules.ir_patterns import FactProgram, action_reads_of
from restock.engine.rules.network.build import Builder, shadow
from restock.engine.rules.network.nodes import Alpha, Fact, Node, Token, Writes
from restock.engine.rules.network.terminal import Terminal

Plan = dict[Alpha, list[Node]]
"""Memories of one type, and the nodes that must hear of a change."""


class NoValue(Exception):
    """A rule has no value here; the agenda says which and why."""


FAILURES = (ArithmeticError, OverflowError, TypeError, NoValue)
"""What compiled code raises where a rule has no value."""


def before(fact: Fact, path: str, rank: int) -> Any:
    """Give the value of a field as rules above a rank left it."""
    writes = fact.writes.get(path)
    if writes:
        ranks = [one for one in writes if one < rank]
        if ranks:
            return writes[max(ranks)].last()
    return fact.base[path]


class Engine:
    """One network with its facts. Raises one of `FAILURES` where a rule has no value, TooMuch where facts meet too often.

    It is of no more use then.
    """

    def __init__(self, program: FactProgram) -> None:
        builder = Builder(program, before)
        self._kinds = builder.kinds
        self._work = builder.work
        self._terminals = builder.terminals
        self._queue: list[int] = []
        for terminal in self._terminals:
            terminal.ready = self._ready
        self._plans: dict[tuple[str, str], Plan] = {}
        self._affected = builder.affected
        self._shadows = builder.shadows
        self._rereaders: dict[tuple[str, str], list[Terminal]] = {}
        for terminal, rule in zip(self._terminals, program.rules, strict=True):
            for target in action_reads_of(rule):
                self._rereaders.setdefault(target, []).append(terminal)

    def _ready(self, rank: int) -> None:
        heapq.heappush(self._queue, rank)

    def insert(self, fact: Fact) -> None:
        """Let a fact in."""
        for (name, path), ranks in self._shadows.items():
            if name == fact.kind:
                fact.update({shadow(path, rank): fact.base[path] for rank in ranks})
        kind = self._kinds[fact.kind]
        entered = [alpha for alpha in kind.candidates(fact) if alpha.test is None or alpha.test(fact)]
        for alpha in entered:
            alpha.add(fact)
        for node in _together(kind.listeners, entered):
            node.right(fact, 1)

    def remove(self, fact: Fact) -> None:
        """Let a fact out."""
        kind = self._kinds[fact.kind]
        left = [alpha for alpha in kind.candidates(fact) if fact in alpha.facts]
        for alpha in left:
            alpha.remove(fact)
        for node in _together(kind.listeners, left):
            node.right(fact, -1)

    def update(self, fact: Fact, path: str, value: Any) -> None:
        """Give a fact a value from outside."""
        old = fact.base[path]
        fact.base[path] = value
        if not fact.writes.get(path):
            self._modify(fact, path, value)
        self._cast(fact, path, -1)
        if old != value:
            self._read_again(fact, path, -1)

    def _modify(self, fact: Fact, path: str, value: Any) -> None:
        """Change a present value: out of the nodes that read it, and in again."""
        if fact[path] == value and type(fact[path]) is type(value):
            return
        plan = self._plans.get((fact.kind, path))
        if plan is None:
            self._plans[fact.kind, path] = plan = self._plan(fact.kind, path)
        if not plan:
            fact[path] = value
            return
        kind = self._kinds[fact.kind]
        left = [alpha for alpha in kind.candidates(fact) if alpha in plan and fact in alpha.facts]
        for alpha in left:
            alpha.remove(fact)
        for node in plan[left[0]] if len(left) == 1 else _together(plan, left):
            node.right(fact, -1)
        fact[path] = value
        entered = [
            alpha for alpha in kind.candidates(fact) if alpha in plan and (alpha.test is None or alpha.test(fact))
        ]
        for alpha in entered:
            alpha.add(fact)
        for node in plan[entered[0]] if len(entered) == 1 else _together(plan, entered):
            node.right(fact, 1)

    def _plan(self, kind: str, path: str) -> Plan:
        """Give the memories that a changed field concerns, and who listens to each, the deepest first."""
        affected = self._affected(kind, path)
        found: Plan = {}
        for alpha, listeners in self._kinds[kind].listeners.items():
            nodes = [node for node in listeners if node in affected]
            if nodes:
                found[alpha] = sorted(nodes, key=_depth, reverse=True)
        return found

    def _read_again(self, fact: Fact, path: str, rank: int) -> None:
        for terminal in self._rereaders.get((fact.kind, path), ()):
            if terminal.rank > rank:
                terminal.again(fact)

    def fire(self, most: int) -> list[tuple[str, Token]]:
        """Fire what must fire, in the order of rules, at most so many times; what fired and its match."""
        self._work.looked = 0
        fired: list[tuple[str, Token]] = []
        queue = self._queue
        while queue and len(fired) < most:
            terminal = self._terminals[heapq.heappop(queue)]
            dirty, terminal.dirty = terminal.dirty, {}
            for token in dirty:
                if token not in terminal.live:
                    if token in terminal.fired:
                        del terminal.fired[token]
                        self._withdraw(terminal, token)
                    continue
                terminal.fired[token] = None
                fired.append((terminal.name, token))
                if terminal.writings:
                    self._write(terminal, token)
        return fired

    @property
    def waiting(self) -> bool:
        """Whether something must still fire."""
        return bool(self._queue)

    def _write(self, terminal: Terminal, token: Token) -> None:
        values: list[Any] = []
        for writing in terminal.writings:
            value = writing.value(token, values)
            field = writing.field
            if value is None or ((field.declared or field.values) and problem(field, value)):
                raise NoValue
            values.append(value)
        for writing, value in zip(terminal.writings, values, strict=True):
            fact: Fact = token[writing.slot]
            by_rank = fact.writes.setdefault(writing.path, {})
            writes = by_rank.get(terminal.rank)
            if writes is None:
                by_rank[terminal.rank] = writes = Writes()
            if token not in writes or writes[token] != value:
                writes.put(token, value)
                self._settle(fact, writing.path, terminal.rank)

    def _withdraw(self, terminal: Terminal, token: Token) -> None:
        for writing in terminal.writings:
            fact: Fact = token[writing.slot]
            writes = fact.writes.get(writing.path)
            if writes and token in writes.get(terminal.rank, ()):
                writes[terminal.rank].take(token)
                if not writes[terminal.rank]:
                    del writes[terminal.rank]
                self._settle(fact, writing.path, terminal.rank)

    def _settle(self, fact: Fact, path: str, rank: int) -> None:
        """Give a field the value of the last rule that writes it, and tell the actions below that read it."""
        if fact.handle < 0:
            return
        writes = fact.writes[path]
        value = writes[max(writes)].last() if writes else fact.base[path]
        self._modify(fact, path, value)
        self._cast(fact, path, rank)
        self._read_again(fact, path, rank)

    def _cast(self, fact: Fact, path: str, rank: int) -> None:
        """Tell the rules below that ask what they set themselves."""
        for below in self._shadows.get((fact.kind, path), ()):
            if below > rank:
                self._modify(fact, shadow(path, below), before(fact, path, below))

    def matches(self) -> set[tuple[str, Token]]:
        """Give every match that has fired and still holds."""
        return {(terminal.name, token) for terminal in self._terminals for token in terminal.live}


def _together(plan: Plan, alphas: list[Alpha]) -> list[Node]:
    """Give who listens to these memories, the deepest first."""
    return sorted((node for alpha in alphas for node in plan[alpha]), key=_depth, reverse=True)


def _depth(node: Node) -> int:
    return node.depth
