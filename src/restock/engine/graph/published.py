"""Published graph files, rewritten to the shape of our own: `load` then checks both in the same way.

Theirs share one context, so a rewritten node gets the flow's inputs and, as `<id>_result`, what its dependencies found.
What Restock does not do (SQL and AI prompts inside a graph, other vendors' layouts) is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from restock.engine.graph.fields import integer, names, number, only
from restock.engine.graph.reference import nearest
from restock.engine.graph.source import Tree

TYPES = (
    "RuleNode",
    "DBNode",
    "AINode",
    "GrpcNode",
    "SubgraphNode",
    "ConditionalNode",
    "LoopNode",
    "TryCatchNode",
    "RetryNode",
    "CircuitBreakerNode",
)

_COMMON = ("type", "node_type", "description", "dependencies", "inputs", "field_mappings", "params")
_FIELDS: dict[str, tuple[str, ...]] = {
    "RuleNode": ("query", "condition"),
    "GrpcNode": ("query", "prompt", "condition"),
    "SubgraphNode": ("subgraph_file", "graph_def", "input_mapping", "output_mapping"),
    "ConditionalNode": ("condition", "true_branch", "false_branch"),
    "LoopNode": ("condition", "max_iterations", "body_node_id", "collection_key"),
    "TryCatchNode": ("try_node_id", "catch_node_id", "finally_node_id"),
    "RetryNode": ("target_node_id", "max_retries", "initial_delay_ms", "backoff_multiplier"),
    "CircuitBreakerNode": ("target_node_id", "failure_threshold", "timeout_ms", "half_open_timeout_ms"),
}
_MAX_MS = 3_600_000
_RULE_ENGINE = re.compile(r"rule[-_]engine")
_NAME = re.compile(r"[A-Za-z_][\w-]*")

Members = dict[str, tuple[Tree, Tree]]
"""The members of a rewritten node: name to value and place of the key."""


def is_published(root: Tree) -> bool:
    """Whether a file has the published shape: a list of nodes, the short form, or types that end in Node."""
    nodes = root.get("nodes")
    if nodes is None or not isinstance(nodes.value, dict):
        return nodes is not None and isinstance(nodes.value, list)
    return any(
        isinstance(node.value, str) or node.get("node_type") or _is_their_type(node) for node in nodes.value.values()
    )


def _is_their_type(node: Tree) -> bool:
    kind = node.get("type")
    return kind is not None and isinstance(kind.value, str) and kind.value.endswith("Node")


def rewrite(root: Tree, services: Mapping[str, str]) -> Tree:
    """Give the tree in our own shape. Raises FlowError for what cannot be carried over."""
    only(root, ("nodes", "edges", "name", "description", "version"), "a published graph")
    nodes = root.get("nodes")
    if nodes is None or isinstance(nodes.value, list):
        (nodes or root).refuse(
            "Nodes as a list (id, node_type: Rule | DB, config) are another product's layout with rule text and SQL inside.",
            "Write nodes as a mapping of id to node, rules as a rulebook, and fetch data by operations.",
        )
    return _Rewriting(root, nodes, services).done()


def _made(place: Tree, members: Members) -> Tree:
    values = {name: value for name, (value, _) in members.items()}
    return Tree(values, place.file, place.line, place.column, {name: key for name, (_, key) in members.items()})


class _Rewriting:
    def __init__(self, root: Tree, nodes: Tree, services: Mapping[str, str]) -> None:
        self._root = root
        self._services = services
        self._nodes = nodes.mapping("nodes")
        self._place = nodes
        self._targets: dict[str, str] = {}
        self._made: dict[str, Members] = {}
        self._edges: list[tuple[Tree, Tree, Tree | None]] = []

    def done(self) -> Tree:
        kinds = {name: self._kind(name, node) for name, node in self._nodes.items()}
        for name, kind in kinds.items():
            if kind in ("RetryNode", "CircuitBreakerNode"):
                self._targets[name] = self._target(name, self._nodes[name])
        self._read_edges()
        for name, kind in kinds.items():
            if name not in self._targets:
                self._made[name] = self._node(name, kind, self._nodes[name])
        for name, kind in kinds.items():
            if name in self._targets:
                self._protect(self._made[self._end(name)], kind, self._nodes[name])
        made = {
            name: (_made(self._nodes[name], members), self._place.key(name)) for name, members in self._made.items()
        }
        whole: Members = {"nodes": (_made(self._place, made), self._root.key("nodes"))}
        whole["edges"] = (self._root.like([self._edge(*edge) for edge in self._edges]), self._root)
        for theirs, ours in (("name", "flow"), ("description", "description"), ("version", "version")):
            if found := self._root.get(theirs):
                whole[ours] = (found, self._root.key(theirs))
        return _made(self._root, whole)

    def _kind(self, name: str, node: Tree) -> str:
        place = node if isinstance(node.value, str) else node.get("type") or node.get("node_type")
        if place is None:
            node.refuse(f"The node '{name}' has no type.", f"Give it 'type:', one of {', '.join(TYPES)}.")
        kind = place.text("type")
        if kind in ("DBNode", "AINode"):
            why = "reads a database directly" if kind == "DBNode" else "asks a language model"
            place.refuse(
                f"'{name}' is of type {kind}: it {why}. Here a flow only calls operations and rulebooks.",
                "Replace it by the operation that gives the same data (type: operation).",
            )
        if kind not in _FIELDS:
            place.refuse(f"There is no node type '{kind}'.", nearest(kind, list(TYPES)))
        if isinstance(node.value, dict):
            only(node, (*_COMMON, *_FIELDS[kind]), f"a {kind}")
        return kind

    def _target(self, name: str, node: Tree) -> str:
        target = node.get("target_node_id")
        if target is None:
            node.refuse(f"'{name}' needs 'target_node_id'.", "Name the node that it protects.")
        found = target.text("target_node_id")
        if found not in self._nodes or found == name:
            target.refuse(f"There is no node '{found}'.", nearest(found, list(self._nodes)))
        return found

    def _end(self, name: str) -> str:
        seen: list[str] = []
        while name in self._targets:
            if name in seen:
                self._place.key(name).refuse(f"These nodes protect each other: {' → '.join([*seen, name])}.")
            seen.append(name)
            name = self._targets[name]
        return name

    def _read_edges(self) -> None:
        edges = self._root.get("edges")
        for edge in edges.items("edges") if edges else []:
            edge.mapping("an edge")
            only(edge, ("from", "to", "rule"), "an edge")
            ends = [edge.get("from"), edge.get("to")]
            if ends[0] is None or ends[1] is None:
                edge.refuse("An edge needs 'from' and 'to'.")
            start, end = (self._aimed(each) for each in ends if each)
            if start.value != end.value or ends[0].value == ends[1].value:
                self._edges.append((start, end, edge.get("rule")))

    def _aimed(self, place: Tree) -> Tree:
        """A protector stands for the node that it protects."""
        return place.like(self._end(place.text("a node")))

    def _edge(self, start: Tree, end: Tree, rule: Tree | None) -> Tree:
        members: Members = {"from": (start, start), "to": (end, end)}
        if rule is not None:
            members["rule"] = (rule, rule)
        return _made(start, members)

    def _node(self, name: str, kind: str, node: Tree) -> Members:
        members: Members = {}
        for kept in ("description", "dependencies"):
            if found := node.get(kept):
                members[kept] = (found, node.key(kept))
        depends = node.get("dependencies")
        if depends is not None:
            aimed = [self._aimed(place) for _, place in names(depends, "dependencies")]
            members["dependencies"] = (depends.like(aimed), depends)
        convert: dict[str, Callable[[str, Tree, Members], None]] = {
            "RuleNode": self._rule,
            "GrpcNode": self._grpc,
            "SubgraphNode": self._subgraph,
            "ConditionalNode": self._conditional,
            "LoopNode": self._loop,
            "TryCatchNode": self._try,
        }
        convert[kind](name, node, members)
        if members["type"][0].value in ("operation", "rulebook"):
            members["spread"] = (node.like(True), node)
            members["inputs"] = (self._inputs(name, node, members), node)
        return members

    def _inputs(self, name: str, node: Tree, members: Members) -> Tree:
        given: Members = {}
        for start, end, _ in self._edges:
            if end.value == name:
                given[f"{start.value}_result"] = (start, start)
        if "dependencies" in members:
            for before, place in names(members["dependencies"][0], "dependencies"):
                given[f"{before}_result"] = (place, place)
        for part in ("inputs", "field_mappings"):
            if found := node.get(part):
                for alias, source in found.mapping(part).items():
                    given[alias] = (self._referred(source), found.key(alias))
        if params := node.get("params"):
            for param, place in names(params, "params"):
                given[param] = (self._referred(place), place)
        return _made(node, given)

    def _referred(self, place: Tree) -> Tree:
        """`<id>_result.field` is their way to write `<id>.field`."""
        if not isinstance(place.value, str):
            return place
        first, dot, rest = place.value.strip().partition(".")
        bare = first.removesuffix("_result")
        first = bare if first not in self._nodes and bare in self._nodes else first
        return place.like((self._end(first) if first in self._targets else first) + dot + rest)

    def _renamed(self, place: Tree) -> Tree:
        """The same for the names inside a condition."""
        if not isinstance(place.value, str):
            return place
        known = "|".join(sorted(map(re.escape, self._nodes), key=len, reverse=True))
        return place.like(re.sub(rf"(?<![\w.'\"-])({known})_result(?![\w-])", r"\1", place.value))

    def _service(self, name: str, host: str) -> str | None:
        """Find the operation of a service by host, node id, or either without its usual ending."""
        for word in (host, host.removesuffix("-service"), name, name.removesuffix("_grpc")):
            for spelling in (word, word.replace("-", "_")):
                if spelling in self._services:
                    return self._services[spelling]
        return None

    def _grpc(self, name: str, node: Tree, members: Members) -> None:
        query = node.get("query")
        address = query.text("query") if query else ""
        host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
        operation = self._service(name, host)
        if operation is None and _RULE_ENGINE.match(host or name):
            (query or node).refuse(
                f"'{name}' asks the rule engine by a call; here rules run inside the flow.",
                "Write a RuleNode whose query is the name of a rulebook, for example purchasing.",
            )
        if operation is None:
            (query or node).refuse(
                f"'{name}' calls '{address or 'no address'}', which is none of this installation's services.",
                nearest(host or name, list(self._services)),
            )
        members["type"] = (node.like("operation"), node)
        members["operation"] = ((query or node).like(operation), query or node)

    def _rule(self, name: str, node: Tree, members: Members) -> None:
        condition, query = node.get("condition"), node.get("query")
        if condition is not None:
            members["type"] = (node.like("conditional"), node)
            members["condition"] = (self._renamed(condition), condition)
            return
        operation = self._service(name, "")
        if operation is not None and query is None:  # their orchestrator runs rule_engine_grpc and po_grpc as RuleNodes
            members["type"] = (node.like("operation"), node)
            members["operation"] = (node.like(operation), node)
            return
        if query is not None and not _NAME.fullmatch(query.text("query")):
            query.refuse(f"'{name}' has rule text inside the graph.", "Store it as a rulebook and write its name here.")
        members["type"] = (node.like("rulebook"), node)
        members["rulebook"] = ((query or node).like(query.value if query else name), query or node)

    def _conditional(self, name: str, node: Tree, members: Members) -> None:
        members["type"] = (node.like("conditional"), node)
        if condition := node.get("condition"):
            members["condition"] = (self._renamed(condition), node.key("condition"))
        for branch in ("true_branch", "false_branch"):
            if found := node.get(branch):
                aimed = [self._aimed(place) for _, place in names(found, branch)]
                members[branch] = (found.like(aimed), node.key(branch))

    def _loop(self, name: str, node: Tree, members: Members) -> None:
        members["type"] = (node.like("loop"), node)
        members["at_once"] = (node.like(1), node)
        for theirs, ours in (("condition", "while"), ("collection_key", "over"), ("body_node_id", "body")):
            if found := node.get(theirs):
                change = {"while": self._renamed, "over": self._referred, "body": self._aimed}[ours]
                members[ours] = (change(found), node.key(theirs))
        if most := node.get("max_iterations"):
            members["max_iterations"] = (most, node.key("max_iterations"))
        if "over" in members:
            members.pop("while", None)

    def _try(self, name: str, node: Tree, members: Members) -> None:
        members["type"] = (node.like("try"), node)
        for theirs, ours in (("try_node_id", "try"), ("catch_node_id", "catch"), ("finally_node_id", "finally")):
            if found := node.get(theirs):
                members[ours] = (self._aimed(found), node.key(theirs))

    def _subgraph(self, name: str, node: Tree, members: Members) -> None:
        members["type"] = (node.like("subgraph"), node)
        for theirs, ours in (("subgraph_file", "file"), ("graph_def", "graph"), ("output_mapping", "output_mapping")):
            if found := node.get(theirs):
                members[ours] = (found, node.key(theirs))
        if mapping := node.get("input_mapping"):
            given = {
                str(child.text("input_mapping")): (
                    self._referred(mapping.key(parent).like(parent)),
                    mapping.key(parent),
                )
                for parent, child in mapping.mapping("input_mapping").items()
            }
            members["inputs"] = (_made(mapping, given), node.key("input_mapping"))

    def _protect(self, target: Members, kind: str, node: Tree) -> None:
        """Turn a RetryNode or CircuitBreakerNode into a setting of its target."""
        if kind == "RetryNode":
            retries, delay = node.get("max_retries"), node.get("initial_delay_ms")
            factor = node.get("backoff_multiplier")
            made: Members = {"on": (node.like([node.like("Exception")]), node)}
            attempts = 1 + integer(retries, "max_retries", 0, 9) if retries else 4
            made["attempts"] = (node.like(attempts), node)
            if delay:
                made["delay"] = (delay.like(f"{number(delay, 'initial_delay_ms', 1, _MAX_MS):g}ms"), delay)
            if factor:
                made["factor"] = (factor, factor)
            target["retry"] = (_made(node, made), node)
            return
        made = {}
        if failures := node.get("failure_threshold"):
            made["failures"] = (failures, failures)
        if rest := node.get("timeout_ms"):
            made["reset"] = (rest.like(f"{number(rest, 'timeout_ms', 1, _MAX_MS):.0f}ms"), rest)
        target["breaker"] = (_made(node, made), node)
