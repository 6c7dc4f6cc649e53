"""CLIPS as a second oracle: joins, negation, salience and refraction fire as often and leave the same facts."""

from __future__ import annotations

from random import Random

import clips
import pytest

from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import Network

TEMPLATES = """
(deftemplate Product (slot id) (slot supplier) (slot point))
(deftemplate Supplier (slot id) (slot rank))
(deftemplate Stock (slot product) (slot onhand))
"""

PAIRS = {
    "join": (
        "$p: Product() && $s: Supplier(id == $p.supplier) && $k: Stock(product == $p.id, onhand < $p.point)",
        "(Product (id ?i) (supplier ?s) (point ?n)) (Supplier (id ?s)) (Stock (product ?i) (onhand ?h&:(< ?h ?n)))",
    ),
    "self join": (
        "$a: Stock() && $b: Stock(onhand > $a.onhand, product == $a.product)",
        "(Stock (product ?p) (onhand ?a)) (Stock (product ?p) (onhand ?b&:(> ?b ?a)))",
    ),
    "not": (
        "$p: Product(point > 2) && !exists(Stock(product == $p.id, onhand >= $p.point))",
        "(Product (id ?i) (point ?n&:(> ?n 2))) (not (Stock (product ?i) (onhand ?h&:(>= ?h ?n))))",
    ),
    "exists": (
        "$s: Supplier(rank >= 1) && exists(Product(supplier == $s.id))",
        "(Supplier (id ?s) (rank ?r&:(>= ?r 1))) (exists (Product (supplier ?s)))",
    ),
    "exists of two": (
        "$s: Supplier() && exists($p: Product(supplier == $s.id) && Stock(product == $p.id, onhand > 4))",
        "(Supplier (id ?s)) (exists (Product (id ?i) (supplier ?s)) (Stock (product ?i) (onhand ?h&:(> ?h 4))))",
    ),
    "forall": (
        "$s: Supplier() && forall(Product(supplier == $s.id) && Stock(product == Product.id, onhand > 1))",
        "(Supplier (id ?s)) (forall (Product (id ?i) (supplier ?s)) (Stock (product ?i) (onhand ?h&:(> ?h 1))))",
    ),
    "not of two": (
        "$s: Supplier() && not($p: Product(supplier == $s.id) && not(Stock(product == $p.id)))",
        "(Supplier (id ?s)) (not (and (Product (id ?i) (supplier ?s)) (not (Stock (product ?i)))))",
    ),
}


def random_facts(random: Random) -> list[tuple[str, dict[str, object]]]:
    found: list[tuple[str, dict[str, object]]] = []
    for _ in range(random.randrange(12)):
        kind = random.choice(("Product", "Supplier", "Stock"))
        if kind == "Product":
            fact: dict[str, object] = {"id": random.randrange(3), "supplier": random.randrange(2)}
            fact["point"] = random.randrange(6)
        elif kind == "Supplier":
            fact = {"id": random.randrange(2), "rank": random.randrange(3)}
        else:
            fact = {"product": random.randrange(3), "onhand": random.randrange(7)}
        if (kind, fact) not in found:  # CLIPS keeps equal facts once
            found.append((kind, fact))
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_joins_and_negation_match_as_often_as_in_clips(name: str) -> None:
    ours, theirs = PAIRS[name]
    random = Random(name)
    book = FactRulebook.parse(f"rule R {{ when {ours} then hit = true; }}", "clips.grl")
    environment = clips.Environment()
    for template in TEMPLATES.strip().splitlines():
        environment.build(template)
    environment.build(f"(defrule R {theirs} =>)")
    for _ in range(120):
        facts = random_facts(random)
        environment.reset()
        document: dict[str, list[dict[str, object]]] = {}
        network = Network(book)
        known = {one.name for one in book.program.types}
        for kind, fact in facts:
            environment.find_template(kind).assert_fact(**fact)
            document.setdefault(kind, []).append(fact)
            if kind in known:
                network.insert(kind, fact)
        fired = environment.run()
        assert len(book.decide(document).fired) == fired
        network.fire_all()
        assert len(network.matches()) == fired


def test_salience_and_text_order_decide_as_in_clips() -> None:
    random = Random(2)
    for _ in range(40):
        saliences = [random.randrange(-3, 4) for _ in range(6)]
        thresholds = [random.randrange(5) for _ in range(6)]
        ours = "".join(
            f"rule R{at} salience {salience} {{ when $s: Stock(onhand > {limit}) then hit = true; }}\n"
            for at, (salience, limit) in enumerate(zip(saliences, thresholds, strict=True))
        )
        environment = clips.Environment()
        environment.build("(deftemplate Stock (slot onhand))")
        fired: list[int] = []
        environment.define_function(lambda at, fired=fired: fired.append(int(at)), name="note")
        for at, (salience, limit) in enumerate(zip(saliences, thresholds, strict=True)):
            rule = f"(declare (salience {salience})) (Stock (onhand ?h&:(> ?h {limit})))"
            environment.build(f"(defrule R{at} {rule} => (note {at}))")
        environment.reset()
        environment.find_template("Stock").assert_fact(onhand=3)
        environment.run()
        mine = FactRulebook.parse(ours, "clips.grl").decide({"Stock": [{"onhand": 3}]}).fired
        assert [saliences[int(name[1:])] for name in mine] == [saliences[at] for at in fired]
        assert sorted(mine) == sorted(f"R{at}" for at in fired)


def test_a_rule_fires_again_only_when_what_it_matched_has_changed_as_in_clips() -> None:
    ours = "rule Count { when $s: Stock(onhand < 5) then $s.onhand = $s.onhand + 1; n = n + 1; }"
    environment = clips.Environment()
    environment.build("(deftemplate Stock (slot onhand))")
    environment.build("(defrule Count ?s <- (Stock (onhand ?h&:(< ?h 5))) => (modify ?s (onhand (+ ?h 1))))")
    environment.reset()
    environment.find_template("Stock").assert_fact(onhand=1)
    fired = environment.run()
    done = FactRulebook.parse(ours, "clips.grl").decide({"Stock": [{"onhand": 1}]})
    assert len(done.fired) == fired == done.outputs["n"]
