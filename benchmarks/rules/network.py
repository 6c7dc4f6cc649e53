"""Keyed events, joins and many rules: what changes is decided again at a rate that has a bar.

    python -m benchmarks.rules.network

Stock changes over 10,000 products through the compiled row function; stock changes through a join of three types; 1,500
rules, loaded and decided with the guard index. One thread and processor time, so that neighbours count less. Every state is
compared with an evaluation from scratch.
"""

from __future__ import annotations

import time
from decimal import Decimal
from random import Random

from benchmarks.rules.row import RULEBOOKS
from restock.engine.rules import FactRulebook, Rulebook
from restock.engine.rules.network import Keyed, Network

PRODUCTS = 10_000
EVENTS = 200_000
BATCH = 1_000
JOIN_EVENTS = 40_000
ROUNDS = 5

KEYED_BAR = 500_000
JOIN_BAR = 50_000
LOAD_BAR_S = 1.0
DECIDE_BAR_US = 5.0

JOIN = """
rule Need {
    when
        $p: Product(active) && $s: Supplier(id == $p.supplier, open) && $i: Stock(product == $p.id, on_hand < $p.point)
    then
        $p.need = true;
}
"""


def keyed(random: Random) -> tuple[float, int]:
    """Give events a second through the compiled path, and the states that differ from scratch."""
    book = Rulebook.parse((RULEBOOKS / "published.grl").read_text("utf-8"), "published.grl")
    facts = {key: _product(random) for key in range(PRODUCTS)}
    decisions = Keyed(book)
    for key, given in facts.items():
        decisions.put(key, given)
    best = float("inf")
    for _ in range(ROUNDS):
        batches = [
            [(random.randrange(PRODUCTS), random.randrange(1_000)) for _ in range(BATCH)]
            for _ in range(EVENTS // BATCH)
        ]
        start = time.process_time()
        for batch in batches:
            decisions.apply("available_qty", batch)
        best = min(best, time.process_time() - start)
        for batch in batches:
            for key, value in batch:
                facts[key]["available_qty"] = value
    wrong = sum(decisions.decision(key) != book.decide(given, engine="reference") for key, given in facts.items())
    return EVENTS / best, wrong


def _product(random: Random) -> dict[str, object]:
    return {
        "required_qty": random.randrange(1_000),
        "available_qty": random.randrange(1_000),
        "moq": random.choice((1, 10, 50)),
        "unit_price": Decimal(random.randrange(1, 9_999)).scaleb(-2),
        "is_active": random.random() > 0.1,
    }


def joined(random: Random) -> tuple[float, int]:
    """Give changes a second through a join of three types, each followed by fire_all, and the facts that are wrong."""
    network = Network(FactRulebook.parse(JOIN, "join.grl"))
    suppliers = {at: at % 9 != 0 for at in range(200)}
    for at, is_open in suppliers.items():
        network.insert("Supplier", {"id": at, "open": is_open})
    points = {at: random.randrange(100) for at in range(PRODUCTS)}
    handles = {
        at: network.insert("Product", {"id": at, "supplier": at % 200, "active": at % 7 != 0, "point": points[at]})
        for at in range(PRODUCTS)
    }
    stock = [network.insert("Stock", {"product": at, "on_hand": 50}) for at in range(PRODUCTS)]
    network.fire_all()
    on_hand = dict.fromkeys(range(PRODUCTS), 50)
    best = float("inf")
    for _ in range(ROUNDS):
        events = [(random.randrange(PRODUCTS), random.randrange(100)) for _ in range(JOIN_EVENTS)]
        start = time.process_time()
        for at, value in events:
            network.update(stock[at], {"on_hand": value})
            network.fire_all()
        best = min(best, time.process_time() - start)
        on_hand |= dict(events)
    wrong = sum(
        network.fact(handles[at])["need"] != (at % 7 != 0 and suppliers[at % 200] and on_hand[at] < points[at])
        for at in range(PRODUCTS)
    )
    return JOIN_EVENTS / best, wrong


def many_rules(count: int) -> str:
    """Give a rulebook of categories with so many rules."""
    lines = [
        "input category: text;",
        "input quantity: decimal(9,2) in 0..100000;",
        "input price: decimal(9,2) in 0..9999;",
    ]
    lines += ["output total: decimal;", "output rate: decimal;", "output discount: decimal;", "output final: decimal;"]
    lines.append("rule Total salience 100 no-loop { when quantity > 0 && price > 0 then total = quantity * price; }")
    for at in range(count // 2 - 1):
        guard = f'category == "c{at}"'
        lines.append(
            f"rule Rate{at} salience 90 no-loop {{ when {guard} && total > {at} then rate = 0.{at % 9 + 1}; }}"
        )
        lines.append(f"rule Off{at} salience 70 no-loop {{ when {guard} && rate > 0 then discount = total * rate; }}")
    lines.append("rule Final salience 10 no-loop { when total > 0 then final = total - discount; }")
    return "\n".join(lines)


def indexed(random: Random, count: int) -> tuple[float, float, int]:
    """Give seconds to load so many rules, microseconds to decide, and the decisions that are wrong."""
    text = many_rules(count)
    load = float("inf")
    for _ in range(3):
        start = time.process_time()
        book = Rulebook.parse(text, "many.grl")
        load = min(load, time.process_time() - start)
    function = book.row().function
    rows = [
        (f"c{random.randrange(count // 2)}", random.randrange(10_000), random.randrange(10_000)) for _ in range(2_000)
    ]
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for row in rows:
            function(*row)
        best = min(best, time.process_time() - start)
    wrong = 0
    for category, quantity, price in rows[:100]:
        facts = {"category": category, "quantity": Decimal(quantity) / 100, "price": Decimal(price) / 100}
        wrong += book.decide(facts, engine="row") != book.decide(facts, engine="reference")
    return load, best / len(rows) * 1e6, wrong


def main() -> None:
    """Run all, print the figures, and fail when a bar is missed or a state is wrong."""
    random = Random(11)
    rate, wrong_keys = keyed(random)
    print(f"keyed stock changes     {rate:>12,.0f} /s   bar {KEYED_BAR:,}   {wrong_keys} states differ from scratch")
    join_rate, wrong_facts = joined(random)
    print(f"3-way join changes      {join_rate:>12,.0f} /s   bar {JOIN_BAR:,}   {wrong_facts} facts differ")
    slow = rate < KEYED_BAR or join_rate < JOIN_BAR
    wrong = wrong_keys + wrong_facts
    for count in (15, 150, 1_500):
        load, decide, differing = indexed(random, count)
        wrong += differing
        slow |= load > LOAD_BAR_S or decide > DECIDE_BAR_US
        print(f"{count:>5} rules: load {load:.3f} s (bar {LOAD_BAR_S}), decide {decide:.2f} us (bar {DECIDE_BAR_US})")
    if wrong:
        raise SystemExit(f"{wrong} results differ from an evaluation from scratch.")
    if slow:
        raise SystemExit("A bar is missed.")


if __name__ == "__main__":
    main()
