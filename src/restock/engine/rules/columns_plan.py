"""From a program that one pass decides to layers of independent steps: what columns compute at once.

Each rule's condition becomes a test, each field gets a new version only where somebody reads it: all writes since the
last version merge into one choice, the latest first. Steps read versions, never fields, so the order inside a layer is
free, and a layer reads only layers above it. A published chain of fifteen rules becomes about nine layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from restock.engine.rules.ir import Const, Expr, Field, Program, Read, RuleIR, Write, fields_read

START = ""
"""The version of an output that no rule has written yet: its default."""

MAX_BRANCHES = 32
"""Most writes in one choice: the time Polars needs to plan a nested choice grows with the square of its depth."""

Versions = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Test:
    """Whether a rule fires: its condition over the versions that stand when the pass reaches it."""

    name: str
    condition: Expr
    reads: Versions
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Computed:
    """A written value by itself: it must be checked before it counts, or its own rule reads it again."""

    name: str
    target: Field
    value: Expr
    reads: Versions
    test: str
    checked: bool
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """One write of a merged field: the test that selects it, and its value (or the step that computed it)."""

    test: str
    value: Expr
    reads: Versions
    computed: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    """A new version of a field: the first branch whose test holds, else the version before."""

    name: str
    target: Field
    branches: tuple[Branch, ...]
    before: str
    needs: tuple[str, ...] = ()


Step = Test | Computed | Merge


@dataclass(frozen=True)
class Plan:
    """Layers of steps; `finals` names the version of each output at the end, `tests` the tests in firing order."""

    layers: tuple[tuple[Step, ...], ...]
    finals: dict[str, str]
    tests: tuple[str, ...]

    def steps(self) -> Iterator[Step]:
        """Give every step, so that each comes after what it reads."""
        for layer in self.layers:
            yield from layer


def plan(program: Program, checked: Mapping[int, bool]) -> Plan:
    """Lay the rules out. `checked` says by `id` of a write whether its value must be checked when it is written."""
    return _Planner(program, checked).plan()


@dataclass
class _Planner:
    program: Program
    checked: Mapping[int, bool]
    _versions: dict[str, str] = field(default_factory=dict)
    _pending: dict[str, list[Branch]] = field(default_factory=dict)
    _steps: list[Step] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def plan(self) -> Plan:
        self._versions = {one.name: one.name for one in self.program.inputs}
        self._versions |= {one.name: START for one in self.program.outputs}
        fields = self.program.fields()
        tests = [self._rule(at, rule, fields) for at, rule in enumerate(self.program.rules)]
        finals = {one.name: self._version(one) for one in self.program.outputs}
        return Plan(_layers(self._steps), finals, tuple(tests))

    def _rule(self, at: int, rule: RuleIR, fields: Mapping[str, Field]) -> str:
        test = f"?{at}"
        reads = {name: self._version(fields[name]) for name in fields_read(rule.condition)}
        self._steps.append(Test(test, rule.condition, reads, _needed(reads)))
        own: dict[str, str] = {}
        for position, write in enumerate(rule.writes):
            later = fields_read(*(other.value for other in rule.writes[position + 1 :]))
            self._write(test, write, fields, own, read_again=write.target in later)
        return test

    def _write(
        self, test: str, write: Write, fields: Mapping[str, Field], own: dict[str, str], *, read_again: bool
    ) -> None:
        """Let a write wait for the next reader; `own` are the values that its rule has written and reads again."""
        reads = {name: own.get(name) or self._version(fields[name]) for name in fields_read(write.value)}
        target, checked = fields[write.target], self.checked.get(id(write), False)
        computed = ""
        if checked or read_again:
            computed = self._next("!")
            self._steps.append(Computed(computed, target, write.value, reads, test, checked, (*_needed(reads), test)))
        own.pop(write.target, None)
        if read_again:
            own[write.target] = computed
        self._pending.setdefault(write.target, []).append(Branch(test, write.value, reads, computed))

    def _version(self, one: Field) -> str:
        """Give the present version of a field, merging the writes that wait."""
        waiting = self._pending.pop(one.name, None)
        if waiting is None:
            return self._versions[one.name]
        for at in range(0, len(waiting), MAX_BRANCHES):
            self._merge(one, waiting[at : at + MAX_BRANCHES])
        return self._versions[one.name]

    def _merge(self, one: Field, waiting: list[Branch]) -> None:
        before = self._versions[one.name]
        needs = [before] if before else []
        for branch in waiting:
            needs += [branch.test, *([branch.computed] if branch.computed else _needed(branch.reads))]
        name = self._next(f"{one.name}#")
        self._steps.append(Merge(name, one, tuple(reversed(waiting)), before, tuple(dict.fromkeys(needs))))
        self._versions[one.name] = name

    def _next(self, stem: str) -> str:
        self._counts[stem] = self._counts.get(stem, 0) + 1
        return f"{stem}{self._counts[stem]}"


def _needed(reads: Versions) -> tuple[str, ...]:
    return tuple(version for version in reads.values() if version)


def _layers(steps: list[Step]) -> tuple[tuple[Step, ...], ...]:
    """Put each step one layer below the lowest thing it needs; inputs lie above all."""
    depth: dict[str, int] = {}
    layers: list[list[Step]] = []
    for step in steps:
        at = max((depth.get(name, 0) for name in step.needs), default=0)
        depth[step.name] = at + 1
        while len(layers) <= at:
            layers.append([])
        layers[at].append(step)
    return tuple(tuple(layer) for layer in layers)


def closed_texts(program: Program) -> tuple[frozenset[str], tuple[str, ...]]:
    """Give the text fields whose values are all known (enums, and outputs set to fixed texts), and those values in order."""
    texts = {one.name: one for one in (*program.inputs, *program.outputs) if one.kind == "text"}
    closed = {name for name, one in texts.items() if one.values or one.role == "output"}
    writes = [(write.target, write.value) for rule in program.rules for write in rule.writes if write.target in texts]
    writes += [(one.name, one.derived) for one in texts.values() if one.derived is not None]
    while True:
        opened = {target for target, value in writes if target in closed and not _known(value, closed)}
        if not opened:
            break
        closed -= opened
    values: dict[str, None] = {}
    for name, one in texts.items():
        if name in closed:
            values |= dict.fromkeys((*one.values, *([one.default] if isinstance(one.default, str) else [])))
    for target, value in writes:
        if target in closed and isinstance(value, Const) and isinstance(value.value, str):
            values[value.value] = None
    return frozenset(closed), tuple(values)


def _known(node: Expr, closed: set[str]) -> bool:
    return isinstance(node, Const) or (isinstance(node, Read) and node.name in closed)
