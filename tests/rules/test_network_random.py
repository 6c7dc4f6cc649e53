"""Random rulebooks over facts under random events: increments give the state of an evaluation from scratch."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from test_network import assert_from_scratch

from restock.engine.rules import RuleError
from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.network import Network, decide

TYPES = {"A": ("k", "x", "y"), "B": ("k", "x", "z"), "C": ("k", "w", "x")}
DERIVED = ("p", "q", "r")
FLATS = ("m", "n", "limit")
HEAD = "".join(f"input {kind}.{path}: integer;\n" for kind, paths in TYPES.items() for path in paths)
HEAD += "".join(f"output {kind}.{path}: integer;\n" for kind in TYPES for path in DERIVED)
HEAD += "output m: integer;\noutput n: integer;\ninput limit: integer;\n"


def number(random: Random, scope: list[str], kind: str) -> str:
    choices = [str(random.randrange(5)), random.choice((*TYPES[kind], *DERIVED))]
    if scope:
        variable, other = random.choice(scope).split(":")
        choices.append(f"{variable}.{random.choice((*TYPES[other], *DERIVED))}")
    return random.choice(choices)


def comparison(random: Random, scope: list[str], kind: str) -> str:
    left = random.choice((*TYPES[kind], *TYPES[kind], *DERIVED))
    sign = random.choice(("==", "==", ">", "<", ">=", "!="))
    text = f"{left} {sign} {number(random, scope, kind)}"
    return random.choice((text, text, text, f"({text} || {left} == 2)", f"!({text})"))


def pattern(random: Random, scope: list[str], variable: str) -> tuple[str, str]:
    kind = random.choice(list(TYPES))
    tests = ", ".join(comparison(random, scope, kind) for _ in range(random.choice((0, 1, 1, 2))))
    return f"{variable}{': ' if variable else ''}{kind}({tests})", kind


def condition(random: Random) -> tuple[str, list[str]]:
    scope: list[str] = []
    parts: list[str] = []
    for at in range(random.choice((1, 1, 2, 2, 3))):
        text, kind = pattern(random, scope, f"$v{at}")
        parts.append(text)
        scope.append(f"$v{at}:{kind}")
    for at in range(random.choice((0, 0, 1, 1, 2))):
        word = random.choice(("exists", "not", "exists2", "forall", "sum", "flat", "test"))
        inner, kind = pattern(random, scope, "")
        field = random.choice(TYPES[kind])
        function = random.choice(("sum", "count", "min", "max", "avg"))
        variable, other = random.choice(scope).split(":")
        parts.append(
            {
                "exists": f"exists({inner})",
                "not": f"!exists({inner})",
                "exists2": f"not($i{at}: B(k == {variable}.k) && C(x >= $i{at}.x))",
                "forall": f"forall({kind}({comparison(random, scope, kind)}))",
                "sum": f"$g{at}: accumulate({kind}($a{at}: {field}, k == {variable}.k), {function}($a{at}))"
                f" && test($g{at} > {random.randrange(5)})",
                "flat": f"{random.choice(FLATS)} < {random.randrange(5)}",
                "test": f"test({variable}.{random.choice((*TYPES[other], *DERIVED))} > {random.choice(FLATS)})",
            }[word]
        )
    return " && ".join(parts), scope


def random_rule(random: Random, at: int) -> str:
    text, scope = condition(random)
    actions = []
    for _ in range(random.choice((1, 1, 2))):
        variable, kind = random.choice(scope).split(":")
        other, other_kind = random.choice(scope).split(":")
        value = random.choice(
            (
                str(random.randrange(5)),
                f"{other}.{random.choice((*TYPES[other_kind], *DERIVED))}",
                f"{variable}.{random.choice(TYPES[kind])} + 1",
            )
        )
        target = random.choice(
            (f"{variable}.{random.choice(DERIVED)}", f"{variable}.{random.choice(DERIVED)}", "m", "n")
        )
        actions.append(f"{target} = {value};")
    flag = random.choice(("", "", " no-loop"))
    return f"rule R{at} salience {random.randrange(3)}{flag} {{ when {text} then {' '.join(actions)} }}\n"


def random_fact(random: Random) -> tuple[str, dict[str, object]]:
    kind = random.choice(list(TYPES))
    return kind, {path: random.randrange(4) for path in TYPES[kind]}


def assert_decided_alike(book: FactRulebook, random: Random) -> None:
    """One document on the agenda and on a network."""
    document: dict[str, object] = {"limit": random.randrange(4)}
    for _ in range(random.randrange(6)):
        kind, fact = random_fact(random)
        found = document.setdefault(kind, [])
        assert isinstance(found, list)
        found.append(fact)
    agenda, network = book.decide(document), decide(book, document)
    assert (agenda.outputs, agenda.facts) == (network.outputs, network.facts)
    assert sorted(agenda.fired) == sorted(network.fired)


def run(seed: int) -> str:
    random = Random(seed)
    text = HEAD + "".join(random_rule(random, at) for at in range(random.choice((1, 2, 3))))
    try:
        network = Network(FactRulebook.parse(text, "random.grl"), {"limit": 2})
    except RuleError:
        return "does not load"
    try:
        assert_decided_alike(network.book, random)
    except RuleError as error:
        assert "do not settle" in error.message
        return "loops"
    known = {one.name for one in network.types()}
    incremental = network.reason == ""
    handles: dict[int, str] = {}
    for _ in range(14):
        for _ in range(random.choice((1, 2, 4))):
            kind, fact = random_fact(random)
            chance = random.random()
            if chance < 0.5 and len(handles) < 8 and kind in known:
                handles[network.insert(kind, fact)] = kind
            elif handles and chance < 0.8:
                handle = random.choice(list(handles))
                network.update(handle, {random.choice(TYPES[handles[handle]]): random.randrange(4)})
            elif handles and chance < 0.9:
                handle = random.choice(list(handles))
                network.retract(handle)
                del handles[handle]
            else:
                network.set_flat({"limit": random.randrange(4)})
        try:
            network.fire_all()
            assert_from_scratch(network)
        except RuleError as error:
            assert "do not settle" in error.message
            return "loops"
    assert incremental is (network.reason == ""), text
    return "incremental" if incremental else "from scratch"


def test_random_rulebooks_keep_the_state_of_an_evaluation_from_scratch() -> None:
    seen = Counter(run(seed) for seed in range(150))
    assert seen["incremental"] > 30, seen


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
def test_two_thousand_random_rulebooks_keep_the_state_of_an_evaluation_from_scratch(part: int) -> None:
    seen = Counter(run(seed) for seed in range(1_000 + part * 500, 1_500 + part * 500))
    assert seen["incremental"] > 100, seen
