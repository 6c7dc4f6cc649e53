"""Thresholds and changes of facts in the words of people: approved automatically if the total falls by 212.40."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from restock.edge.cli.output import quantity
from restock.engine.rules import Flip, Value
from restock.engine.rules.proof.smallest_change import Change

WORDS: Mapping[tuple[str, Value], str] = {
    ("approval_status", "auto_approved"): "approved automatically",
    ("approval_status", "pending"): "a person must approve",
    ("approval_status", ""): "nothing to approve",
    ("po_status", "approved"): "the order is approved",
    ("po_status", "pending_approval"): "the order waits for approval",
}
"""What people say for outputs of the shipped rulebooks; other outputs are told by their names."""

THINGS: Mapping[str, str] = {
    "total_amount": "the total", "unit_price": "the price", "order_qty": "the quantity", "moq": "the minimum",
    "available_qty": "what is available", "on_order_qty": "what is on order", "required_qty": "what is required",
}  # fmt: skip


def nearest_of_each(flips: Iterable[Flip], most: int) -> list[Flip]:
    """Give of thresholds, nearest first, one for each thing that would then be said: the rest are ways to the same."""
    found: dict[tuple[str, Value], Flip] = {}
    for one in flips:
        found.setdefault(one.headline, one)
    return list(found.values())[:most]


def flip_told(one: Flip) -> str:
    """Say a threshold as people do: approved automatically if the total falls by 212.40."""
    name, value = one.headline
    word = WORDS.get((name, value)) or f"{name} becomes {shown_value(value)}"
    return f"{word} if {THINGS.get(one.subject, one.subject)} {one.change}"


def change_told(one: Change, output: str) -> str:
    """Say a change of facts: a person must approve if unit_price is 100.0001 instead of 90."""
    value = one.outputs[output]
    word = WORDS.get((output, value)) or f"{output} becomes {shown_value(value)}"
    moves = [f"{name} is {shown_value(new)} instead of {shown_value(old)}" for name, (old, new) in one.inputs.items()]
    return f"{word} if {' and '.join(moves)}"


def shown_value(value: object) -> str:
    """Write a value as rules write it."""
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else quantity(value)
