"""Flows and traces as SVG: laid out by hand in layers, readable on light and dark paper, no script, no outside file.

Nodes stand in columns by the longest way that leads to them; an edge that passes a column gets a place of its own in it,
so that no line runs through a box.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from restock.engine.graph.draw import edges_of, guards_of, label_of, rows_of, told
from restock.engine.graph.model import Flow
from restock.engine.graph.span import NodeSpan, RunTrace

BOX_WIDTH = 190
BOX_HEIGHT = 52
GAP_X = 76
GAP_Y = 20
LANE_HEIGHT = 14
"""Height of the place where an edge passes a column."""

MARGIN = 20
ROW = 24
NAME_WIDTH = 230
LINE_WIDTH = 560
NOTE_WIDTH = 250
LETTERS = 27
"""Letters that fit into a box at 12 px; longer texts are cut and shown in full when pointed at."""

_LIGHT = {"ink": "#1f2328", "paper": "#ffffff", "soft": "#f3f4f6", "line": "#8a929c"}
_DARK = {"ink": "#e6e8eb", "paper": "#16191d", "soft": "#23282e", "line": "#7b8590"}


def _paint(what: str, colour: str) -> str:
    """Give a declaration twice: renderers that know no custom properties keep the light colour."""
    return f"{what}:{_LIGHT[colour]};{what}:var(--{colour})"


def _colours(colours: dict[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in colours.items())


_STYLE = f"""
.rg{{{_colours(_LIGHT)};font:12px system-ui,sans-serif}}
@media (prefers-color-scheme:dark){{.rg{{{_colours(_DARK)}}}}}
.rg text{{{_paint("fill", "ink")}}}.rg .note{{font-size:10.5px;opacity:.75}}.rg .name{{font-weight:600}}
.rg .box{{{_paint("fill", "soft")};{_paint("stroke", "line")}}}
.rg .conditional{{stroke-dasharray:5 3}}.rg .rulebook{{stroke-width:2}}
.rg .edge{{fill:none;{_paint("stroke", "line")};stroke-width:1.3}}.rg .choice{{stroke-dasharray:5 3}}
.rg .label{{paint-order:stroke;{_paint("stroke", "paper")};stroke-width:4px;stroke-linejoin:round}}
.rg .tick{{{_paint("stroke", "line")};opacity:.35}}.rg .tip{{{_paint("fill", "line")}}}
.rg .ok{{fill:#4f8f6b}}.rg .failed{{fill:#c0504d}}.rg .cancelled{{fill:#9a9a9a}}.rg .fallback{{fill:#c58b2a}}
.rg .cached{{fill:#5a84b8}}.rg .attempt{{{_paint("stroke", "paper")};stroke-width:1.5}}
"""


@dataclass
class _Place:
    """A box, or the lane of an edge that passes a column."""

    key: str
    column: int
    height: int
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    y: float = 0.0

    @property
    def left(self) -> int:
        return MARGIN + self.column * (BOX_WIDTH + GAP_X)

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def _cut(text: str, letters: int = LETTERS) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _head(width: float, height: float, title: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rg" role="img" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        '<defs><marker id="rg-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
    ]


def _placed(flow: Flow) -> tuple[dict[str, _Place], dict[tuple[str, str], list[str]]]:
    """Put boxes and lanes into columns; give them by key, and each edge as the keys it passes."""
    places: dict[str, _Place] = {}
    columns: list[list[_Place]] = []
    for number, layer in enumerate(flow.layers):
        columns.append([_Place(name, number, BOX_HEIGHT) for name in layer])
        places.update((place.key, place) for place in columns[-1])
    ways: dict[tuple[str, str], list[str]] = {}
    for start, end, _ in edges_of(flow):
        way = [start]
        for column in range(places[start].column + 1, places[end].column):
            lane = _Place(f"{start} {end} {column}", column, LANE_HEIGHT)
            places[lane.key] = lane
            columns[column].append(lane)
            way.append(lane.key)
        way.append(end)
        for here, there in pairwise(way):
            places[here].after.append(there)
            places[there].before.append(here)
        ways[start, end] = way
    _arrange(columns, places)
    return places, ways


def _arrange(columns: list[list[_Place]], places: dict[str, _Place]) -> None:
    """Order each column by its neighbours' middles, forth and back, and centre the columns."""
    heights = [sum(place.height + GAP_Y for place in column) - GAP_Y for column in columns]
    tallest = max(heights)

    def stack(number: int) -> None:
        y = MARGIN + (tallest - heights[number]) / 2
        for place in columns[number]:
            place.y = y
            y += place.height + GAP_Y

    def pull(number: int, forward: bool) -> None:
        def weight(place: _Place) -> float:
            near = place.before if forward else place.after
            return sum(places[key].middle for key in near) / len(near) if near else place.middle

        columns[number].sort(key=weight)
        stack(number)

    for number in range(len(columns)):
        stack(number)
    for _ in range(2):
        for number in range(1, len(columns)):
            pull(number, forward=True)
        for number in reversed(range(len(columns) - 1)):
            pull(number, forward=False)


def _path(way: list[str], places: dict[str, _Place]) -> str:
    """A smooth line from box to box through its lanes."""
    first = places[way[0]]
    x, y = float(first.left + BOX_WIDTH), first.middle
    parts = [f"M{x:g} {y:g}"]
    for key in way[1:]:
        place = places[key]
        bend = (x + place.left) / 2
        parts.append(f"C{bend:g} {y:g} {bend:g} {place.middle:g} {place.left:g} {place.middle:g}")
        x, y = float(place.left), place.middle
        if place.height == LANE_HEIGHT:
            x += BOX_WIDTH
            parts.append(f"H{x:g}")
    return "".join(parts)


def flow_svg(flow: Flow) -> str:
    """Draw a flow, from left to right."""
    places, ways = _placed(flow)
    width = MARGIN + max(place.left for place in places.values()) + BOX_WIDTH
    height = MARGIN + max(place.y + place.height for place in places.values())
    lines = _head(width, height, f"Flow {flow.name}")
    labels: list[str] = []
    for start, end, label in edges_of(flow):
        choice = " choice" if label in ("yes", "no") else ""
        way = ways[start, end]
        lines.append(f'<path class="edge{choice}" marker-end="url(#rg-tip)" d="{_path(way, places)}"/>')
        if label:
            here, there = places[way[0]], places[way[1]]
            x, y = (here.left + BOX_WIDTH + there.left) / 2, (here.middle + there.middle) / 2 + 4
            labels.append(
                f'<text class="label note" text-anchor="middle" x="{x:g}" y="{y:g}">{escape(_cut(label, 14))}</text>'
            )
    lines += labels
    for node in flow.nodes.values():
        place = places[node.id]
        x, y = place.left + 12, place.y
        full = "\n".join(filter(None, (node.id, label_of(node), node.description, guards_of(node))))
        lines.append(
            f'<g><title>{escape(full)}</title><rect class="box {node.kind}" x="{place.left}" y="{y:g}" rx="6" '
            f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/>'
            f'<text class="name" x="{x}" y="{y + 18:g}">{escape(_cut(node.id))}</text>'
            f'<text class="note" x="{x}" y="{y + 32:g}">{escape(_cut(label_of(node), LETTERS + 4))}</text>'
            f'<text class="note" x="{x}" y="{y + 45:g}">{escape(_cut(guards_of(node), LETTERS + 4))}</text></g>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _ticks(whole_ms: float, height: float) -> list[str]:
    lines: list[str] = []
    for part in range(5):
        x = MARGIN + NAME_WIDTH + LINE_WIDTH * part / 4
        lines.append(f'<line class="tick" x1="{x:g}" x2="{x:g}" y1="{MARGIN + 22}" y2="{height - MARGIN:g}"/>')
        text = f"{whole_ms * part / 4:.3g} ms"
        lines.append(f'<text class="note" text-anchor="middle" x="{x:g}" y="{MARGIN + 14}">{text}</text>')
    return lines


def _row(span: NodeSpan, depth: int, y: float, whole_ms: float) -> list[str]:
    name = _cut(span.node, 34 - 2 * depth)
    lines = [f'<text x="{MARGIN + 12 * depth}" y="{y + 15:g}">{escape(name)}</text>']
    x, note = MARGIN + NAME_WIDTH + LINE_WIDTH + 10, _cut(told(span), 40)
    if span.started_ms is not None and span.ended_ms is not None:
        left = MARGIN + NAME_WIDTH + span.started_ms / whole_ms * LINE_WIDTH
        wide = max(2.0, span.took_ms / whole_ms * LINE_WIDTH)
        lines.append(
            f'<rect class="{span.status}" rx="2" x="{left:.1f}" y="{y + 4:g}" width="{wide:.1f}" height="{ROW - 8}"/>'
        )
        for attempt in range(1, span.attempts):  # the bar is cut once per further attempt
            cut = left + wide * attempt / span.attempts
            lines.append(f'<line class="attempt" x1="{cut:.1f}" x2="{cut:.1f}" y1="{y + 4:g}" y2="{y + ROW - 4:g}"/>')
        note = _cut(f"{span.took_ms:.3g} ms {told(span)}", 40)
    lines.append(f'<text class="note" x="{x}" y="{y + 15:g}">{escape(note)}</text>')
    return [f"<g><title>{escape(f'{span.node}: {told(span)}')}</title>", *lines, "</g>"]


def trace_svg(trace: RunTrace) -> str:
    """Draw a trace as a time line: one bar per node, cut once per further attempt."""
    rows = list(rows_of(trace.spans))
    width = 2 * MARGIN + NAME_WIDTH + LINE_WIDTH + NOTE_WIDTH
    height = 2 * MARGIN + 26 + ROW * len(rows)
    whole = trace.took_ms or 1.0
    lines = _head(width, height, f"Run of {trace.flow}, {trace.took_ms:.3f} ms")
    lines += _ticks(whole, height)
    for number, (depth, span) in enumerate(rows):
        lines += _row(span, depth, MARGIN + 26 + ROW * number, whole)
    return "\n".join([*lines, "</svg>"]) + "\n"
