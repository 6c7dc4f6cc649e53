"""A flow compiled for one executor: each node with the functions the walk calls, and the numbers it counts with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from restock.core.errors import InvalidInput
from restock.engine.graph.control import Walker, loop_call, subgraph_call, try_call
from restock.engine.graph.model import Conditional, Flow, Loop, Node, OperationCall, RulebookCall, Subgraph, Try
from restock.engine.graph.policy import Call, Governor, Tools
from restock.engine.graph.reference import Getter, builder, getter, nearest
from restock.engine.graph.run import Reader

Rulebook = Callable[[str, Sequence[Mapping[str, object]]], object]
"""Asks a named rulebook about many items; one result per item, now or awaited."""


class Step:
    """One node, ready to be called with the inputs of every run that reached it."""

    __slots__ = ("call", "dependencies", "gates", "governor", "index", "inputs_of", "join_all", "node_id", "successors")

    def __init__(self, index: int, node: Node, call: Call, inputs_of: Reader) -> None:
        self.index = index
        self.node_id = node.id
        self.call = call
        self.inputs_of = inputs_of
        self.dependencies = node.dependencies
        self.join_all = node.join_all
        self.governor: Governor | None = None
        self.gates: tuple[tuple[str, bool], ...] = ()
        self.successors: list[Step] = []


class Plan:
    """The compiled flow. `waits` counts each step's dependencies; `roots` have none."""

    __slots__ = ("branches", "flow", "output", "readers", "roots", "waits")

    def __init__(self, flow: Flow, steps: Sequence[Step]) -> None:
        self.flow = flow
        by_id = {step.node_id: step for step in steps}
        gates = flow.gates
        self.branches = bool(gates)
        for step in steps:
            step.gates = gates.get(step.node_id, ())
            for name in step.dependencies:
                by_id[name].successors.append(step)
        self.readers = [step.inputs_of for step in steps]
        self.roots = [step for step in steps if not step.dependencies]
        self.waits = [len(step.dependencies) for step in steps]
        self.output: list[tuple[str, Getter]] = [(name, getter(value)) for name, value in flow.output]


def _itself(context: Mapping[str, object]) -> Mapping[str, object]:
    return context


def _decide(work: Conditional, contexts: Sequence[Mapping[str, object]]) -> object:
    answers: list[object] = []
    for context in contexts:
        try:
            answers.append({"taken": work.condition.test(context)})
        except Exception as error:
            answers.append(error)
    return answers


def _call_of(node: Node, operations: Mapping[str, Call], rulebook: Rulebook | None, walker: Walker) -> Call:
    work = node.work
    if isinstance(work, OperationCall):
        if work.name not in operations:
            what = f"The flow's node '{node.id}' calls '{work.name}', which this executor does not have."
            raise InvalidInput(what, field=node.id, remedy=nearest(work.name, operations))
        return operations[work.name]
    if isinstance(work, RulebookCall):
        if rulebook is None:
            raise InvalidInput(f"The flow's node '{node.id}' asks a rulebook; this executor has none.", field=node.id)
        return partial(rulebook, work.name)
    if isinstance(work, Conditional):
        return partial(_decide, work)
    if isinstance(work, Loop):
        return partial(loop_call, work, walker)
    if isinstance(work, Try):
        return partial(try_call, work, walker)
    return partial(subgraph_call, work, builder(node.inputs, node.spread), walker)


def compile_flow(
    flow: Flow, operations: Mapping[str, Call], rulebook: Rulebook | None, walker: Walker, tools: Tools
) -> Plan:
    """Make the plan of a flow. Raises InvalidInput when it calls what the executor does not have."""
    steps: list[Step] = []
    for index, node in enumerate(flow.nodes.values()):
        calls = isinstance(node.work, OperationCall | RulebookCall)
        call = _call_of(node, operations, rulebook, walker)
        step = Step(index, node, call, builder(node.inputs, node.spread) if calls else _itself)
        if not node.policy.is_empty:
            work = node.work
            name = work.name if isinstance(work, OperationCall | RulebookCall) else node.id
            step.governor = Governor(name, node.policy, call, tools)
        if isinstance(node.work, Loop | Try):
            for part in (node.work.body, *_parts(node.work)):
                compile_flow(part, operations, rulebook, walker, tools)  # refuse now, not in the middle of a run
        elif isinstance(node.work, Subgraph):
            compile_flow(node.work.flow, operations, rulebook, walker, tools)
        steps.append(step)
    return Plan(flow, steps)


def _parts(work: Loop | Try) -> list[Flow]:
    return [part for part in (work.catch, work.finale) if part] if isinstance(work, Try) else []
