"""Flows and traces as text for a terminal and as Mermaid for a document; `picture` draws them as SVG."""

from __future__ import annotations

from collections.abc import Iterator

from restock.core.clock import timestamp
from restock.engine.graph.model import Conditional, Flow, Loop, Node, OperationCall, RulebookCall, Try
from restock.engine.graph.span import NodeSpan, RunTrace

BAR = 40
"""Characters of the time line in a text: fits a terminal of 120 beside the names."""

_MARKS = {"ok": "✓", "failed": "✗", "skipped": "-", "cancelled": "/", "fallback": "≈", "cached": "=", "stale": "~"}
_SHAPES = {
    "operation": ("[", "]"),
    "rulebook": ("[[", "]]"),
    "conditional": ("{", "}"),
    "loop": ("([", "])"),
    "try": ("[/", "/]"),
    "subgraph": ("[(", ")]"),
}


def label_of(node: Node) -> str:
    """Say in a few words what a node does."""
    work = node.work
    if isinstance(work, OperationCall):
        return work.name
    if isinstance(work, RulebookCall):
        return f"rulebook {work.name}"
    if isinstance(work, Conditional):
        return f"if {work.condition.text}"
    if isinstance(work, Loop):
        body = next(iter(work.body.nodes))
        return f"for each of {work.over}: {body}" if work.over else f"while {_loop_text(work)}: {body}"
    if isinstance(work, Try):
        parts = ((" catch ", work.catch), (" finally ", work.finale))
        rest = "".join(word + next(iter(part.nodes)) for word, part in parts if part)
        return f"try {next(iter(work.body.nodes))}{rest}"
    return f"flow {work.flow.name}"


def _loop_text(work: Loop) -> str:
    return work.condition.text if work.condition else ""


def guards_of(node: Node) -> str:
    """Say what protects a node, in a few words; nothing when nothing does."""
    policy, words = node.policy, []
    if policy.timeout_s is not None:
        words.append(f"within {policy.timeout_s:g} s")
    if policy.retry is not None:
        words.append(f"{policy.retry.attempts} attempts")
    if policy.breaker is not None:
        words.append(f"breaker {policy.breaker.failures}")
    if policy.cache is not None and policy.cache.ttl_s:
        words.append(f"cached {policy.cache.ttl_s:g} s")
    if policy.cache is not None and policy.cache.stale_s:
        words.append(f"stands in for {policy.cache.stale_s:g} s")
    if policy.fallback is not None:
        words.append("fallback")
    return ", ".join(words)


def edges_of(flow: Flow) -> Iterator[tuple[str, str, str]]:
    """Give every edge with its label: the branch of a conditional, or what the file calls it."""
    gates = flow.gates
    for node in flow.nodes.values():
        chosen = dict(gates.get(node.id, ()))
        for before in node.dependencies:
            label = flow.labels.get((before, node.id), "")
            if before in chosen:
                label = "yes" if chosen[before] else "no"
            yield before, node.id, label


def flow_text(flow: Flow) -> str:
    """Draw a flow as lines: one per node, in layers that can run at the same time."""
    lines = [f"{flow.name} {flow.version}".strip()]
    lines += [f"  {line}" for line in flow.description.splitlines()]
    if flow.inputs:
        lines.append(f"  inputs: {', '.join(flow.inputs)}")
    width = max(len(name) for name in flow.nodes)
    labels = {(start, end): label for start, end, label in edges_of(flow) if label}
    for number, layer in enumerate(flow.layers, 1):
        for index, name in enumerate(layer):
            node = flow.nodes[name]
            after = [
                before + (f" ({labels[before, name]})" if (before, name) in labels else "")
                for before in node.dependencies
            ]
            parts = [label_of(node), guards_of(node), f"after {', '.join(after)}" if after else ""]
            lines.append(
                f"{number if index == 0 else '':>3} {name:<{width}}  {'; '.join(part for part in parts if part)}"
            )
    if flow.output:
        lines.append(f"  output: {', '.join(f'{name} = {value}' for name, value in flow.output)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;") + '"'


def flow_mermaid(flow: Flow) -> str:
    """Draw a flow as a Mermaid flowchart."""
    keys = {name: f"n{index}" for index, name in enumerate(flow.nodes)}
    lines = ["flowchart LR"]
    for node in flow.nodes.values():
        left, right = _SHAPES[node.kind]
        lines.append(f"  {keys[node.id]}{left}{_quoted(f'{node.id}: {label_of(node)}')}{right}")
    for start, end, label in edges_of(flow):
        arrow = f"-->|{_quoted(label)}|" if label else "-->"
        lines.append(f"  {keys[start]} {arrow} {keys[end]}")
    return "\n".join(lines) + "\n"


def rows_of(spans: tuple[NodeSpan, ...], depth: int = 0) -> Iterator[tuple[int, NodeSpan]]:
    """Walk spans and what ran inside them, with the depth."""
    for span in spans:
        yield depth, span
        yield from rows_of(span.children, depth + 1)


def told(span: NodeSpan) -> str:
    """Say what became of a node: status, attempts, error."""
    tries = f" after {span.attempts} attempts" if span.attempts > 1 else ""
    return f"{span.status}{tries}" + (f": {span.error}" if span.error else "")


def _bar(span: NodeSpan, whole_ms: float) -> str:
    if span.started_ms is None or span.ended_ms is None:
        return " " * BAR
    start = min(BAR - 1, int(span.started_ms / whole_ms * BAR))
    length = max(1, round(span.took_ms / whole_ms * BAR))
    return (" " * start + "█" * length)[:BAR].ljust(BAR)


def trace_text(trace: RunTrace) -> str:
    """Draw a trace as lines with a bar each, in the order of starting."""
    ending = f"failed: {trace.error}" if trace.error else "ok"
    together = f", {trace.cohort} runs together" if trace.cohort > 1 else ""
    lines = [f"{trace.flow}  {timestamp(trace.began_at)}  {trace.took_ms:.3f} ms{together}  {ending}"]
    rows = list(rows_of(trace.spans))
    width = max((len(span.node) + 2 * depth for depth, span in rows), default=0)
    whole = trace.took_ms or 1.0
    for depth, span in rows:
        name = "  " * depth + span.node
        took = f"{span.took_ms:9.3f} ms" if span.started_ms is not None else " " * 12
        lines.append(f"{_MARKS[span.status]} {name:<{width}} |{_bar(span, whole)}| {took}  {told(span)}".rstrip())
    return "\n".join(lines) + "\n"


def trace_mermaid(trace: RunTrace) -> str:
    """Draw a trace as a Mermaid Gantt chart; its axis counts microseconds."""
    title = trace.flow.replace("\n", " ").replace(":", " ").replace(";", " ")
    lines = ["gantt", f"  title {title} (µs)", "  dateFormat x", "  axisFormat %Q", "  section nodes"]
    for _, span in rows_of(trace.spans):
        if span.started_ms is None or span.ended_ms is None:
            continue
        start = round(span.started_ms * 1000)
        end = max(start + 1, round(span.ended_ms * 1000))
        tag = {"failed": "crit, ", "cancelled": "crit, ", "ok": "done, "}.get(span.status, "active, ")
        tries = f" x{span.attempts}" if span.attempts > 1 else ""
        lines.append(f"  {span.node}{tries} ({span.status}) :{tag}{start}, {end}")
    return "\n".join(lines) + "\n"
