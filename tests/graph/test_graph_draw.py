"""Drawings, dry runs and profiles."""

from __future__ import annotations

import asyncio
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from graph_world import FETCHES, START, Items, Turn, decide, flow_of, purchasing_flow, purchasing_operations
from hypothesis import given, settings
from hypothesis import strategies as st

from restock.core.clock import SimulatedClock
from restock.core.errors import InvalidInput, Unavailable
from restock.engine.graph import (
    Executor,
    RunTrace,
    dry_run,
    flow_mermaid,
    flow_svg,
    flow_text,
    profile,
    trace_mermaid,
    trace_svg,
    trace_text,
)

SVG = "{http://www.w3.org/2000/svg}"

FLOW_TEXT = """\
purchasing 1
  Buys one product when its inventory position falls short.
  inputs: product_id, warehouse
  1 orders    orders.demand; within 2 s
    stock     inventory.position; within 2 s
    supplier  suppliers.terms; 3 attempts
    units     units.factor; cached 30 s
  2 decide    rulebook purchasing; after orders, stock, supplier, units
  3 wanted    if decide.should_create_po and decide.order_qty > 0; after decide
  4 create    purchasing.create; after wanted (yes), decide
    explain   purchasing.explain; after wanted (no), decide
  output: order = create.po_id, quantity = decide.order_qty
"""

TRACE_TEXT = """\
purchasing  2026-11-20T08:00:00.000000Z  9.000 ms  ok
✓ orders   |█████████████                           |     3.000 ms  ok
✓ stock    |█████████████                           |     3.000 ms  ok
✓ supplier |███████████████████████████             |     6.000 ms  ok after 2 attempts
✓ units    |█████████████                           |     3.000 ms  ok
✓ decide   |                          █████████████ |     3.000 ms  ok
"""


async def traced() -> RunTrace:
    """A run in which every fetch takes 3 ms and the supplier answers the second time."""
    turn = Turn()
    asked: list[int] = []

    async def fetch(items: Items) -> list[object]:
        await turn.sleep(0.003)
        return [{"demand": 1, "available": 1, "moq": 1, "factor": 1} for _ in items]

    async def supplier(items: Items) -> list[object]:
        asked.append(1)
        await turn.sleep(0.003)
        return [{"moq": 1}] if len(asked) > 1 else [Unavailable("busy")]

    async def at_once(seconds: float) -> None:
        pass

    def slow_rules(name: str, items: Items) -> list[object]:
        turn.now += 3_000_000
        return decide(name, items)

    operations = purchasing_operations() | dict.fromkeys(FETCHES, fetch) | {"suppliers.terms": supplier}
    executor = Executor(operations, slow_rules, SimulatedClock(START), monotonic=turn.monotonic, sleep=at_once)  # type: ignore[arg-type]
    task = asyncio.create_task(executor.run(purchasing_flow(), [{"product_id": "PROD-001"}]))
    await turn.run(task)  # type: ignore[arg-type]
    return task.result()[0].trace


def test_a_flow_as_text():
    assert flow_text(purchasing_flow()) == FLOW_TEXT


async def test_a_trace_as_text():
    text = trace_text(await traced())
    assert text.startswith(TRACE_TEXT)
    assert text.splitlines()[-1].startswith("- explain ")


def test_a_flow_as_mermaid():
    lines = flow_mermaid(purchasing_flow()).splitlines()
    assert lines[0] == "flowchart LR"
    assert '  n4[["decide: rulebook purchasing"]]' in lines
    assert '  n5{"wanted: if decide.should_create_po and decide.order_qty #gt; 0"}' in lines
    assert '  n5 -->|"yes"| n6' in lines
    assert '  n5 -->|"no"| n7' in lines
    assert "  n0 --> n4" in lines


async def test_a_trace_as_mermaid():
    lines = trace_mermaid(await traced()).splitlines()
    assert lines[:4] == ["gantt", "  title purchasing (µs)", "  dateFormat x", "  axisFormat %Q"]
    assert "  supplier x2 (ok) :done, 0, 6000" in lines
    assert not any("explain" in line for line in lines)


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    root = ElementTree.fromstring(svg)
    found = [rect for rect in root.iter(SVG + "rect") if (rect.get("class") or "").startswith("box")]
    return [tuple(float(rect.get(key) or 0) for key in ("x", "y", "width", "height")) for rect in found]  # type: ignore[misc]


def test_a_flow_as_svg_is_well_formed_and_holds_every_node():
    svg = flow_svg(purchasing_flow())
    root = ElementTree.fromstring(svg)
    texts = [element.text for element in root.iter(SVG + "text")]
    assert {"orders", "stock", "decide", "wanted", "create", "explain", "yes", "no"} <= set(texts)
    assert "prefers-color-scheme:dark" in svg and "<script" not in svg and "href" not in svg


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=14))
def test_no_boxes_overlap_and_no_line_runs_through_a_box(parents: list[list[int]]):
    lines = ["nodes:"]
    for node, wanted in enumerate(parents):
        known = sorted({each % node for each in wanted}) if node else []
        lines.append(f"  n{node}: {{operation: a, dependencies: [{', '.join(f'n{each}' for each in known)}]}}")
    svg = flow_svg(flow_of("\n".join(lines)))
    found = boxes(svg)
    for index, (x, y, width, height) in enumerate(found):
        for x2, y2, width2, height2 in found[index + 1 :]:
            assert x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
    for path in re.findall(r'<path class="edge[^"]*"[^>]* d="M[^"]*"', svg):
        for start, end in re.findall(r"C[\d. ]* [\d.]+ [\d.]+ ([\d.]+) ([\d.]+)(?=H)", path):
            inside = [b for b in found if b[0] <= float(start) < b[0] + b[2] and b[1] < float(end) < b[1] + b[3]]
            assert not inside


async def test_a_trace_as_svg_has_a_bar_per_started_node_and_a_cut_per_attempt():
    root = ElementTree.fromstring(trace_svg(await traced()))
    bars = list(root.iter(SVG + "rect"))
    assert len(bars) == 7
    assert len([line for line in root.iter(SVG + "line") if line.get("class") == "attempt"]) == 1


async def test_names_from_a_file_are_escaped_in_drawings():
    flow = flow_of('flow: "<b>&\\""\nnodes:\n  x: {operation: a, description: "<script>alert(1)</script>"}\n')
    ElementTree.fromstring(flow_svg(flow))
    assert "<script" not in flow_svg(flow)


def test_a_dry_run_shows_order_inputs_and_what_depends_on_results():
    steps = {step.node: step for step in dry_run(purchasing_flow(), {"product_id": "PROD-001"})}
    assert list(steps) == ["orders", "stock", "supplier", "units", "decide", "wanted", "create", "explain"]
    assert steps["stock"].inputs == {"product_id": "PROD-001", "warehouse": "WH-001"}
    assert steps["decide"].inputs["moq"] == "‹supplier.moq›"
    assert (steps["decide"].calls, steps["decide"].layer, steps["decide"].runs) == ("purchasing", 1, "yes")
    assert (steps["create"].runs, steps["explain"].runs) == ("maybe", "maybe")
    assert steps["explain"].when == "not (decide.should_create_po and decide.order_qty > 0)"
    with pytest.raises(InvalidInput, match="product_id"):
        dry_run(purchasing_flow(), {})


def test_a_dry_run_decides_what_depends_on_inputs_only():
    text = """
inputs: [x]
nodes:
  big: {type: conditional, condition: x > 10, true_branch: [left], false_branch: [right]}
  left: {operation: a}
  right: {operation: b}
  after: {operation: c, dependencies: [left]}
  each: {type: loop, over: x, body: {operation: d, inputs: {item: _loop_item}}}
"""
    steps = {step.node: step for step in dry_run(flow_of(text), {"x": 50})}
    assert [steps[name].runs for name in ("left", "right", "after")] == ["yes", "no", "yes"]
    assert steps["each"].inside[0].inputs == {"item": "‹_loop_item›"}
    steps = {step.node: step for step in dry_run(flow_of(text), {"x": 5})}
    assert [steps[name].runs for name in ("left", "right", "after")] == ["no", "yes", "no"]


async def test_a_profile_adds_up_traces_per_node():
    traces = [await traced() for _ in range(4)]
    rows = profile(traces)
    assert (rows[0].node, rows[0].count, rows[0].p50_ms, rows[0].p95_ms, rows[0].total_ms) == ("supplier", 4, 6, 6, 24)
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert all(before.total_ms >= after.total_ms for before, after in pairwise(rows))
    assert "explain" not in {row.node for row in rows}
    assert profile([]) == []


def test_a_drawing_has_its_colours_without_custom_properties() -> None:
    style = flow_svg(purchasing_flow()).partition("<style>")[2].partition("</style>")[0]
    for what, colour in re.findall(r"(fill|stroke):var\(--(\w+)\)", style):
        assert re.search(rf"{what}:#[0-9a-f]{{6}};{what}:var\(--{colour}\)", style)
    assert "currentColor" not in style
