"""What is needed of a product, put together from what five contexts know. Pure.

Inventory position = available - backordered + on_order: goods promised to customers beyond the stock are not there to be
promised again (the textbook position). on_order = ordered total - received total, where the received total comes with the
stock it raised, so a receipt is never counted twice nor missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import cast

from restock.core.errors import NotFound
from restock.core.quantity import plain

Row = Mapping[str, object]
"""One row of a port's frame, by column name."""


Factor = Callable[[str, str], Decimal | None]
"""Tells how many of the second unit one of the first is, or None when no conversion is on file."""


class Outcome(StrEnum):
    """What a run or a plan found for a product."""

    ORDERED = "ordered"
    PROPOSED = "proposed"
    COVERED = "covered"
    NO_NEED = "no_need"
    BLOCKED = "blocked"
    ERROR = "error"


@dataclass(slots=True)
class Need:
    """The facts of one product, filled by `need_of`. When `blocked` is not empty nothing can be decided; it says why."""

    product_id: str
    warehouse_id: str
    demand_per_day: Decimal
    trend: str
    available: Decimal
    on_order: Decimal
    safety_stock: Decimal
    stock_unit: str
    plan_version: int
    blocked: str = ""
    supplier_id: str = ""
    supplier_name: str = ""
    currency: str = ""
    lead_time_days: int = 0
    moq: Decimal = Decimal(0)
    order_multiple: Decimal = Decimal(1)
    purchase_unit: str = ""
    purchase_factor: Decimal = Decimal(1)
    unit_price: Decimal = Decimal(0)
    is_active: bool = False

    @property
    def position(self) -> Decimal:
        """Inventory position: what is there or still to come."""
        return self.available + self.on_order

    @property
    def reorder_point(self) -> Decimal:
        """Demand over the lead time plus safety stock, in the stock unit."""
        return self.demand_per_day * self.lead_time_days + self.safety_stock


NONE = Decimal(0)
NO_SUPPLY: Row = {"ordered_total": NONE, "version": 0}
"""The plan row of a product that was never ordered."""


def need_of(
    product: str,
    warehouse: str,
    demand: Row | None,
    stock: Row | None,
    terms: Row | None,
    factor_between: Factor,
    supply: Row | None,
) -> Need:
    """Put the facts together. Raises NotFound when demand or stock is unknown: a missing fact is never a zero."""
    if stock is None or demand is None:
        raise _unknown(product, warehouse, demand, stock, terms)
    plan = supply or NO_SUPPLY
    # The columns of the ports' frames have these types; a check per product would cost as much as the sums.
    ordered, received = cast("Decimal", plan["ordered_total"]), cast("Decimal", stock["received_total"])
    available, backordered = cast("Decimal", stock["available"]), cast("Decimal", stock["backordered"])
    on_order = ordered - received
    known = Need(
        product_id=product,
        warehouse_id=warehouse,
        demand_per_day=cast("Decimal", demand["demand_per_day"]),
        trend=cast("str", demand["trend"]),
        available=available - backordered,
        on_order=on_order if on_order > 0 else NONE,
        safety_stock=cast("Decimal", stock["safety_stock"]),
        stock_unit=cast("str", stock["stock_unit"]),
        plan_version=cast("int", plan["version"]),
    )
    if terms is None:
        known.blocked = "No supplier sells it."
        return known
    known.purchase_unit = cast("str", terms["purchase_unit"]) or known.stock_unit
    known.supplier_id = cast("str", terms["supplier_id"])
    known.supplier_name = cast("str", terms["supplier_name"])
    known.currency = cast("str", terms["currency"])
    known.lead_time_days = cast("int", terms["lead_time_days"])
    known.moq = cast("Decimal", terms["moq"])
    known.order_multiple = cast("Decimal", terms["order_multiple"])
    known.unit_price = cast("Decimal", terms["unit_price"])
    known.is_active = cast("bool", terms["is_active"])
    if known.purchase_unit != known.stock_unit:
        factor = factor_between(known.purchase_unit, known.stock_unit)
        if factor is None:
            known.blocked = f"No conversion from {known.purchase_unit} to {known.stock_unit} is on file."
        else:
            known.purchase_factor = factor
    return known


def _unknown(product: str, warehouse: str, demand: Row | None, stock: Row | None, terms: Row | None) -> NotFound:
    if demand is None and stock is None and terms is None:
        return NotFound(
            f"There is no product {product} with stock, demand or a supplier.",
            field="product_id",
            remedy="Check the name, or import all three with `restock import`.",
        )
    missing, kind = (f"stock in {warehouse}", "stock") if stock is None else ("demand", "orders")
    return NotFound(
        f"Product {product} has no {missing} on file; a missing fact is never taken as zero.",
        field="product_id",
        remedy=f"Import it with `restock import {kind} FILE`.",
    )


def judged(need: Need, outputs: Mapping[str, object]) -> tuple[Outcome, str]:
    """Say what a decision means for a product: the outcome, and the reason in a sentence."""
    if outputs.get("blocked"):
        return Outcome.BLOCKED, str(outputs.get("blocked_reason") or "The rules blocked it.")
    position, required = need.position, need.reorder_point
    if outputs.get("should_create_po"):
        return Outcome.PROPOSED, (
            f"{plain(required)} {need.stock_unit} required, {plain(position)} there or on order:"
            f" short of {_number(outputs['shortage'])}, order {_number(outputs['order_qty'])}."
        )
    if need.on_order > 0 and need.available < required <= position:
        return Outcome.COVERED, f"{plain(need.on_order)} {need.stock_unit} are on order."
    if outputs.get("need_reorder"):
        return Outcome.BLOCKED, "The rules see a need but create no order."
    return Outcome.NO_NEED, (
        f"{plain(position)} {need.stock_unit} there or on order cover the {plain(required)} required."
    )


def _number(value: object) -> Decimal:
    assert isinstance(value, Decimal)
    return plain(value)


def expected_on(today: date, need: Need) -> str:
    """Give the day on which goods ordered today should arrive, as YYYY-MM-DD."""
    return (today + timedelta(days=need.lead_time_days)).isoformat()
