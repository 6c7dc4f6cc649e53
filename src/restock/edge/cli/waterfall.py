"""The arithmetic of a decision as people read it, and its rules: what fired, what did not, what would change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from restock.core.quantity import plain
from restock.decisions.port import FiredRule, SilentRule
from restock.edge.cli.output import Column, money, quantity, table
from restock.engine.rules import Explanation

Values = Mapping[str, object]
Number = Callable[[str], Decimal]
Row = tuple[str, str, str]

DEFAULTS = {"purchase_factor": Decimal(1), "order_multiple": Decimal(1)}


def waterfall(facts: Values, outputs: Values) -> str:
    """Lay out demand x lead time + safety - position = shortage, to minimum, to multiple, x price - discount + tax."""

    def number(name: str) -> Decimal:
        value = outputs.get(name, facts.get(name, DEFAULTS.get(name, 0)))
        return value if isinstance(value, Decimal) else Decimal(str(value))

    rows: list[Row] = []
    if "required_qty" in facts:
        rows += _need_rows(number, facts)
    if number("order_qty") > 0 and "moq" in facts:
        rows += _quantity_rows(number)
    if number("total_amount") > 0:
        rows += _money_rows(number, facts)
    return table([Column("step"), Column("value", number=True), Column("how")], rows, "  ")


def _need_rows(number: Number, facts: Values) -> list[Row]:
    rows: list[Row] = []
    if "avg_daily_demand" in facts and "lead_time_days" in facts:
        how = f"{quantity(number('avg_daily_demand'))} a day × {quantity(number('lead_time_days'))} days lead time"
        demand = number("avg_daily_demand") * number("lead_time_days")
        rows.append(("demand until delivery", quantity(demand), how))
        rows.append(("+ safety stock", quantity(number("safety_stock")), ""))
    required, available, coming = number("required_qty"), number("available_qty"), number("on_order_qty")
    rows.append(("= required, the reorder point", quantity(required), ""))
    position = f"{quantity(available)} available + {quantity(coming)} on order"
    rows.append(("− inventory position", quantity(available + coming), position))
    shortage = required - available - coming
    rows.append(("= shortage", quantity(shortage), "" if shortage > 0 else "no need"))
    return rows


def _quantity_rows(number: Number) -> list[Row]:
    factor, shortage = number("purchase_factor"), number("shortage")
    minimum, step = number("moq") * factor, number("order_multiple") * factor
    per_unit = f", {quantity(factor)} in each purchase unit" if factor != 1 else ""
    raised = max(shortage, minimum)
    rows = [
        ("raised to the minimum", quantity(raised), f"minimum {quantity(minimum)}{per_unit}"),
        ("= order, in whole steps", quantity(number("order_qty")), f"step {quantity(step)}"),
    ]
    if factor != 1:
        rows.append(("  in purchase units", quantity(number("purchase_qty")), ""))
    return rows


def _money_rows(number: Number, facts: Values) -> list[Row]:
    price = f"× {quantity(number('unit_price'))} per purchase unit" if "unit_price" in facts else "sum of the lines"
    rows = [("total", money(number("total_amount")), price)]
    if number("discount_amount"):
        rows.append(("− discount", money(number("discount_amount")), ""))
    rows.append(("+ tax", money(number("tax_amount")), ""))
    rows.append(("= to pay", money(number("grand_total")), ""))
    return rows


def rules_told(fired: Sequence[FiredRule], silent: Sequence[SilentRule], flips: Sequence[str] = ()) -> str:
    """Say which rules fired and what they read and wrote, which did not and why, and what is nearest to change it.

    What changes it are `flips`, thresholds that were decided again; without any, those at which one more rule fires.
    """
    lines = ["Rules that fired, in order"]
    fired_rows = [(one.salience, one.name, _values(one.reads), _values(one.writes)) for one in fired]
    columns = [Column("rank", number=True), Column("rule"), Column("read", cut=True), Column("wrote", cut=True)]
    lines.append(table(columns, fired_rows, "  ") if fired else "  none")
    if silent:
        lines.append("\nRules that did not fire")
        silent_rows = [(one.name, one.condition, _values(one.actual)) for one in silent]
        lines.append(
            table([Column("rule"), Column("is not true", cut=True), Column("because", cut=True)], silent_rows, "  ")
        )
    if hints := flips or [one.hint for one in silent if one.hint and not one.hint.endswith(" 0.")]:
        lines.append("\nWhat would change it")
        lines += [f"  {hint}" for hint in hints]
    return "\n".join(lines)


def fired_and_silent(why: Explanation) -> str:
    """Say which rules fired and what they read and wrote, and the first false condition of the others."""
    silent = [SilentRule(one.name, one.test, dict(one.values), "") for one in why.not_fired]
    return rules_told(
        [FiredRule(one.name, one.salience, dict(one.reads), dict(one.writes)) for one in why.fired], silent
    )


def _values(values: Values) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{plain(value):f}" if isinstance(value, Decimal) else f'"{value}"' if isinstance(value, str) else str(value)
