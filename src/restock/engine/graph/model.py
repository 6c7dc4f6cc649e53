"""A validated flow as frozen values: what `load_flow` promises and everything else in this package relies on.

A `Flow` has no cycle, no unknown name and no missing part; its nodes stand in an order in which they could run one after
the other. It knows nothing about purchasing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from restock.core.breaker import BreakerRule
from restock.core.errors import InvalidInput

MAX_NODES = 500
"""Nodes of one flow, subgraphs counted apart: ten times the largest published graph, and still a picture one can draw."""

MAX_DEPTH = 8
"""Subgraphs inside subgraphs: deeper is a mistake (usually a file that includes itself), and traces nest as deep."""

MAX_ITERATIONS = 10_000
"""Iterations of one loop in one run: each leaves a trace, 10,000 of them take about 10 MB."""

MAX_ATTEMPTS = 10
"""Attempts of one node: with doubling delays the tenth waits 500 times the first delay, long after the caller left."""

MAX_WAIT_S = 3600.0
"""Longest timeout, delay or breaker rest in seconds: a longer wait belongs into a schedule, not into a running flow."""

MAX_CACHE_TTL_S = 86_400.0
"""Longest life of a cached answer in seconds: stock and prices older than a day decide wrongly."""

COHORT_LIMIT = 256
"""Runs that walk together: past this a cohort's answers wait for its slowest members longer than batching saves."""

Context = dict[str, object]
"""What one run knows: the flow's inputs by name, `input` with all of them, and each finished node's result by its id."""


class FlowError(InvalidInput):
    """A flow file is wrong. `file`, `line` and `column` (from 1) say where; nothing of the file was kept.

    `excerpt` is the wrong line with a caret below the column, when the text could be read.
    """

    def __init__(self, what: str, *, file: str, line: int, column: int, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy, field=f"{file}:{line}:{column}")
        self.file, self.line, self.column = file, line, column
        self.excerpt = ""

    def point(self, text: str) -> None:
        """Keep the line of the text that is wrong, with a caret below the column."""
        lines = text.splitlines()
        if not self.excerpt and self.line <= len(lines):
            shown = lines[self.line - 1].replace("\t", " ")
            self.excerpt = f"{shown}\n{' ' * (self.column - 1)}^"

    def shown(self) -> str:
        """Give the message with the wrong line and a caret, for a terminal."""
        return f"{self}\n{self.excerpt}".rstrip("\n")


@dataclass(frozen=True, slots=True)
class Reference:
    """A dotted path into a run's context: `node.field`, `input.name` or a bare input name."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant written in the flow."""

    value: object

    def __str__(self) -> str:
        return repr(self.value) if isinstance(self.value, str) else str(self.value)


Value = Reference | Literal


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition. `test` raises InvalidInput when the values cannot be compared; `names` are its references."""

    text: str
    names: tuple[Reference, ...]
    test: Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `attempts` calls; waits `delay_s`, then `factor` times as long, at most `max_delay_s`, less up to `jitter`."""

    attempts: int
    delay_s: float = 0.1
    factor: float = 2.0
    max_delay_s: float = 30.0
    jitter: float = 0.5
    on: tuple[str, ...] = ("Unavailable", "TimeoutError")


@dataclass(frozen=True, slots=True)
class CacheRule:
    """Answers live `ttl_s` seconds under the values of the inputs named in `key` (all inputs when empty).

    For `stale_s` more they stand in where their operation is away; with a `ttl_s` of 0 it is always asked first.
    """

    ttl_s: float
    key: tuple[str, ...] = ()
    stale_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What protects a node. `timeout_s` bounds each attempt; `fallback` answers when every attempt failed.

    Only what waits can be timed out: a synchronous operation holds the loop until it returns.
    """

    timeout_s: float | None = None
    retry: Retry | None = None
    breaker: BreakerRule | None = None
    fallback: Value | None = None
    cache: CacheRule | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the node runs unprotected."""
        return self == Policy()


@dataclass(frozen=True, slots=True)
class OperationCall:
    """Calls an operation that the host registered."""

    kind: ClassVar[str] = "operation"
    name: str


@dataclass(frozen=True, slots=True)
class RulebookCall:
    """Asks a rulebook for a decision."""

    kind: ClassVar[str] = "rulebook"
    name: str


@dataclass(frozen=True, slots=True)
class Conditional:
    """Chooses which of two lists of nodes a run goes on with. Its result is `{taken: bool}`."""

    kind: ClassVar[str] = "conditional"
    condition: Condition
    true_branch: tuple[str, ...] = ()
    false_branch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs `body` for each item of `over`, or while `condition` holds; at most `at_once` iterations walk together.

    The body sees `_loop_index` (from 0), `_loop_iteration` (from 1) and `_loop_item`. The result is
    `{results: [...], count: n, exhausted: bool}`; `exhausted` says that `max_iterations` ended the loop.
    """

    kind: ClassVar[str] = "loop"
    body: Flow
    over: Reference | None
    condition: Condition | None
    max_iterations: int
    at_once: int


@dataclass(frozen=True, slots=True)
class Try:
    """Runs `body`; when it fails, `catch` (which sees `_error.type` and `_error.message`); `finale` in every case."""

    kind: ClassVar[str] = "try"
    body: Flow
    catch: Flow | None
    finale: Flow | None


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Walks another flow with the node's inputs; `outputs` renames what comes back (all of the child's outputs if empty)."""

    kind: ClassVar[str] = "subgraph"
    flow: Flow
    outputs: tuple[tuple[str, Reference], ...] = ()


Work = OperationCall | RulebookCall | Conditional | Loop | Try | Subgraph


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `dependencies` hold every reason to wait: written ones, edges, references and conditionals.

    `spread` hands the flow's inputs on beside `inputs`; `join_all` skips the node when any dependency was skipped (else
    only when all were); `line` and `column` say where the file has it.
    """

    id: str
    work: Work
    inputs: tuple[tuple[str, Value], ...] = ()
    dependencies: tuple[str, ...] = ()
    policy: Policy = Policy()
    spread: bool = False
    join_all: bool = False
    description: str = ""
    line: int = 0
    column: int = 0

    @property
    def kind(self) -> str:
        """The kind of work, as the file calls it."""
        return self.work.kind


@dataclass(frozen=True, eq=False)
class Flow:
    """A graph that can run. `nodes` stand in dependency order; `labels` name edges; identity is the object itself."""

    name: str
    nodes: Mapping[str, Node]
    version: str = ""
    description: str = ""
    inputs: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)
    output: tuple[tuple[str, Value], ...] = ()
    labels: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def required(self) -> tuple[str, ...]:
        """The inputs that a caller must give."""
        return tuple(name for name in self.inputs if name not in self.defaults)

    @property
    def gates(self) -> dict[str, tuple[tuple[str, bool], ...]]:
        """For each node in a branch: the conditionals that choose it, and on which answer."""
        found: dict[str, tuple[tuple[str, bool], ...]] = {}
        for node in self.nodes.values():
            if isinstance(node.work, Conditional):
                for side, branch in ((True, node.work.true_branch), (False, node.work.false_branch)):
                    for member in branch:
                        found[member] = (*found.get(member, ()), (node.id, side))
        return found

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """The nodes by the longest way that leads to them: for drawings; the executor does not wait for layers."""
        depth: dict[str, int] = {}
        for node in self.nodes.values():
            depth[node.id] = 1 + max((depth[name] for name in node.dependencies), default=-1)
        rows: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
        for name, row in depth.items():
            rows[row].append(name)
        return tuple(tuple(row) for row in rows)
