"""Rules across products: a supplier's open lines against its minimum and its budget, kept up to date as lines change.

python examples/supplier_budget.py
"""

from __future__ import annotations

from restock.rules import FactRulebook, Network

RULES = """
input Supplier.id: text;
input Supplier.minimum: decimal(9,2);
input Supplier.budget: decimal(9,2);
output Supplier.open_value: decimal(14,2);
output Supplier.advice: text;
input Line.supplier: text;
input Line.value: decimal(9,2);
output Line.wait: bool;

rule OpenValue salience 30 {
    when $s: Supplier() && $sum: accumulate(Line($v: value, supplier == $s.id), sum($v))
    then $s.open_value = $sum;
}
rule TopUp salience 20 {
    when $s: Supplier(open_value > 0, open_value < minimum) then $s.advice = "top up";
}
rule OverBudget salience 20 {
    when $s: Supplier(open_value > budget) then $s.advice = "over budget";
}
rule Wait salience 10 {
    when $s: Supplier(advice == "over budget") && $l: Line(supplier == $s.id, value > 500) then $l.wait = true;
}
"""


def main() -> None:
    """Let lines come, change and go, and say what the rules make of it."""
    network = Network(FactRulebook.parse(RULES, "supplier_budget.grl"))
    supplier = network.insert("Supplier", {"id": "SUP-001", "minimum": 300, "budget": 1000})

    def told(what: str) -> None:
        network.fire_all()
        found = network.fact(supplier)
        print(f"{what}: {found['open_value']} USD open, {found['advice'] or 'fine'}")

    first = network.insert("Line", {"supplier": "SUP-001", "value": 250})
    told("one line")
    second = network.insert("Line", {"supplier": "SUP-001", "value": "800.50"})
    told("two lines")
    print(f"  the second line waits: {network.fact(second)['wait']}")
    network.update(second, {"value": 600})
    told("a smaller one")
    print(f"  the second line waits: {network.fact(second)['wait']}")
    network.retract(first)
    network.retract(second)
    told("no line")


if __name__ == "__main__":
    main()
