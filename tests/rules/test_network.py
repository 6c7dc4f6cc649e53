"""The network engine: after any sequence of events its state is that of an evaluation from scratch on the present facts."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from rules_world import PUBLISHED, PURCHASING, one

from restock.core.errors import InvalidInput, NotFound, RestockError
from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import Keyed, Network

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
    "claims": """
        rule First salience 5 no-loop { when $s: Stock(on_hand > 2, !taken) then $s.taken = true; $s.by = 1; }
        rule Second salience 4 no-loop { when $s: Stock(!held, taken) && exists(Product(id == $s.product))
            then $s.held = true; $s.by = 2; }
        rule Third salience 3 no-loop { when $s: Stock(by == 0 || on_hand > 8) then $s.by = $s.by + 10; }
        rule Start salience 3 { when limit > 1 then level = 2; }
        rule Cut salience 2 no-loop { when level < 4 && exists(Stock(by > 5)) then level = limit + level + 1; }
        rule See { when $s: Stock(taken, by == 2) then $s.seen = true; }
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


@pytest.mark.parametrize("rulebook", [PUBLISHED, PURCHASING], ids=lambda rulebook: rulebook.name)
def test_a_key_is_always_decided_as_its_present_facts(rulebook: Rulebook) -> None:
    random = Random(3)
    keyed = Keyed(rulebook)
    facts: dict[object, dict[str, object]] = {}
    for key in range(20):
        facts[key] = {"avg_daily_demand": key, "lead_time_days": 5, "available_qty": 3, "is_active": True}
        facts[key] |= {"unit_price": Decimal("1.25")} if key % 5 else {}
        keyed.put(key, facts[key])
    for _ in range(300):
        field = random.choice(("available_qty", "moq", "avg_daily_demand", "unit_price", "is_active", "required_qty"))
        events: list[tuple[object, object]] = []
        for _ in range(4):
            value: object = random.choice((0, 1, 40, Decimal("0.5"), "7", -3, 10**13, None))
            events.append((random.randrange(20), value if field != "is_active" else random.random() < 0.5))
        before = {key: str(keyed.result(key)) for key in range(20)}
        changes = keyed.apply(field, events)
        for key, value in events:
            facts[key][field] = value
        assert {change.key for change in changes} >= {key for key in range(20) if str(keyed.result(key)) != before[key]}
        for key, given in facts.items():
            try:
                expected: object = rulebook.decide(given)
            except RestockError as error:
                expected = str(error)
            try:
                found: object = keyed.decision(key)
            except RestockError as error:
                found = str(error)
            assert found == expected


def test_a_rule_without_a_value_is_the_decision_of_its_key_until_the_facts_are_right() -> None:
    keyed = Keyed(one("rule Share no-loop { when a > 0 then c = round(a / b, 2); }"))
    keyed.put("x", {"a": 1, "b": 2})
    assert isinstance(keyed.apply("b", [("x", 0)])[0].after, RuleError)
    assert [change.key for change in keyed.apply("b", [("x", 4), ("x", 4), ("x", 5)])] == ["x", "x"]
    assert keyed.decision("x").outputs["c"] == Decimal("0.2")
    keyed.drop("x")
    with pytest.raises(NotFound, match="There is no key 'x'"):
        keyed.result("x")


def test_a_rule_without_a_value_is_named_and_the_network_goes_on_when_the_facts_are_right() -> None:
    network = Network(book("rule R { when $s: Stock(on_hand > 0) then $s.part = round(10 / $s.size, 2); }"))
    good = network.insert("Stock", {"on_hand": 1, "size": 4})
    network.fire_all()
    assert network.fact(good)["part"] == Decimal("2.5")
    bad = network.insert("Stock", {"on_hand": 1, "size": 0})
    with pytest.raises(RuleError, match=r"Rule R cannot set Stock\.part: division by zero"):
        network.fire_all()
    network.update(bad, {"size": 5})
    network.fire_all()
    assert_from_scratch(network)
    assert network.fact(bad)["part"] == 2
    with pytest.raises(InvalidInput, match="runs from scratch: a rule had no value"):
        network.matches()


def test_wrong_facts_and_handles_are_refused_by_name() -> None:
    network = Network(book(RULEBOOKS["join"]))
    with pytest.raises(InvalidInput, match="Did you mean Product"):
        network.insert("Produkt", {})
    with pytest.raises(InvalidInput, match=r"Stock\.on_hand: This field of a fact is missing"):
        network.insert("Stock", {"product": 1})
    handle = network.insert("Stock", {"product": 1, "on_hand": 2})
    with pytest.raises(InvalidInput, match="is not a number"):
        network.update(handle, {"on_hand": "many"})
    assert network.fact(handle)["on_hand"] == 2
    network.retract(handle)
    with pytest.raises(NotFound, match="There is no fact"):
        network.retract(handle)


def test_firing_may_be_bounded_and_goes_on_where_it_stopped() -> None:
    network = Network(book("rule R { when $s: Stock(on_hand > 0) then $s.seen = true; }"))
    for at in range(5):
        network.insert("Stock", {"on_hand": at})
    fired = []
    while network.waiting:
        fired += network.fire_all(2)
    assert fired == ["R"] * 4
    assert_from_scratch(network)
    assert len(network.matches()) == 4


def test_a_thousand_guarded_rules_on_one_type_look_at_the_rules_of_a_value_only() -> None:
    text = "".join(
        f'rule R{at} {{ when $p: Product(category == "c{at}", amount > {at}) then $p.class = {at}; }}\n'
        for at in range(300)
    )
    network = Network(book(text))
    handle = network.insert("Product", {"category": "c250", "amount": 251})
    assert network.fire_all() == ("R250",)
    network.update(handle, {"category": "c7"})
    assert network.fire_all() == ("R7",)
    assert network.fact(handle)["class"] == 7
    network.update(handle, {"category": "none"})
    assert network.fire_all() == ()
    assert network.fact(handle)["class"] == 0
