"""The network engine: after any sequence of events its state is that of an evaluation from scratch on the present facts."""

from __future__ import annotations

from random import Random

import pytest

from restock.core.errors import InvalidInput
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import Network

RULEBOOKS = {
    "join": """
        rule Need { when $p: Product(active) && $s: Supplier(id == $p.supplier, open) &&
            $i: Stock(product == $p.id, on_hand < $p.point) then $p.need = true; $p.from = $s.id; }
        rule Order salience -1 { when $p: Product(need) then $p.quantity = max($p.moq, $p.point * 2); }
        rule Big salience -2 { when $p: Product(quantity > 10) then $p.big = true; big = true; }
    """,
    "budget": """
        rule Open salience 3 { when $s: Supplier(open) &&
            $t: accumulate(Product($v: moq, supplier == $s.id, active), sum($v)) then $s.total = $t; }
        rule Small salience 2 { when $s: Supplier(total < minimum) && exists(Product(supplier == $s.id))
            then $s.small = true; }
        rule TopUp salience 1 { when $s: Supplier(small) && $p: Product(supplier == $s.id, !need)
            && !exists(Stock(product == $p.id, on_hand > 8)) then $p.candidate = true; $p.gap = $p.point - 1; }
        rule All { when forall(Supplier(total < 99)) then fine = true; }
    """,
    "aggregates": """
        rule Low salience 2 { when $p: Product() && $m: accumulate(Stock($v: on_hand, product == $p.id), min($v))
            && $x: accumulate(Stock($w: on_hand, product == $p.id, on_hand > $p.point), count($w)) && test($m < 5)
            then $p.low = $m; $p.above = $x; }
        rule Average { when accumulate(Stock($v: on_hand), avg($v)) > 4 && accumulate(Stock($w: on_hand), max($w)) > 8
            then lot = true; }
        rule Sum salience 1 { when accumulate(Product($v: low, low > 0), sum($v)) > limit then over = true; }
    """,
    "same type": """
        rule Pair { when $a: Stock(on_hand > 3) && $b: Stock(on_hand > $a.on_hand) then $b.more = true; }
        rule Three salience -1 { when $a: Stock(on_hand > 1) && $b: Stock(on_hand == $a.on_hand, product != $a.product) &&
            !exists(Stock(on_hand > $b.on_hand, product == $b.product)) then $a.twin = true; }
        rule None salience -2 { when !Stock(twin) && !exists(Stock(on_hand > 7) && Stock(on_hand < 2)) then calm = true; }
        rule Best salience -3 { when $a: Stock() && forall(Stock(on_hand <= $a.on_hand)) then $a.best = true; }
        rule Every salience -3 { when forall($a: Stock(on_hand > 5) && Product(id == $a.product)) then known = true; }
    """,
    "last writer": """
        rule One salience 3 { when $s: Stock(on_hand > 0) then $s.level = 1; $s.next = $s.level + 1; }
        rule Two salience 2 { when $s: Stock(on_hand > 3) then $s.level = $s.level * 10 + 1; }
        rule Three salience 1 { when $s: Stock(on_hand > 6) then $s.level = $s.level * 10 + 2; }
        rule Look { when $s: Stock(level > 10) || $s: Stock(level == 1, on_hand == 2) then $s.seen = true; }
    """,
    "flat": """
        rule A salience 5 { when limit > 4 && exists(Stock(on_hand > limit)) then over = true; half = round(limit / 2, 2); }
        rule B { when over && $s: Stock(on_hand > half) then $s.hit = true; count = half + 1; }
        rule C salience -1 { when !over && limit < 3 then none = true; }
    """,
    "agenda": """
        rule Take no-loop { when $s: Stock(on_hand > 5) && $p: Product(id == $s.product) then $s.on_hand = $s.on_hand - 1; }
        rule Drop salience -1 { when $s: Stock(on_hand < 1) then retract($s); n = n + 1; }
    """,
}
MOST = 14
"""Most facts: the agenda looks at every pair and triple again for each firing."""

INCREMENTAL = [name for name in RULEBOOKS if name != "agenda"]


def book(text: str) -> FactRulebook:
    return FactRulebook.parse(text, "network.grl")


def random_fact(random: Random) -> tuple[str, dict[str, object]]:
    kind = random.choice(("Product", "Supplier", "Stock", "Stock"))
    if kind == "Product":
        return kind, {
            "id": random.randrange(4),
            "supplier": random.randrange(3),
            "active": random.random() < 0.7,
            "point": random.randrange(9),
            "moq": random.randrange(12),
        }
    if kind == "Supplier":
        return kind, {"id": random.randrange(3), "open": random.random() < 0.7, "minimum": random.randrange(30)}
    return kind, {"product": random.randrange(4), "on_hand": random.randrange(10)}


def changed(network: Network, random: Random, handles: dict[int, str]) -> None:
    """Do one random thing."""
    chance = random.random()
    if not handles or (chance < 0.4 and len(handles) < MOST):
        kind, fact = random_fact(random)
        try:
            handles[network.insert(kind, fact)] = kind
        except InvalidInput:
            return
    elif chance < 0.75:
        handle = random.choice(list(handles))
        kind = ""
        while kind != handles[handle]:
            kind, fact = random_fact(random)
        path = random.choice(list(fact))
        network.update(handle, {path: fact[path]})
    elif chance < 0.9:
        handle = random.choice(list(handles))
        network.retract(handle)
        del handles[handle]
    else:
        network.set_flat({"limit": random.randrange(8)})


def assert_from_scratch(network: Network) -> None:
    memory, _ = network.scratch()
    flat, facts = network.state()
    assert facts == {handle: values for _, handle, values in memory.all()}
    assert flat == {name: memory.flat[name] for name in flat}


@pytest.mark.parametrize("name", RULEBOOKS)
@pytest.mark.parametrize("seed", range(6))
def test_after_any_sequence_of_events_the_state_is_that_from_scratch(name: str, seed: int) -> None:
    random = Random(seed)
    network = Network(book(RULEBOOKS[name]), {"limit": 5})
    assert (network.reason == "") is (name in INCREMENTAL), network.reason
    handles: dict[int, str] = {}
    for _ in range(25):
        for _ in range(random.choice((1, 1, 3, 8))):
            changed(network, random, handles)
        network.fire_all()
        assert not network.waiting
        assert_from_scratch(network)
    assert (network.reason == "") is (name in INCREMENTAL), network.reason
