"""One node as it stands in a file: its fields read and checked, its names not yet looked up in the rest of the flow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from restock.engine.graph import fields
from restock.engine.graph.model import (
    COHORT_LIMIT,
    MAX_ITERATIONS,
    Condition,
    OperationCall,
    Policy,
    Reference,
    RulebookCall,
    Value,
    Work,
)
from restock.engine.graph.reference import nearest, parse_reference
from restock.engine.graph.source import Tree

_COMMON = ("type", "description", "dependencies", "join")
_CALL = ("inputs", "field_mappings", "timeout", "retry", "breaker", "fallback", "cache", "spread")
_CONTROL = ("timeout", "retry", "fallback")
_FIELDS: dict[str, tuple[str, ...]] = {
    "operation": ("operation", *_CALL),
    "rulebook": ("rulebook", *_CALL),
    "conditional": ("condition", "true_branch", "false_branch"),
    "loop": ("body", "over", "while", "max_iterations", "at_once", *_CONTROL),
    "try": ("try", "catch", "finally", *_CONTROL),
    "subgraph": ("file", "graph", "inputs", "input_mapping", "output_mapping", *_CONTROL),
}
_TELLING = {
    "operation": "operation",
    "rulebook": "rulebook",
    "condition": "conditional",
    "body": "loop",
    "try": "try",
    "file": "subgraph",
    "graph": "subgraph",
}


@dataclass
class Draft:
    """A node whose own fields are good. `references` and `depends` keep their places for what is found wrong later."""

    id: str
    kind: str
    place: Tree
    tree: Tree
    operations: Collection[str] = ()
    rulebooks: Collection[str] | None = None
    description: str = ""
    inputs: list[tuple[str, Value]] = field(default_factory=list)
    references: list[tuple[Reference, Tree]] = field(default_factory=list)
    depends: list[tuple[str, Tree]] = field(default_factory=list)
    parts: dict[str, tuple[str, Tree]] = field(default_factory=dict)
    inline: dict[str, Tree] = field(default_factory=dict)
    branches: dict[bool, list[tuple[str, Tree]]] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    work: Work | None = None
    condition: Condition | None = None
    over: Reference | None = None
    most: int = MAX_ITERATIONS
    at_once: int = COHORT_LIMIT
    graph: Tree | None = None
    file: Tree | None = None
    outputs: tuple[tuple[str, Reference], ...] = ()
    spread: bool = False
    join_all: bool = False

    def want(self, value: Value | None, place: Tree) -> None:
        """Note that the node reads a reference."""
        if isinstance(value, Reference):
            self.references.append((value, place))


def _kind(name: str, tree: Tree) -> str:
    given = tree.get("type")
    if given is not None:
        kind = given.text("type")
        if kind not in _FIELDS:
            given.refuse(f"There is no node type '{kind}'.", nearest(kind, list(_FIELDS)))
        return kind
    told = next((kind for key, kind in _TELLING.items() if tree.get(key)), None)
    if told is None:
        tree.refuse(f"The node '{name}' does not say what it does.", f"Give it 'type:', one of {', '.join(_FIELDS)}.")
    return told


def read_node(
    name: str,
    tree: Tree,
    place: Tree,
    operations: Collection[str],
    rulebooks: Collection[str] | None,
    fresh: Collection[str] = (),
) -> Draft:
    """Read one node of our own form. Raises FlowError at the field that is wrong."""
    tree.mapping(f"the node '{name}'")
    kind = _kind(name, tree)
    fields.only(tree, (*_COMMON, *_FIELDS[kind]), f"a node of type {kind}")
    draft = Draft(name, kind, place, tree, operations, rulebooks)
    if text := tree.get("description"):
        draft.description = text.text("description")
    if depends := tree.get("dependencies"):
        draft.depends = fields.names(depends, "dependencies")
    if join := tree.get("join"):
        if join.value not in ("any", "all"):
            join.refuse(f"join must be any or all, not {join.shape()}.")
        draft.join_all = join.value == "all"
    _READERS[kind](draft)
    draft.policy = fields.policy(tree, [] if draft.spread else [each for each, _ in draft.inputs])
    if fallback := tree.get("fallback"):
        draft.want(draft.policy.fallback, fallback)
    if isinstance(draft.work, OperationCall) and draft.work.name in fresh:
        for part in ("cache", "fallback"):
            if stood_in := tree.get(part):
                stood_in.refuse(
                    f"{draft.work.name} must be asked: what it says changes with every order, and nothing may stand in.",
                    f"Leave '{part}' out: without an answer the run fails, and is made again.",
                )
    return draft


def _read_inputs(draft: Draft) -> None:
    for part in ("inputs", "field_mappings"):
        given = draft.tree.get(part)
        for name, tree in given.mapping(part).items() if given else []:
            if any(name == known for known, _ in draft.inputs):
                tree.refuse(f"The input '{name}' is given twice.", "Remove one.")
            value = fields.value(tree, f"input '{name}'")
            draft.want(value, tree)
            draft.inputs.append((name, value))
    spread = draft.tree.get("spread")
    if spread is not None and not isinstance(spread.value, bool):
        spread.refuse(f"spread must be true or false, not {spread.shape()}.")
    draft.spread = spread.value is True if spread is not None else not draft.inputs


def _required(draft: Draft, name: str) -> Tree:
    found = draft.tree.get(name)
    if found is None:
        draft.place.refuse(f"The node '{draft.id}' of type {draft.kind} needs '{name}'.")
    return found


def _read_operation(draft: Draft) -> None:
    place = _required(draft, "operation")
    name = place.text("operation")
    if name not in draft.operations:
        place.refuse(f"There is no operation '{name}'.", nearest(name, list(draft.operations)))
    draft.work = OperationCall(name)
    _read_inputs(draft)


def _read_rulebook(draft: Draft) -> None:
    place = _required(draft, "rulebook")
    name = place.text("rulebook")
    if draft.rulebooks is not None and name not in draft.rulebooks:
        place.refuse(f"There is no rulebook '{name}'.", nearest(name, list(draft.rulebooks)))
    draft.work = RulebookCall(name)
    _read_inputs(draft)


def _read_condition(draft: Draft, place: Tree, what: str) -> None:
    draft.condition = fields.condition(place, what)
    for name in draft.condition.names:
        draft.want(name, place)


def _read_conditional(draft: Draft) -> None:
    _read_condition(draft, _required(draft, "condition"), "condition")
    for side, key in ((True, "true_branch"), (False, "false_branch")):
        branch = draft.tree.get(key)
        draft.branches[side] = fields.names(branch, key) if branch else []


def _read_part(draft: Draft, label: str) -> None:
    place = draft.tree.get(label)
    if place is None:
        return
    if isinstance(place.value, dict):
        draft.inline[label] = place
    else:
        draft.parts[label] = (place.text(label), place)


def _read_loop(draft: Draft) -> None:
    _required(draft, "body")
    _read_part(draft, "body")
    over, condition, most, at_once = (draft.tree.get(key) for key in ("over", "while", "max_iterations", "at_once"))
    if (over is None) == (condition is None):
        draft.place.refuse(f"The loop '{draft.id}' needs either 'over' or 'while'.")
    if over is not None:
        draft.over = fields.reference(over, "over")
        draft.want(draft.over, over)
    if condition is not None:
        draft.at_once = 1
        _read_condition(draft, condition, "while")
        if most is None:
            draft.place.refuse(f"The loop '{draft.id}' needs 'max_iterations'.", "A loop without end stops nobody.")
    if most is not None:
        draft.most = fields.integer(most, "max_iterations", 1, MAX_ITERATIONS)
    if at_once is not None and condition is None:
        draft.at_once = fields.integer(at_once, "at_once", 1, COHORT_LIMIT)


def _read_try(draft: Draft) -> None:
    _required(draft, "try")
    for label in ("try", "catch", "finally"):
        _read_part(draft, label)
    if draft.tree.get("catch") is None and draft.tree.get("finally") is None:
        draft.place.refuse(f"The try '{draft.id}' needs 'catch' or 'finally'.")


def _read_subgraph(draft: Draft) -> None:
    draft.file, draft.graph = draft.tree.get("file"), draft.tree.get("graph")
    if (draft.file is None) == (draft.graph is None):
        draft.place.refuse(f"The subgraph '{draft.id}' needs either 'file' or 'graph'.")
    _read_inputs(draft)
    mapping = draft.tree.get("input_mapping")
    for parent, child in mapping.mapping("input_mapping").items() if mapping else []:
        place = mapping.key(parent) if mapping else child
        source = fields.value(place.like(parent), "input_mapping")
        draft.want(source, place)
        draft.inputs.append((child.text("input_mapping"), source))
        draft.spread = False
    mapping = draft.tree.get("output_mapping")
    outputs: list[tuple[str, Reference]] = []
    for child_name, parent_name in mapping.mapping("output_mapping").items() if mapping else []:
        path = parse_reference(child_name)
        if path is None:
            parent_name.refuse(f"'{child_name}' is no reference into the subgraph.")
        outputs.append((parent_name.text("output_mapping"), path))
    draft.outputs = tuple(outputs)


_READERS = {
    "operation": _read_operation,
    "rulebook": _read_rulebook,
    "conditional": _read_conditional,
    "loop": _read_loop,
    "try": _read_try,
    "subgraph": _read_subgraph,
}
