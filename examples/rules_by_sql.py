"""Rules over a whole table by SQL: a catalogue in memory, its lines to order, and what each supplier may get of them.

The same runs over Parquet, CSV and databases: give `SqlRunner` a path. `python examples/rules_by_sql.py`
"""

from __future__ import annotations

from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import polars

from restock.rules import GroupRunner, Groups, Rulebook, SqlRunner, Total

LINES = Rulebook.parse((files("restock") / "decisions/rulebooks/purchasing.grl").read_text("utf-8"), "purchasing.grl")

SUPPLIERS = Rulebook.parse(
    """
input ordered: decimal(12,2) in 0..1000000000;
input budget: decimal(12,2) in 0..1000000000;
input minimum_value: decimal(9,2) in 0..1000000 default 0;
output advice: text default "order";
output top_up: decimal(9,2) default 0;
rule Over salience 20 no-loop { when ordered > budget then advice = "over budget"; }
rule TopUp salience 10 no-loop {
    when ordered <= budget && ordered < minimum_value then advice = "top up"; top_up = minimum_value - ordered;
}
""",
    "suppliers.grl",
)
SPEC = Groups(key=("supplier",), totals=(Total("ordered", "sum", "grand_total", only="should_create_po"),))

PRICES = ("15.99", "15.50", "25.00", "0.00")
CATALOGUE = polars.DataFrame(
    {
        "product": ["PROD-001", "PROD-002", "PROD-003", "PROD-004"],
        "supplier": ["North", "North", "South", "South"],
        "required_qty": [109, 250, 110, 10],
        "available_qty": [20, 5, 7, 0],
        "moq": [20, 100, 10, 1],
        "unit_price": [Decimal(price) for price in PRICES],
        "is_active": [True, True, True, True],
    }
)
TERMS = polars.DataFrame(
    {"supplier": ["North", "South"], "budget": [5_000, 9_000], "minimum_value": [Decimal(0), Decimal(3_000)]}
)


def main() -> None:
    """Decide the lines, then the suppliers."""
    for row in SqlRunner(LINES).frame(CATALOGUE, keep=["product"]).to_dicts():
        reason = row["po_status"] or row["blocked_reason"] or "is covered"
        print(f"{row['product']} {row['order_qty'].normalize():f} for {row['grand_total']} USD: {reason}")
    with TemporaryDirectory() as folder:
        out = Path(folder) / "suppliers.parquet"
        GroupRunner(LINES, SUPPLIERS, SPEC).run(CATALOGUE, out, terms=TERMS)
        for row in polars.read_parquet(out).sort("supplier").to_dicts():
            print(f"{row['supplier']}: {row['advice']}, short of the minimum by {row['top_up']} USD")


if __name__ == "__main__":
    main()
