"""The solver drops obstacles against one pass that cannot happen, and only those: what it accepts agrees with the agenda."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from rules_world import PUBLISHED_TEXT, one, rule

from restock.core.errors import InvalidInput
from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.errors import SourceText
from restock.engine.rules.facts import inputs_used, scaled
from restock.engine.rules.lint import lint
from restock.engine.rules.obstacles import obstacles
from restock.engine.rules.proof.invariants import prove
from restock.engine.rules.proof.stratification import possible_obstacles, refined_reason
from restock.engine.rules.row import compile_row

INPUTS = "input a: integer in -20..20;\ninput b: integer in -20..20;\ninput f: bool;\n"


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        # a tie that arithmetic excludes and the text does not show
        (
            rule("when a + b > 5 then x = 1;", name="One") + rule("when a < 0 && b < 0 then x = 2;", name="Two"),
            "",
        ),
        (
            rule("when a + b > 5 then x = 1;", name="One") + rule("when a < 0 && b < 9 then x = 2;", name="Two"),
            "One (line 4) and Two (line 5) have the same salience 0, can both be true, and share x",
        ),
        # an upward write after which the reader is false
        (
            rule("when x > 5 then y = 1;", name="Above", attributes="salience 1 no-loop")
            + rule("when f then x = 3;", name="Below"),
            "",
        ),
        (
            rule("when x > 5 then y = 1;", name="Above", attributes="salience 1 no-loop")
            + rule("when f then x = 7;", name="Below"),
            "Below (line 5) writes x, which is read above it by Above",
        ),
        # a rule that ends its own condition
        (rule("when x == 0 && f then x = 1;", attributes=""), ""),
        (
            rule("when x < 3 && f then x = x + 1;", attributes=""),
            "R (line 4) writes x, which its own condition reads, and is not no-loop",
        ),
    ],
)
def test_an_obstacle_stays_only_when_it_can_happen(rules: str, reason: str) -> None:
    book = one(INPUTS + rules)
    assert book.engines["row"]
    assert refined_reason(book.program) == reason


def test_the_cap_on_the_budget_is_a_real_obstacle() -> None:
    cap = "rule CapBudget salience 60 no-loop { when grand_total > 100000 then order_qty = moq; }"
    book = Rulebook.parse(PUBLISHED_TEXT + cap, "capped.grl")
    assert len(possible_obstacles(book.program)) == 3
    with pytest.raises(InvalidInput, match="CapBudget"):
        prove(book)


def test_a_rulebook_that_only_the_solver_accepts_is_proved_and_noted() -> None:
    text = rule("when a + b > 5 then x = 1;", name="One") + rule("when a < 0 && b < 0 then x = 2;", name="Two")
    book = one(INPUTS + text + 'invariant "x is small": x <= 2;\ninvariant "x is not 2": x != 2;\n')
    assert [proof.outcome for proof in prove(book)] == ["proved", "counterexample"]
    notes = [found.message for found in lint(book, possible_obstacles) if found.kind == "order"]
    assert notes == ["one pass decides, as the solver shows; the engines cannot see that and use the reference."]


def random_book(random: Random) -> str:
    names = ("x", "y", "z")
    rules = []
    for at in range(random.randrange(2, 5)):
        tests = [
            random.choice(
                (
                    f"{random.choice(names)} {random.choice(('<', '>', '==', '>='))} {random.randrange(-2, 4)}",
                    f"a {random.choice(('<', '>'))} b",
                    f"a + b > {random.randrange(-5, 6)}",
                    "f",
                    "!f",
                )
            )
            for _ in range(random.randrange(1, 3))
        ]
        value = random.choice(("1", "0", "3", "a", f"{random.choice(names)} + 1"))
        loop = random.choice(("no-loop", "no-loop", ""))
        body = f"when {' && '.join(tests)} then {random.choice(names)} = {value};"
        rules.append(rule(body, name=f"R{at}", attributes=f"salience {random.randrange(0, 3)} {loop}"))
    return INPUTS + "output x: integer;\noutput y: integer;\noutput z: integer;\n" + "".join(rules)


def test_what_the_solver_accepts_gives_the_same_by_one_pass_and_by_the_agenda() -> None:
    random, accepted = Random(5), 0
    for _ in range(400):
        try:
            book = one(random_book(random))
        except RuleError:
            continue
        assert bool(book.engines["row"]) == bool(obstacles(book.program.rules))
        if not book.engines["row"] or refined_reason(book.program):
            continue
        accepted += 1
        row = compile_row(SourceText(book.name, book.text), book.program, inputs_used(book.program))
        for _ in range(20):
            facts = {"a": random.randrange(-20, 21), "b": random.randrange(-20, 21), "f": random.random() < 0.5}
            expected = book.decide(facts, engine="reference")
            results = row.function(*(scaled(one_, expected.facts[one_.name]) for one_ in row.inputs))
            by_pass = {
                field.name: Decimal(value).scaleb(-field.decimals) if field.kind == "number" else value
                for field, value in zip(row.outputs, results, strict=False)
            }
            assert by_pass == expected.outputs
            assert row.fired(int(results[-1])) == expected.fired
    assert accepted > 10
