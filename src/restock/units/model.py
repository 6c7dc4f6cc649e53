"""Conversions: one unit of a product is exactly so many of another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

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
