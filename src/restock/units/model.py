"""Conversions: one unit of a product is exactly so many of another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from restock.core.errors import InvalidInput
from restock.core.quantity import plain, positive
from restock.core.text import name

MAX_FACTOR_DECIMALS = 4
"""Decimals of a conversion factor, as published."""


@dataclass(frozen=True)
class Conversion:
    """One `from_unit` of the product is `factor` of its `to_unit` (CASE = 12 PIECE)."""

    product_id: str
    from_unit: str
    to_unit: str
    factor: Decimal


def conversion(row: Mapping[str, object]) -> Conversion:
    """Read a conversion from named values. Raises InvalidInput naming the field."""
    factor = positive(row.get("factor"), "factor")
    if factor != round(factor, MAX_FACTOR_DECIMALS):
        raise InvalidInput(f"{plain(factor)} has more than {MAX_FACTOR_DECIMALS} decimals.", field="factor")
    made = Conversion(
        name(row.get("product_id"), "product_id"),
        name(row.get("from_unit"), "from_unit"),
        name(row.get("to_unit"), "to_unit"),
        factor,
    )
    if made.from_unit == made.to_unit and factor != 1:
        raise InvalidInput(f"One {made.from_unit} is not {plain(factor)} {made.to_unit}.", field="factor")
    return made


def checked(one: Conversion) -> Conversion:
    """Give back a conversion that can be stored as it is. Raises InvalidInput naming the field."""
    return conversion(vars(one))


def contradictions(known: Iterable[Conversion], given: Sequence[Conversion]) -> dict[int, str]:
    """Say which of the given conversions cannot be true, by their place: what others make of the same two units differs.

    Others are the known ones, unless they are given anew, and those given before. A conversion holds both ways and over
    several steps: who says that a CASE is 10 PIECE has said that a PIECE is a tenth of a CASE. Whatever is not named can
    be stored together.
    """
    standing: dict[str, list[Conversion]] = {}
    for one in known:
        standing.setdefault(one.product_id, []).append(one)
    places: dict[str, list[int]] = {}
    for place, one in enumerate(given):
        places.setdefault(one.product_id, []).append(place)
    wrong: dict[int, str] = {}
    for product, its in places.items():
        while found := _contradicted(
            standing.get(product, ()), {place: given[place] for place in its if place not in wrong}
        ):
            wrong |= found  # and again: what one of these would have replaced stands after all
    return wrong


def _contradicted(known: Iterable[Conversion], given: Mapping[int, Conversion]) -> dict[int, str]:
    steps: dict[str, dict[str, Fraction]] = {}
    replaced = {(one.from_unit, one.to_unit) for one in given.values()}
    for one in known:
        if (one.from_unit, one.to_unit) not in replaced:
            _learn(steps, one)
    wrong = {}
    for place, one in given.items():
        other = _ratio(steps, one.from_unit, one.to_unit)
        if other is None or other == Fraction(one.factor):
            _learn(steps, one)
        else:
            wrong[place] = (
                f"One {one.from_unit} of {one.product_id} is {other} {one.to_unit} by its other conversions, "
                f"not {plain(one.factor)}."
            )
    return wrong


def _learn(steps: dict[str, dict[str, Fraction]], one: Conversion) -> None:
    steps.setdefault(one.from_unit, {})[one.to_unit] = Fraction(one.factor)
    steps.setdefault(one.to_unit, {})[one.from_unit] = 1 / Fraction(one.factor)


def _ratio(steps: Mapping[str, Mapping[str, Fraction]], from_unit: str, to_unit: str) -> Fraction | None:
    reached = {from_unit: Fraction(1)}
    border = [from_unit]
    while border and to_unit not in reached:
        unit = border.pop(0)
        for target, factor in steps.get(unit, {}).items():
            if target not in reached:
                reached[target] = reached[unit] * factor
                border.append(target)
    return reached.get(to_unit)


def factor_between(conversions: Iterable[tuple[str, str, Decimal]], from_unit: str, to_unit: str) -> Decimal | None:
    """Give how many `to_unit` one `from_unit` is, over as few steps as it takes, or None when no path leads there.

    `conversions` are (from, to, factor) of one product. Factors are multiplied, never divided, so the result is exact.
    """
    steps: dict[str, list[tuple[str, Decimal]]] = {}
    for source, target, factor in conversions:
        steps.setdefault(source, []).append((target, factor))
    reached = {from_unit: Decimal(1)}
    border = [from_unit]
    while border and to_unit not in reached:
        unit = border.pop(0)
        for target, factor in steps.get(unit, ()):
            if target not in reached:
                reached[target] = reached[unit] * factor
                border.append(target)
    return reached.get(to_unit)
