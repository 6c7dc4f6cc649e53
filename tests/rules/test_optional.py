"""Inputs that may be absent: `optional` and `has`, with one meaning in every engine, proof and text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from random import Random

import polars
import pytest
from rules_world import one

from restock.core.errors import InvalidInput
from restock.engine.rules import Rulebook, RuleError
from restock.engine.rules.columns_rows import by_numpy, decide_by_columns
from restock.engine.rules.evaluator import Evaluator
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.formatter import formatted
from restock.engine.rules.network import Keyed
from restock.engine.rules.network import decide as decide_on_network
from restock.engine.rules.sql import SqlRunner

HEAD = """input n: decimal(4,1) in 1..50 optional;
input w: text optional;
input f: bool optional;
input z: integer in 0..5;
output a: decimal(9,1);
output b: text;
output c: bool;
"""
Facts = Mapping[str, object]
Test = Callable[[Facts], bool]

ATOMS: tuple[tuple[str, Test], ...] = (
    ("has(n)", lambda x: x["n"] is not None),
    ("n == null", lambda x: x["n"] is None),
    ("w != null", lambda x: x["w"] is not None),
    ("has(f)", lambda x: x["f"] is not None),
    ("n > 5", lambda x: x["n"] is not None and x["n"] > 5),  # type: ignore[operator]
    ("n != 5", lambda x: x["n"] is not None and x["n"] != 5),
    ("n <= z", lambda x: x["n"] is not None and x["n"] <= x["z"]),  # type: ignore[operator]
    ("f", lambda x: x["f"] is True),
    ("f == false", lambda x: x["f"] is False),
    ('w == "x"', lambda x: x["w"] == "x"),
    ('w contains "x"', lambda x: x["w"] is not None and "x" in str(x["w"])),
    ('w in ["x", "y"]', lambda x: x["w"] in ("x", "y")),
    ("z > 2", lambda x: x["z"] > 2),  # type: ignore[operator]
)


def random_condition(random: Random, depth: int = 2) -> tuple[str, Test]:
    """A condition with what it means, told by Python's None."""
    if not depth or random.random() < 0.3:
        return random.choice(ATOMS)
    text, means = random_condition(random, depth - 1)
    if random.random() < 0.3:
        return f"!({text})", lambda x: not means(x)
    other, also = random_condition(random, depth - 1)
    if random.random() < 0.5:
        return f"({text}) && ({other})", lambda x: means(x) and also(x)
    return f"({text}) || ({other})", lambda x: means(x) or also(x)


def random_facts(random: Random) -> dict[str, object]:
    return {
        "n": random.choice((None, None, Decimal(1), Decimal(5), Decimal("5.1"), Decimal(50))),
        "w": random.choice((None, None, "", "x", "xy", "y")),
        "f": random.choice((None, True, False)),
        "z": random.randrange(6),
    }


def random_book(random: Random) -> tuple[Rulebook, list[Test]]:
    rules, meanings = [], []
    for at in range(3):
        condition, means = random_condition(random)
        action = random.choice((f"a = a + {1 << at};", "c = true;", f'b = "{at}";'))
        if random.random() < 0.3:
            condition, action, means = _reading(condition, means, random)
        rules.append(f"rule R{at} salience {9 - at} no-loop {{ when {condition} then {action} }}\n")
        meanings.append(means)
    return one(HEAD + "".join(rules)), meanings


def _reading(condition: str, means: Test, random: Random) -> tuple[str, str, Test]:
    name, action = random.choice((("n", "a = n * 2;"), ("w", "b = upper(w);"), ("f", "c = !f;")))
    return f"({condition}) && has({name})", action, lambda x: means(x) and x[name] is not None


def test_every_engine_means_the_same_by_an_absent_input(tmp_path: Path) -> None:
    random = Random(33)
    for number in range(40):
        book, meanings = random_book(random)
        facts = [random_facts(random) for _ in range(40)]
        expected = [tuple(f"R{at}" for at, means in enumerate(meanings) if means(x)) for x in facts]
        given = [{name: value for name, value in x.items() if value is not None} for x in facts]
        decided = book.decide_many(given, engine="reference")
        assert [one.fired for one in decided] == expected, book.print()  # type: ignore[union-attr]
        assert all(set(one.facts) <= set(x) for one, x in zip(decided, given, strict=True))  # type: ignore[union-attr]
        for engine in ("row", "columns", "sql"):
            assert book.decide_many(given, engine=engine) == decided, (engine, book.print())
            again = book.decide_many(facts, engine=engine)
            assert [(*made.outputs, *made.facts) for made in again] == [  # type: ignore[union-attr]
                (*made.outputs, *made.facts)
                for made in decided  # type: ignore[union-attr]
            ], "names come in one order"
            assert again == decided
        evaluator = Evaluator(book._source, book.program)
        assert decide_by_columns(evaluator, given, by_numpy) == decided
        agenda = FactRulebook.parse(book.text, book.name)
        for x, made in zip(given[:12], decided, strict=False):
            assert agenda.decide(x).outputs == made.outputs  # type: ignore[union-attr]
            assert decide_on_network(agenda, x).outputs == made.outputs  # type: ignore[union-attr]
        if number < 8:
            _tables(book, facts, [one.fired for one in decided], tmp_path)  # type: ignore[union-attr]


def _tables(book: Rulebook, facts: list[dict[str, object]], fired: list[tuple[str, ...]], folder: Path) -> None:
    kinds = {"n": polars.Decimal(6, 1), "w": polars.String, "f": polars.Boolean, "z": polars.Int64}
    frame = polars.DataFrame(facts, schema=kinds)
    made = book.decide_frame(frame)
    assert [tuple(row) for row in made["fired"].to_list()] == fired
    frame.write_parquet(folder / "in.parquet")
    run = SqlRunner(book).run(folder / "in.parquet", folder / "out.parquet")
    assert run.troubles == {}
    rows = polars.read_parquet(folder / "out.parquet")
    for name in ("a", "b", "c"):
        assert [str(value) for value in rows[name]] == [str(value) for value in made[name]]


def test_arrays_take_a_mask_for_what_is_absent() -> None:
    import numpy

    book = one(HEAD + "rule R no-loop { when n > 5 then a = n; } rule S no-loop { when !has(n) then c = true; }")
    n = numpy.ma.array([60, 60, 40], mask=[True, False, False])
    made = book.decide_arrays({"n": n, "z": numpy.array([0, 0, 0])})
    assert (made["a"].tolist(), made["c"].tolist()) == ([0, 60, 0], [True, False, False])
    assert book.decide_arrays({"z": numpy.array([0])})["c"].tolist() == [True]


def test_a_key_follows_a_value_that_comes_and_goes() -> None:
    keyed = Keyed(one(HEAD + 'rule R no-loop { when has(n) then b = "there"; }'))
    keyed.put("k", {"z": 1})
    assert keyed.decision("k").outputs["b"] == ""
    keyed.apply("n", [("k", 7)])
    assert keyed.decision("k").outputs["b"] == "there"
    keyed.apply("n", [("k", None)])
    assert keyed.decision("k").outputs["b"] == ""


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("when z > 0 then a = n;", r"'n' may be absent here: ask for it in the condition of R: has\(n\)"),
        ("when !has(n) then a = n;", "may be absent here"),
        ("when has(n) || z > 0 then a = n;", "may be absent here"),
        ("when has(z) then a = 1;", "'z' is never absent"),
        ("when has(a) then a = 1;", "'a' is never absent"),
        ("when z == null then a = 1;", "'z' is never absent"),
        ("when has(n + 1) then a = 1;", "Only an input or a field of a fact may be absent"),
        ("when n > null then a = 1;", "null stands only behind == or !="),
        ("when null == n then a = 1;", "null stands only behind == or !="),
        ("when has(n, w) then a = 1;", "'has' takes 1 argument"),
        ("when has(m) then a = 1;", "There is no field 'm'"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_its_place(rule: str, problem: str) -> None:
    with pytest.raises(RuleError, match=problem) as caught:
        one(f"{HEAD}rule R no-loop {{ {rule} }}")
    assert caught.value.line == 8


@pytest.mark.parametrize(
    ("declaration", "problem"),
    [
        ("input x: integer default 0 optional;", "An input with a default is never absent"),
        ("output x: integer optional;", "An output always has a value"),
        (
            "input y: integer optional; input x: integer default y * 2;",
            "A default may read plain inputs; 'y' is not one",
        ),
        (
            "input y: integer optional; input x: bool default has(y);",
            r"A default may read plain inputs; 'has\(y\)' is not",
        ),
    ],
)
def test_optional_stands_only_where_something_can_be_absent(declaration: str, problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        one(f"{declaration}\nrule R no-loop {{ when x != x then z = 1; }}")


def test_both_sides_of_an_or_may_ask() -> None:
    book = one(HEAD + "rule R no-loop { when (n > 5 && z > 0) || (has(n) && f) then a = n; }")
    assert book.decide({"n": 9, "z": 1}).outputs["a"] == 9
    assert book.decide({"z": 1, "f": True}).outputs["a"] == 0


def test_an_undeclared_input_that_a_rule_asks_for_may_be_absent() -> None:
    book = one('rule R no-loop { when mail != null && mail startsWith "a" then known = true; }')
    assert book.decide({}).outputs == {"known": False}
    assert book.decide({"mail": "ab"}).outputs == {"known": True}
    assert [(field.name, field.absent) for field in book.inputs] == [("mail", True)]


def test_what_is_given_is_checked_although_it_may_be_absent() -> None:
    book = one(HEAD + "rule R no-loop { when has(n) then c = true; }")
    for engine in ("row", "reference", "columns", "sql"):
        with pytest.raises(InvalidInput, match="outside 1 to 50"):
            book.decide({"n": 0, "z": 1}, engine=engine)


def test_nobody_can_say_that_an_absent_input_is_there() -> None:
    book = one(HEAD + "rule R no-loop { when has(n) then c = true; }")
    for engine in ("row", "reference", "columns", "sql"):
        assert book.decide({"has(n)": True, "z": 1}, engine=engine).outputs["c"] is False


def test_an_absent_input_is_told_as_absent() -> None:
    book = one(
        HEAD + "rule R no-loop { when n > 5 then a = n; } rule S no-loop { when z > 0 && !(n > 5) then c = true; }"
    )
    why = book.explain({"z": 1})
    assert why.facts == {"z": 1}
    assert why.fired[0].reads == {"z": 1, "has(n)": False}
    assert (why.not_fired[0].test, why.not_fired[0].values) == ("has(n)", {"has(n)": False})
    assert book.explain({"z": 1, "n": 3}).not_fired[0].test == "n > 5"


def test_the_text_is_printed_as_it_was_written() -> None:
    rule = "rule R no-loop {\n    when\n        has(n) && n == null\n    then\n        c = true;\n}\n"
    text = f"input n: decimal(4,1) in 1..50 optional;\noutput c: bool;\n\n{rule}"
    assert one(text).print() == text
    assert formatted(text, "x.grl") == text
