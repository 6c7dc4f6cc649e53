"""Everything that stands against one pass, pair by pair: what `stratify` gives the first of, for lint and for the solver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Literal

from restock.engine.rules.disjoint import exclusive
from restock.engine.rules.ir import RuleIR

MAX_OBSTACLES = 2_000
"""Most obstacles listed: a rulebook with more is not nearly in order."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`writer` writes `field`, which the condition of `reader` reads above it (upward) or which is its own (own).

    In a tie both have the same salience and share the field.
    """

    kind: Literal["upward", "own", "tie"]
    writer: RuleIR
    reader: RuleIR
    field: str

    @property
    def reason(self) -> str:
        """Say it in words."""
        writer, reader = (f"{one.name} (line {one.place.line})" for one in (self.writer, self.reader))
        if self.kind == "upward":
            return f"{writer} writes {self.field}, which is read above it by {self.reader.name}"
        if self.kind == "own":
            return f"{writer} writes {self.field}, which its own condition reads, and is not no-loop"
        return (
            f"{reader} and {writer} have the same salience {self.writer.salience}, can both be true,"
            f" and share {self.field}"
        )


def obstacles(rules: Sequence[RuleIR]) -> list[Obstacle]:
    """Give all obstacles of rules in firing order, at most so many; none means that one pass decides."""
    return list(islice(_found(rules), MAX_OBSTACLES))


def _found(rules: Sequence[RuleIR]) -> Iterator[Obstacle]:
    readers: dict[str, list[RuleIR]] = {}
    for rule in rules:
        above = {reader.name: (reader, name) for name in rule.targets for reader in readers.get(name, [])}
        for reader, name in above.values():
            yield Obstacle("upward", rule, reader, name)
        own = [name for name in rule.condition_reads if name in rule.targets]
        if own and not rule.no_loop:
            yield Obstacle("own", rule, rule, own[0])
        for name in rule.condition_reads:
            readers.setdefault(name, []).append(rule)
    for _, group in groupby(rules, key=lambda rule: rule.salience):
        yield from _ties(group)


def _ties(group: Iterator[RuleIR]) -> Iterator[Obstacle]:
    touching: dict[str, list[RuleIR]] = {}
    writing: dict[str, list[RuleIR]] = {}
    for rule in group:
        read = dict.fromkeys((*rule.condition_reads, *rule.action_reads))
        rivals = {other.name: (other, name) for name in rule.targets for other in touching.get(name, [])}
        rivals |= {other.name: (other, name) for name in read for other in writing.get(name, [])}
        for other, name in rivals.values():
            if not exclusive(rule.condition, other.condition):
                yield Obstacle("tie", rule, other, name)
        for name in rule.targets:
            writing.setdefault(name, []).append(rule)
        for name in dict.fromkeys((*rule.targets, *read)):
            touching.setdefault(name, []).append(rule)
