"""One decision with the rules as a library: exact, by two engines, and explained. `python examples/one_decision.py`"""

from __future__ import annotations

from restock.rules import InvalidInput, Rulebook, RuleError

TEXT = """
input weight: decimal(7,3) in 0..1000;
input express: bool default false;
output price: decimal(9,2) default 0;
output carrier: text default "none";

rule Parcel salience 30 no-loop { when weight > 0 && weight <= 30 then price = round(4.9 + weight * 0.35, 2); }
rule Freight salience 30 no-loop { when weight > 30 then price = round(19 + weight * 0.2, 2); }
rule Express salience 20 no-loop { when express == true then price = round(price * 1.5, 2); }
rule ByPost salience 10 no-loop { when price > 0 && price <= 15 then carrier = "post"; }
rule ByTruck salience 10 no-loop { when price > 15 then carrier = "truck"; }
"""


def main() -> None:
    """Decide with the row function and the reference, say why and what would flip it, and show two errors."""
    book = Rulebook.parse(TEXT, "shipping.grl")
    facts = {"weight": "12.5", "express": True}
    decision = book.decide(facts)  # the row function: half a microsecond, plus reading the facts
    assert decision == book.decide(facts, engine="reference")  # the oracle, over Decimal
    print(f"{decision.outputs['price']} by {decision.outputs['carrier']}, {', '.join(decision.fired)}")
    for one in book.explain(facts).not_fired:
        print(f"  not {one.name}: {one.test}, but it is {next(iter(one.values.values()))}")
    print(f"  {book.flips(facts)[0].sentence}")
    try:
        book.decide({"weight": 12.5})
    except InvalidInput as error:
        print(error)
    try:
        Rulebook.parse(TEXT.replace("weight <= 30", "wieght <= 30"), "shipping.grl")
    except RuleError as error:
        print(f"line {error.line}, column {error.column}: {error.message} Perhaps {error.suggestion}?")


if __name__ == "__main__":
    main()
