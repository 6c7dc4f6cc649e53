"""Decisions by key that follow each change of a field, by the compiled function. `python examples/stock_changes.py`"""

from __future__ import annotations

from decimal import Decimal

from restock.rules import Keyed, Rulebook

TEXT = """
input required: integer in 0..1000000;
input available: integer in -1000000..1000000;
input price: decimal(9,2) in 0..100000;
output shortage: integer default 0;
output value: decimal(14,2) default 0;
output advice: text default "covered";

rule Shortage salience 30 no-loop { when required > available then shortage = required - available; }
rule Value salience 20 no-loop { when shortage > 0 then value = shortage * price; }
rule Order salience 10 no-loop { when shortage > 0 && value <= 1000 then advice = "order"; }
rule Ask salience 10 no-loop { when value > 1000 then advice = "ask"; }
"""


def main() -> None:
    """Put two products, let their stock change, and show which decisions that changes."""
    keyed = Keyed(Rulebook.parse(TEXT, "stock.grl"))
    keyed.put("bolt", {"required": 100, "available": 40, "price": Decimal("0.25")})
    keyed.put("gear", {"required": 10, "available": 10, "price": Decimal("450.00")})
    for key in ("bolt", "gear"):
        print(f"{key}: {keyed.decision(key).outputs['advice']}")
    changed = keyed.apply("available", [("bolt", 41), ("gear", 8), ("gear", 7), ("gear", 7), ("bolt", 100)])
    print(f"{len(changed)} of 5 changes altered a decision")
    for key in ("bolt", "gear"):
        decision = keyed.decision(key)
        print(f"{key}: {decision.outputs['advice']}, {decision.outputs['value']} for {decision.outputs['shortage']}")


if __name__ == "__main__":
    main()
