"""What a flow would do with some inputs, without calling any operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from restock.core.errors import InvalidInput
from restock.engine.graph.model import (
    Conditional,
    Flow,
    Literal,
    Loop,
    Node,
    OperationCall,
    RulebookCall,
    Subgraph,
    Try,
    Value,
)
from restock.engine.graph.reference import follow
from restock.engine.graph.run import started_context


@dataclass(frozen=True, slots=True)
class DryStep:
    """One node of a dry run. `layer` (from 0) says what could run at the same time.

    `runs` is yes, no, or maybe (a condition needs a result that only a real run has); `when` is that condition. Inputs
    that come from other nodes stand as `‹node.field›`. `inside` are the nodes that a control node would run.
    """

    node: str
    kind: str
    calls: str
    layer: int
    runs: str
    when: str
    inputs: Mapping[str, object]
    inside: tuple[DryStep, ...] = ()


def dry_run(flow: Flow, inputs: Mapping[str, object]) -> list[DryStep]:
    """Give the steps in an order in which they could run. Raises InvalidInput when a required input is missing."""
    started = started_context(flow, inputs)
    if started.error is not None:
        raise started.error
    return _steps(flow, started.context)


def _shown(value: Value, context: Mapping[str, object]) -> object:
    if isinstance(value, Literal):
        return value.value
    if value.path[0] not in context:
        return f"‹{value}›"
    try:
        return follow(value, context)
    except InvalidInput:
        return f"‹{value}›"


def _inputs(node: Node, context: Mapping[str, object]) -> dict[str, object]:
    shown: dict[str, object] = {}
    given = context.get("input")
    if node.spread and isinstance(given, Mapping):
        shown.update(given)
    shown.update((name, _shown(value, context)) for name, value in node.inputs)
    if isinstance(node.work, Loop) and node.work.over is not None:
        shown["over"] = _shown(node.work.over, context)
    return shown


def _decided(work: Conditional, context: Mapping[str, object]) -> bool | None:
    """Decide a condition that needs inputs only; None when it needs a result."""
    if any(name.path[0] not in context for name in work.condition.names):
        return None
    try:
        return work.condition.test(context)
    except InvalidInput:
        return None


def _calls(node: Node) -> str:
    work = node.work
    if isinstance(work, OperationCall | RulebookCall):
        return work.name
    return work.condition.text if isinstance(work, Conditional) else ""


def _inside(node: Node, context: Mapping[str, object]) -> tuple[DryStep, ...]:
    work = node.work
    if isinstance(work, Loop):
        return tuple(_steps(work.body, context))
    if isinstance(work, Try):
        parts = [part for part in (work.body, work.catch, work.finale) if part]
        return tuple(step for part in parts for step in _steps(part, context))
    if isinstance(work, Subgraph):
        given: dict[str, object] = dict(work.flow.defaults) | _inputs(node, context)
        return tuple(_steps(work.flow, {**given, "input": given}))
    return ()


class _Fate:
    """Which nodes run: yes, no or maybe, from the conditionals and from what they wait for."""

    def __init__(self, flow: Flow) -> None:
        self._gates = flow.gates
        self._answers: dict[str, bool | None] = {}
        self._runs: dict[str, str] = {}

    def of(self, node: Node, context: Mapping[str, object]) -> str:
        found = self._fate(node)
        self._runs[node.id] = found
        if isinstance(node.work, Conditional):
            self._answers[node.id] = _decided(node.work, context) if found != "no" else None
        return found

    def _fate(self, node: Node) -> str:
        gates = self._gates.get(node.id, ())
        chosen = [self._gate(name, side) for name, side in gates] or ["yes"]
        gate = "yes" if "yes" in chosen else "maybe" if "maybe" in chosen else "no"
        before = [self._runs[name] for name in node.dependencies] or ["yes"]
        ranks = ("no", "maybe", "yes")
        pick = min if node.join_all else max
        return min(gate, pick(before, key=ranks.index), key=ranks.index)

    def _gate(self, conditional: str, side: bool) -> str:
        if self._runs[conditional] == "no":
            return "no"
        answer = self._answers[conditional]
        if answer is None:
            return "maybe"
        return self._runs[conditional] if answer is side else "no"


def _when(flow: Flow, node: Node) -> str:
    reasons: list[str] = []
    for name, side in flow.gates.get(node.id, ()):
        work = flow.nodes[name].work
        if isinstance(work, Conditional):
            reasons.append(work.condition.text if side else f"not ({work.condition.text})")
    return " or ".join(reasons)


def _steps(flow: Flow, context: Mapping[str, object]) -> list[DryStep]:
    fate = _Fate(flow)
    layer_of = {name: layer for layer, names in enumerate(flow.layers) for name in names}
    steps: list[DryStep] = []
    for node in flow.nodes.values():
        runs = fate.of(node, context)
        steps.append(
            DryStep(
                node=node.id,
                kind=node.kind,
                calls=_calls(node),
                layer=layer_of[node.id],
                runs=runs,
                when=_when(flow, node),
                inputs=_inputs(node, context),
                inside=_inside(node, context) if runs != "no" else (),
            )
        )
    return sorted(steps, key=lambda step: step.layer)
