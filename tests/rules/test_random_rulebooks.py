"""Thousands of random rulebooks: what one pass accepts agrees with the agenda under any order of ties, and with the row."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.agenda import Agenda
from restock.engine.rules.fact_memory import Memory
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.reference import plain_values

HEAD = "input x: integer in 0..9;\ninput y: integer in 0..9;\ninput go: bool;\n" + "".join(
    f"output {name}: integer in -999999..999999;\n" for name in "abcd"
)
FIELDS = "abcd"


def random_test(random: Random) -> str:
    left = random.choice(("x", "y", "x", *FIELDS))
    sign = random.choice((">", "<", "==", ">=", "<=", "!="))
    return random.choice(
        (f"{left} {sign} {random.randrange(6)}", f"{left} {sign} {random.choice('xyab')}", "go", "!go")
    )


def random_rule(random: Random, at: int) -> str:
    tests = " && ".join(random_test(random) for _ in range(random.choice((1, 1, 2, 3))))
    value = random.choice(("x", "y", "x + y", "3", "x * 2", *FIELDS, f"{random.choice(FIELDS)} + 1"))
    target = random.choice(FIELDS)
    flags = " no-loop" if random.random() < 0.7 else ""
    return f"rule R{at} salience {random.randrange(4)}{flags} {{ when {tests} then {target} = {value}; }}\n"


def random_text(random: Random) -> str:
    return HEAD + "".join(random_rule(random, at) for at in range(random.choice((2, 3, 4, 5, 6))))


def by_agenda(book: FactRulebook, facts: dict[str, object], random: Random | None) -> object:
    memory = Memory(book.program)
    memory.flat |= book.flat(facts)
    try:
        fired = Agenda(book.source, book.program, memory, None, random).run()
    except RuleError as error:
        return error.message.partition(":")[0]
    return plain_values({one.name: memory.flat[one.name] for one in book.program.outputs}), Counter(fired)


def check(seeds: range) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        random = Random(seed)
        text = random_text(random)
        try:
            book = Rulebook.parse(text, "random.grl")
        except RuleError:
            seen["does not load"] += 1
            continue
        if book.engines["row"]:
            with pytest.raises(Exception, match="The row engine cannot run"):
                book.row()
            seen["refused"] += 1
            continue
        seen["accepted"] += 1
        agenda = FactRulebook.parse(text, "random.grl")
        for _ in range(12):
            facts: dict[str, object] = {
                "x": random.randrange(10),
                "y": random.randrange(10),
                "go": random.random() < 0.5,
            }
            decision = book.decide(facts, engine="row")
            assert decision == book.decide(facts, engine="reference")
            expected = (decision.outputs, Counter(decision.fired))
            for order in (None, Random(1), Random(2)):
                assert by_agenda(agenda, facts, order) == expected, text
    return seen


def test_two_hundred_random_rulebooks_agree_with_the_agenda_under_any_order_of_ties() -> None:
    seen = check(range(200))
    assert seen["accepted"] > 20
    assert seen["refused"] > 20


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(8))
def test_four_thousand_random_rulebooks_agree_with_the_agenda_under_any_order_of_ties(part: int) -> None:
    seen = check(range(1_000 + part * 500, 1_500 + part * 500))
    assert seen["accepted"] > 50
