"""The guard index of the row function changes nothing but the time: guarded rules decide as the reference does."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from rules_world import one

from restock.engine.rules import RuleError

HEAD = """
input category: text;
input level: decimal(6,2);
input open: bool;
input x: decimal(6,2);
output a: decimal;
output b: decimal;
output c: text;
"""

GUARDS = (
    'category == "a"',
    'category == "b"',
    'category == "ü\'"',
    "level == 1",
    "level == 1.25",
    "level == 1.234",
    "open == true",
    '"b" == category',
)
RESTS = ("true", "x > 1", "x < 3", "b > 0", "round(10 / x, 1) > 3", 'c == "z"')
ACTIONS = ("a = a + 1;", "a = x;", 'c = "z";', "b = x * 2;", "a = a + b;")


def random_rule(random: Random, at: int) -> str:
    tests = [random.choice(GUARDS), random.choice(RESTS)]
    if random.random() < 0.3:
        tests.reverse()
    action = random.choice(ACTIONS)
    return f"rule R{at} salience {-at} no-loop {{ when {' && '.join(tests)} then {action} }}\n"


@pytest.mark.parametrize("seed", range(40))
def test_guarded_rules_decide_as_the_reference_does(seed: int) -> None:
    random = Random(seed)
    book = one(HEAD + "".join(random_rule(random, at) for at in range(random.choice((3, 20, 40)))))
    if book.engines["row"]:
        return
    for _ in range(60):
        facts = {
            "category": random.choice(("a", "b", "c", "ü'")),
            "level": random.choice((1, Decimal("1.25"), 2)),
            "open": random.random() < 0.5,
            "x": random.choice((0, 2, Decimal("3.5"), -1)),
        }
        outcomes: list[object] = []
        for engine in ("row", "reference"):
            try:
                outcomes.append(book.decide(facts, engine=engine))
            except RuleError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]


def test_some_of_these_rulebooks_do_have_an_index() -> None:
    random = Random(0)
    text = HEAD + "".join(
        f'rule R{at} no-loop {{ when category == "c{at}" && x > {at} then a = x * {at}; }}\n' for at in range(50)
    )
    book = one(text)
    assert "cases0.get" in book.row().code
    for _ in range(200):
        facts = {"category": f"c{random.randrange(60)}", "level": 0, "open": True, "x": random.randrange(60)}
        assert book.decide(facts, engine="row") == book.decide(facts, engine="reference")
