"""A flow file to a validated `Flow`: all of it, or a FlowError with file, line, column and the nearest known name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePath

from restock.engine.graph import fields
from restock.engine.graph.draft import Draft, read_node
from restock.engine.graph.model import (
    MAX_DEPTH,
    MAX_NODES,
    Conditional,
    Flow,
    FlowError,
    Loop,
    Node,
    Reference,
    Subgraph,
    Try,
    Value,
)
from restock.engine.graph.published import is_published, rewrite
from restock.engine.graph.reference import nearest
from restock.engine.graph.source import Tree, parse

_HEADER = ("flow", "version", "description", "inputs", "output", "nodes", "edges")
_ID = re.compile(r"[A-Za-z][\w-]*")
_INSIDE = ("_loop_index", "_loop_item", "_loop_iteration", "_error")


def load_flow(
    text: str | bytes,
    name: str,
    *,
    operations: Collection[str],
    services: Mapping[str, str] | None = None,
    rulebooks: Collection[str] | None = None,
    read_file: Callable[[str], str | bytes] | None = None,
    fresh: Collection[str] = (),
) -> Flow:
    """Read a flow in our own or the published form, YAML or JSON; `name` is the file's name, for messages.

    `operations` and `rulebooks` are the names a node may call (rulebooks None: not checked). `services` maps published
    service hosts or node ids to operations. `read_file` gives the text of a subgraph's file. Of the operations in `fresh` no
    answer may be kept and nothing may stand in. Raises FlowError, and then nothing of the file was kept.
    """
    world = World(frozenset(operations), dict(services or {}), rulebooks, read_file, frozenset(fresh))
    return _read(text, world, (name,))


class World:
    """What a flow may refer to outside itself."""

    def __init__(
        self,
        operations: frozenset[str],
        services: dict[str, str],
        rulebooks: Collection[str] | None,
        read_file: Callable[[str], str | bytes] | None,
        fresh: frozenset[str],
    ) -> None:
        self.operations = operations
        self.services = services
        self.rulebooks = rulebooks
        self.read_file = read_file
        self.fresh = fresh


def _read(text: str | bytes, world: World, files: tuple[str, ...]) -> Flow:
    """Load a file; an error in it gets the line it points at."""
    try:
        return _load(parse(text, files[-1]), world, files)
    except FlowError as error:
        if error.file == files[-1]:
            error.point(text if isinstance(text, str) else text.decode("utf-8", "replace"))
        raise


def _load(root: Tree, world: World, files: tuple[str, ...]) -> Flow:
    root.mapping("a flow")
    published = is_published(root)
    if published:
        root = rewrite(root, world.services)
    fields.only(root, _HEADER, "a flow")
    if root.get("nodes") is None:
        root.refuse("A flow needs 'nodes:'.", "Write nodes: and under it one entry per node.")
    return _Loading(root, world, files, published).flow()


class _Loading:
    def __init__(self, root: Tree, world: World, files: tuple[str, ...], published: bool) -> None:
        self._root = root
        self._world = world
        self._files = files
        self._published = published
        self._inputs: dict[str, Tree] = {}
        self._defaults: dict[str, object] = {}
        self._drafts: dict[str, Draft] = {}
        self._labels: dict[tuple[str, str], str] = {}
        self._owner: dict[str, str] = {}
        self._needs: dict[str, dict[str, Tree]] = {}

    def flow(self) -> Flow:
        self._read_inputs()
        self._read_nodes()
        self._own_parts()
        self._needs = {name: {} for name in self._drafts if name not in self._owner}
        self._read_edges()
        for draft in self._drafts.values():
            self._connect(draft)
        output = self._read_output()
        built = {name: self._build(self._drafts[name], tuple(self._needs[name])) for name in self._order()}
        title = self._root.get("flow")
        return Flow(
            name=title.text("flow") if title else PurePath(self._files[-1]).stem,
            nodes=built,
            version=self._header("version"),
            description=self._header("description"),
            inputs=tuple(self._inputs),
            defaults=self._defaults,
            output=output,
            labels=self._labels,
        )

    def _header(self, name: str) -> str:
        found = self._root.get(name)
        if found is not None and isinstance(found.value, dict | list):
            found.refuse(f"'{name}' must be a text, not {found.shape()}.")
        return "" if found is None else str(found.value)

    def _read_inputs(self) -> None:
        listed = self._root.get("inputs")
        for entry in listed.items("inputs") if listed else []:
            if isinstance(entry.value, dict):
                if len(entry.value) != 1:
                    entry.refuse("An input with a default is one 'name: value'.")
                name, default = next(iter(entry.value.items()))
                self._defaults[name] = default.plain()
            else:
                name = entry.text("an input")
            if not _ID.fullmatch(name) or name == "input":
                entry.refuse(f"'{name}' cannot name an input.", "Use letters, digits and _, a letter first.")
            if name in self._inputs:
                entry.refuse(f"The input '{name}' is here twice.", "Remove or rename one.")
            self._inputs[name] = entry

    def _read_nodes(self) -> None:
        nodes = self._root.get("nodes") or self._root
        for name, tree in nodes.mapping("nodes").items():
            place = nodes.key(name)
            if not _ID.fullmatch(name) or name == "input":
                place.refuse(f"'{name}' cannot name a node.", "Use letters, digits, _ and -, a letter first.")
            if name in self._inputs:
                place.refuse(f"'{name}' is both an input and a node.", "Rename one.")
            self._draft(name, tree, place)
        if not self._drafts:
            nodes.refuse("A flow needs at least one node.")

    def _draft(self, name: str, tree: Tree, place: Tree) -> None:
        if name in self._drafts:
            place.refuse(f"There are two nodes '{name}'.", "Rename one.")
        if len(self._drafts) >= MAX_NODES:
            place.refuse(f"A flow has at most {MAX_NODES} nodes.", "Move some into a subgraph.")
        draft = read_node(name, tree, place, self._world.operations, self._world.rulebooks, self._world.fresh)
        self._drafts[name] = draft
        for label, part in draft.inline.items():
            self._draft(f"{name}_{label}", part, part)
            draft.parts[label] = (f"{name}_{label}", part)

    def _known(self, name: str, place: Tree, what: str) -> str:
        if name not in self._drafts:
            place.refuse(f"{what} names '{name}', but there is no such node.", nearest(name, list(self._drafts)))
        return name

    def _own_parts(self) -> None:
        """Bodies of loops and parts of tries belong to one node, which runs them."""
        chosen = {member for draft in self._drafts.values() for side in draft.branches.values() for member, _ in side}
        for draft in self._drafts.values():
            for label, (part, place) in draft.parts.items():
                self._known(part, place, f"'{label}' of '{draft.id}'")
                if part in self._owner:
                    place.refuse(
                        f"'{part}' already belongs to '{self._owner[part]}'.", "A node is run by one other node."
                    )
                if self._drafts[part].kind == "conditional" or part in chosen:
                    place.refuse(f"'{part}' chooses or is chosen by a conditional.", "Put both into a subgraph.")
                self._owner[part] = draft.id
        for name, draft in self._drafts.items():
            chain = [name]
            while chain[-1] in self._owner:
                chain.append(self._owner[chain[-1]])
                if chain[-1] == name:
                    draft.place.refuse(f"These nodes run each other: {' → '.join(reversed(chain))}.")

    def _top(self, name: str) -> str:
        while name in self._owner:
            name = self._owner[name]
        return name

    def _need(self, later: str, earlier: str, place: Tree) -> None:
        """Note that a node waits for another; inside loops and tries the owner waits for what is outside.

        Parts of one owner may look at each other's last result, and a `while` at its body's; they do not wait.
        """
        last, first = self._top(later), self._top(earlier)
        parts = later in self._owner and earlier in self._owner
        asks_body = self._drafts[later].condition is not None and self._owner.get(earlier) == later
        if last != first or not (parts or asks_body):
            self._needs[last].setdefault(first, place)

    def _read_edges(self) -> None:
        edges = self._root.get("edges")
        for edge in edges.items("edges") if edges else []:
            edge.mapping("an edge")
            fields.only(edge, ("from", "to", "rule"), "an edge")
            start, end, rule = edge.get("from"), edge.get("to"), edge.get("rule")
            if start is None or end is None:
                edge.refuse("An edge needs 'from' and 'to'.")
            first = self._known(start.text("from"), start, "'from' of an edge")
            last = self._known(end.text("to"), end, "'to' of an edge")
            self._need(last, first, end)
            if rule is not None:
                self._labels[self._top(first), self._top(last)] = str(rule.value)

    def _connect(self, draft: Draft) -> None:
        """Turn everything a node mentions into dependencies."""
        for name, place in draft.depends:
            self._need(draft.id, self._known(name, place, f"'dependencies' of '{draft.id}'"), place)
        for side, branch in draft.branches.items():
            for member, place in branch:
                self._known(member, place, f"'{str(side).lower()}_branch' of '{draft.id}'")
                self._need(member, draft.id, place)
        for reference, place in draft.references:
            owner = self._owner.get(draft.id, "")
            earlier = self._resolve(reference, place, inside=bool(owner) or draft.kind == "loop")
            if earlier == draft.id and owner and self._drafts[owner].kind == "loop" and self._drafts[owner].at_once > 1:
                place.refuse(f"'{earlier}' looks at its iteration before.", f"Give the loop '{owner}' at_once: 1.")
            if earlier:
                self._reach(draft, earlier, place)
                self._need(draft.id, earlier, place)

    def _reach(self, draft: Draft, earlier: str, place: Tree) -> None:
        """Refuse to look into another node's inside: what a part found belongs to its owner's result."""
        if earlier not in self._owner:
            return
        chain = [draft.id]
        while chain[-1] in self._owner:
            chain.append(self._owner[chain[-1]])
        if self._owner[earlier] not in chain:
            owner = self._owner[earlier]
            place.refuse(f"'{earlier}' runs inside '{owner}'.", f"Refer to the result of '{owner}'.")

    def _resolve(self, reference: Reference, place: Tree, inside: bool) -> str:
        """Give the node a reference needs, or nothing for an input; refuses a name that nothing has."""
        first, *rest = reference.path
        if first in self._drafts:
            return first
        is_input = first in self._inputs or (first == "input" and (not rest or rest[0] in self._inputs))
        if not (self._published or is_input or (inside and first in _INSIDE)):
            if first in _INSIDE:
                place.refuse(f"'{first}' exists only inside loops and tries.")
            wanted = rest[0] if first == "input" else first
            known = [*self._inputs, *(self._drafts if first != "input" else ())]
            what = f"'{reference}' names '{wanted}', which is neither a node nor an input."
            place.refuse(what, nearest(wanted, known))
        return ""

    def _read_output(self) -> tuple[tuple[str, Value], ...]:
        output = self._root.get("output")
        found: list[tuple[str, Value]] = []
        for name, tree in output.mapping("output").items() if output else []:
            value = fields.value(tree, f"output '{name}'")
            if isinstance(value, Reference):
                part = self._resolve(value, tree, inside=False)
                if part in self._owner:
                    owner = self._owner[part]
                    tree.refuse(f"'{part}' runs inside '{owner}'.", f"Refer to the result of '{owner}'.")
            found.append((name, value))
        return tuple(found)

    def _order(self) -> list[str]:
        """Put the nodes into an order in which they could run, near to the order of the file; refuse a cycle."""
        done: dict[str, None] = {}
        for start in self._needs:
            path: list[str] = []
            stack: list[tuple[str, bool]] = [(start, False)]
            while stack:
                name, left = stack.pop()
                if left:
                    done[path.pop()] = None
                elif name in path:
                    circle = [*path[path.index(name) :], name]
                    names = " → ".join(reversed(circle))
                    self._needs[circle[-2]][name].refuse(
                        f"The flow runs in a circle: {names}.", "Remove one dependency."
                    )
                elif name not in done:
                    path.append(name)
                    stack.append((name, True))
                    stack += [(need, False) for need in reversed(self._needs[name])]
        return list(done)

    def _part(self, draft: Draft, label: str) -> Flow | None:
        if label not in draft.parts:
            return None
        node = self._build(self._drafts[draft.parts[label][0]], ())
        return Flow(name=f"{draft.id}.{label}", nodes={node.id: node})

    def _build(self, draft: Draft, dependencies: tuple[str, ...]) -> Node:
        work = draft.work
        body = self._part(draft, "body") or self._part(draft, "try")
        if draft.kind == "loop" and body:
            work = Loop(body, draft.over, draft.condition, draft.most, draft.at_once)
        elif draft.kind == "try" and body:
            work = Try(body, self._part(draft, "catch"), self._part(draft, "finally"))
        elif draft.kind == "subgraph":
            work = Subgraph(self._subgraph(draft), draft.outputs)
        elif draft.kind == "conditional" and draft.condition:
            yes, no = (tuple(member for member, _ in draft.branches[side]) for side in (True, False))
            work = Conditional(draft.condition, yes, no)
        assert work is not None
        return Node(
            id=draft.id,
            work=work,
            inputs=tuple(draft.inputs),
            dependencies=dependencies,
            policy=draft.policy,
            spread=draft.spread,
            join_all=draft.join_all,
            description=draft.description,
            line=draft.place.line,
            column=draft.place.column,
        )

    def _subgraph(self, draft: Draft) -> Flow:
        if len(self._files) >= MAX_DEPTH:
            draft.place.refuse(f"Subgraphs nest deeper than {MAX_DEPTH}.")
        if draft.graph is not None:
            return _load(draft.graph, self._world, (*self._files, draft.id))
        assert draft.file is not None
        file = draft.file.text("file")
        if file in self._files:
            draft.file.refuse(f"The file includes itself: {' → '.join([*self._files, file])}.")
        if self._world.read_file is None:
            draft.file.refuse(
                f"'{file}' cannot be read: this host gives flows no files.", "Write it inline under graph:."
            )
        try:
            text = self._world.read_file(file)
        except (OSError, LookupError) as error:
            draft.file.refuse(f"The file '{file}' cannot be read ({type(error).__name__}).", "Check its name.")
        return _read(text, self._world, (*self._files, file))
