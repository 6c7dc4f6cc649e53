"""Thousands of random rulebooks: what one pass accepts agrees with the agenda under any order of ties, and with the row."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.agenda import Agenda
from restock.engine.rules.fact_memory import Memory
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import decide as decide_on_network
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


def some_facts(random: Random) -> dict[str, object]:
    return {"x": random.randrange(10), "y": random.randrange(10), "go": random.random() < 0.5}


def by_reference(book: Rulebook, facts: dict[str, object]) -> object:
    try:
        made = book.decide(facts, engine="reference")
    except RuleError as error:
        return error.message.partition(":")[0]
    return made.outputs, list(made.fired)


def chains_as_the_agenda(book: Rulebook, random: Random) -> int:
    """Rules that no single pass runs go on by forward chaining: reference, agenda and network must mean the same by it."""
    facts_book = FactRulebook.parse(book.text, book.name)
    several = 0
    for _ in range(4):
        facts = some_facts(random)
        expected = by_reference(book, facts)
        found = by_agenda(facts_book, facts, None)
        if isinstance(expected, tuple):
            expected = (expected[0], Counter(expected[1]))
            several += len(set(expected[1])) > 1
        assert found == expected, (book.text, facts)
    return several


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
            seen["chained"] += chains_as_the_agenda(book, random)
            continue
        seen["accepted"] += 1
        agenda = FactRulebook.parse(text, "random.grl")
        for _ in range(12):
            facts = some_facts(random)
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
    assert seen["chained"] > 100


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(8))
def test_four_thousand_random_rulebooks_agree_with_the_agenda_under_any_order_of_ties(part: int) -> None:
    seen = check(range(1_000 + part * 500, 1_500 + part * 500))
    assert seen["accepted"] > 50


X = "input x: integer in 0..10;\noutput z: integer default 0;\noutput w: integer default 0;\n"


@pytest.mark.parametrize(
    ("text", "outputs", "fired"),
    [
        (
            "rule A salience 10 { when z > 0 then w = 1; }\nrule B salience 5 { when x > 0 then z = 1; }\n"
            "rule C salience 1 { when w == 0 then y = 1; }\noutput y: integer default 0;",
            {"z": 1, "w": 1, "y": 0},
            ("B", "A"),
        ),
        (
            "rule A { when z == 0 then z = 1; w = w + 1; }\nrule B { when z == 1 && w < x then z = 0; }",
            {"z": 1, "w": 3},
            ("A", "B", "A", "B", "A"),
        ),
        ("rule A { when w < 150 * x then w = w + 1; }", {"z": 0, "w": 450}, ("A",) * 450),
        (
            "rule A salience 10 { when x > 0 && w < 3 then z = x; }\nrule B { when 7 % z == 1 then w = w + 1; }",
            {"z": 3, "w": 1},
            ("A", "B", "A"),
        ),
    ],
    ids=["the highest first", "again after a change", "more than a hundred times", "a value that comes in time"],
)
def test_forward_chaining_is_one_meaning(text: str, outputs: dict[str, object], fired: tuple[str, ...]) -> None:
    made = Rulebook.parse(X + text, "chain.grl").decide({"x": 3}, engine="reference")
    assert (made.outputs, made.fired) == (outputs, fired)
    facts = FactRulebook.parse(X + text, "chain.grl")
    for decided in (facts.decide({"x": 3}), decide_on_network(facts, {"x": 3})):
        assert (decided.outputs, decided.fired) == (outputs, fired)


def test_a_condition_without_a_value_is_an_error_only_in_its_turn() -> None:
    text = X + "rule A salience 1 { when x > 0 then z = x; }\nrule B { when x % z == 1 || x > 2 then w = 1; }"
    for engine in ("row", "reference"):
        made = Rulebook.parse(text, "turn.grl").decide({"x": 3}, engine=engine)
        assert (made.outputs, made.fired) == ({"z": 3, "w": 1}, ("A", "B"))
    facts = FactRulebook.parse(text, "turn.grl")
    for decided in (facts.decide({"x": 3}), decide_on_network(facts, {"x": 3})):
        assert (decided.outputs, decided.fired) == ({"z": 3, "w": 1}, ("A", "B"))
    with pytest.raises(RuleError, match="Rule B: division by zero"):
        facts.decide({"x": 0})
