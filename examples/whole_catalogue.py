"""A catalogue decided at once: columns in, columns out, a bad row in its place. `python examples/whole_catalogue.py`"""

from __future__ import annotations

from decimal import Decimal
from importlib.resources import files

import polars as pl

from restock.rules import Rulebook

RULES = Rulebook.parse((files("restock") / "decisions/rulebooks/purchasing.grl").read_text("utf-8"), "purchasing.grl")


def catalogue() -> pl.DataFrame:
    """Three known products, and one whose minimum somebody mistyped."""
    return pl.DataFrame(
        {
            "product_id": ["PROD-001", "PROD-002", "PROD-003", "PROD-004"],
            "avg_daily_demand": [Decimal("15.5"), Decimal("50"), Decimal("22"), Decimal("1")],
            "lead_time_days": [7, 5, 5, 5],
            "available_qty": [20, 5, 7, 0],
            "moq": ["20", "100", "10", "1O"],
            "order_multiple": [20, None, 10, None],
            "unit_price": [Decimal("15.99"), Decimal("15.50"), Decimal("25.00"), Decimal("3.00")],
            "is_active": True,
        }
    )


def main() -> None:
    """Decide, then show what to order, what it costs, why, and what could not be decided."""
    decided = RULES.decide_frame(catalogue(), keep=True)
    for one in decided.iter_rows(named=True):
        if one["error"]:
            print(f"{one['product_id']} refused: {one['error']}")
        else:
            quantity, total = one["order_qty"].normalize(), one["grand_total"]
            print(
                f"{one['product_id']} orders {quantity:f} for {total:,}: {one['approval_status']}, by {one['fired'][1]}"
            )
    good = decided.filter(pl.col("error").is_null())
    print(f"together {good['grand_total'].sum():,}")


if __name__ == "__main__":
    main()
