"""An explanation as a Mermaid flowchart: the facts, the rules that fired in order, what each handed on, the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from restock.engine.rules.explain import Explanation
from restock.engine.rules.flips import Flip
from restock.engine.rules.ir import Value

FACTS, OUTPUTS, CHANGES = "facts", "outputs", "changes"
"""The keys of the boxes that are no rule; rules are f0, f1 … (fired, in order) and s0, s1 … (silent)."""


def explanation_mermaid(explanation: Explanation, flips: Sequence[Flip] = ()) -> str:
    """Draw a decision with its reasons; the result ends with a line end.

    An arrow from one rule to another carries the fields that the first set and the second read. Dashed boxes did not fire;
    the arrow to them says the first condition that is not true.
    """
    lines = ["flowchart TD", f"  {FACTS}[/{_label('facts', *_values(explanation.facts))}/]"]
    writers = dict.fromkeys(explanation.facts, FACTS)
    for at, rule in enumerate(explanation.fired):
        lines.append(f"  f{at}[{_label(f'{at + 1}. {rule.name}', *_values(rule.writes))}]")
        lines += _arrows(writers, rule.reads, f"f{at}", "-->")
        writers |= dict.fromkeys(rule.writes, f"f{at}")
    for at, silent in enumerate(explanation.not_fired):
        lines.append(f"  s{at}[{_label(silent.name, f'not true: {silent.test}')}]:::silent")
        lines += _arrows(writers, silent.values, f"s{at}", "-.->")
    lines.append(f"  {OUTPUTS}[/{_label('outputs', *_values(explanation.outputs))}/]")
    lines += [f"  f{at} --> {OUTPUTS}" for at, _ in enumerate(explanation.fired)] or [f"  {FACTS} --> {OUTPUTS}"]
    if flips:
        lines.append(f"  {CHANGES}[{_label('what would change it', *(one.sentence for one in flips))}]:::changes")
        lines.append(f"  {OUTPUTS} -.- {CHANGES}")
    lines += ["  classDef silent stroke-dasharray: 4 4", "  classDef changes fill: none"]
    return "\n".join(lines) + "\n"


def _arrows(writers: Mapping[str, str], read: Mapping[str, Value], key: str, arrow: str) -> Iterator[str]:
    """Give an arrow from each box that set something which this one read; a default comes from nowhere."""
    sources: dict[str, list[str]] = {}
    for name in read:
        if name in writers:
            sources.setdefault(writers[name], []).append(name)
    for source, names in sources.items():
        if source != FACTS:
            yield f"  {source} {arrow}|{_label(*names)}| {key}"
        else:
            yield f"  {source} {arrow} {key}"


def _values(values: Mapping[str, Value]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, bool):
            yield f"{name} = {'true' if value else 'false'}"
        else:
            yield f"{name} = {value:f}" if isinstance(value, Decimal) else f'{name} = "{value}"'


def _label(*lines: str) -> str:
    """Quote text for Mermaid: its own marks as entities, one line below the other."""
    text = "\n".join(lines).replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return '"' + "<br>".join(" ".join(line.split()) for line in text.split("\n")) + '"'
