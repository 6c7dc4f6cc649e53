"""Goals with variables: facts are joined where a variable returns, and every answer is that of asking all facts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restock.engine.rules import FactRulebook, RuleError, agenda

DECLARED = """
input parent.elder: text;
input parent.child: text;
input points: integer in 0..9 default 0;
output found: text;
output best: bool;
input Person.name: text;
input Person.age: decimal(5,1);
output Person.adult: bool;
rule Adult { when $p: Person(age >= 18) then $p.adult = true; }
"""
PEOPLE = {
    "parent": [
        {"elder": "ann", "child": "bob"},
        {"elder": "bob", "child": "cid"},
        {"elder": "bob", "child": "dot"},
        {"elder": "eve", "child": "bob"},
    ],
    "Person": [{"name": name, "age": age} for name, age in {"ann": 70, "bob": 44, "cid": 20, "dot": "7.0"}.items()],
}


def solutions(goal: str, facts: dict[str, object] | None = None, most: int = 99) -> list[dict[str, object]]:
    """Ask one goal."""
    book = FactRulebook.parse(f'{DECLARED}query "q" {{ goal: {goal} max-solutions: {most} }}', "q.grl")
    return list(book.ask("q", PEOPLE if facts is None else facts).solutions)


def pairs(goal: str) -> list[tuple[object, ...]]:
    """Ask one goal, and give the values in the order of the variables' names."""
    return [tuple(one[name] for name in sorted(one)) for one in solutions(goal)]


def test_a_variable_that_returns_joins_facts() -> None:
    assert pairs("parent(?a, ?b) WHERE parent(?b, ?c)") == [
        ("ann", "bob", "cid"),
        ("ann", "bob", "dot"),
        ("eve", "bob", "cid"),
        ("eve", "bob", "dot"),
    ]
    assert pairs('parent(?x, "bob")') == [("ann",), ("eve",)]
    assert pairs('parent("bob", ?x) AND Person(name == ?x, age > 10)') == [("cid",)]
    assert pairs("Person(?who, ?age) AND ?age < 20") == [(7, "dot")]


def test_negations_and_tests_may_stand_before_what_gives_the_value() -> None:
    assert pairs("NOT parent(?x, ?y) AND Person(name == ?x)") == [("cid",), ("dot",)]
    assert pairs("?x != 'ann' AND parent(?x, 'bob')") == [("eve",)]
    assert pairs("Person(name == ?x) WHERE NOT (parent(?x, ?y) OR parent(?y, ?x))") == []


def test_a_quantifier_keeps_its_variables_to_itself() -> None:
    assert pairs("Person(name == ?x) AND exists(parent(?x, ?y))") == [("ann",), ("bob",)]
    assert pairs("exists(parent(?y, ?x) AND parent(?x, ?z)) AND Person(name == ?x)") == [("bob",)]


def test_an_answer_ends_with_its_last_solution_and_a_search_without_one_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = " AND ".join(f"Person(name == ?v{at})" for at in range(30))
    assert len(solutions(many, most=2)) == 2
    monkeypatch.setattr(agenda, "MAX_LOOKS", 1_000)
    with pytest.raises(RuleError, match="look at more than 1,000 facts here; join patterns by equal fields"):
        solutions(f"{many} AND ?v0 == 'nobody'")


def test_alternatives_give_the_same_variable_from_several_patterns_and_each_solution_once() -> None:
    assert pairs("(parent(?x, 'bob') OR parent(?x, 'cid')) AND ?x != 'eve'") == [("ann",), ("bob",)]
    assert pairs("parent('bob', 'cid') AND parent(?x, ?x)") == []
    assert pairs("parent('bob', 'cid') AND Person(name == ?x, name == 'bob')") == [("bob",)]
    assert len(solutions("parent(?x, ?y)", most=2)) == 2


def test_a_query_with_variables_uses_the_rules_that_its_goal_needs() -> None:
    book = FactRulebook.parse(
        DECLARED + 'rule Other { when points > 0 then best = true; } query "q" {'
        ' goal: Person(name == ?x, adult == true) AND parent("bob", ?x) on-success: { found = "yes"; } }',
        "q.grl",
    )
    answer = book.ask("q", PEOPLE)
    assert (answer.proved, answer.solutions, answer.outputs) == (True, ({"?x": "cid"},), {"found": "yes"})
    assert set(answer.fired) == {"Adult"}
    assert book.print() == FactRulebook.parse(book.print(), "q.grl").print()


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ("?x > 3", r"Nothing before gives '\?x' a value"),
        ("NOT parent(?x, ?y) AND ?x == 'a'", r"Nothing before gives '\?x' a value"),
        ("parnt(?x, 'bob')", "'parnt' has no field for this argument"),
        ("parent(?x, ?y, ?z)", "'parent' has no field for this argument"),
        ("Person(age == ?x) AND parent(?x, ?y)", "compared"),
        ("count(?x) WHERE parent(?x, ?y)", r"'count\(…\) WHERE' is not supported; write accumulate"),
        (" AND ".join(["(parent(?a, ?b) OR parent(?b, ?a))"] * 6), "more than 32 alternatives"),
    ],
)
def test_what_has_no_answer_is_refused_by_name(goal: str, message: str) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        solutions(goal)
    assert caught.value.line == DECLARED.count("\n") + 1


names = st.sampled_from("abc")


@given(st.lists(st.tuples(names, names), max_size=6), st.lists(names, max_size=3))
def test_random_facts_give_what_trying_all_of_them_gives(edges: list[tuple[str, str]], known: list[str]) -> None:
    facts = {
        "parent": [{"elder": a, "child": b} for a, b in edges],
        "Person": [{"name": name, "age": 1} for name in known],
    }
    tried = {
        (a, b, d) for (a, b), (c, d) in itertools.product(edges, edges) if b == c and a in known and (d, a) not in edges
    }
    asked = solutions("parent(?a, ?b) WHERE parent(?b, ?d) AND NOT parent(?d, ?a) AND Person(name == ?a)", facts)
    assert {(one["?a"], one["?b"], one["?d"]) for one in asked} == tried
    assert len(asked) == len(tried)
