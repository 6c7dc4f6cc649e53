"""What must change nothing: other names, another order of declarations and rules, the same condition written otherwise.

And what must change something: another threshold, which a case or an invariant of the shipped rulebook notices.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random

import pytest
from rules_world import PURCHASING, PURCHASING_TEXT, RULEBOOKS, one
from test_differential import random_product
from test_optional import random_book, random_facts
from test_random_rulebooks import random_text

from restock.core.errors import RestockError
from restock.engine.rules import Decision, Rulebook, RuleError
from restock.engine.rules.case_file import read_cases
from restock.engine.rules.case_run import run_cases
from restock.engine.rules.errors import SourceText
from restock.engine.rules.lexer import Lexer
from restock.engine.rules.parser import parse
from restock.engine.rules.printer import print_declaration, print_expression, print_rule, print_rulebook
from restock.engine.rules.syntax import RulebookSyntax

Facts = dict[str, object]
ENGINES = ("row", "reference", "columns", "sql")


def syntax_of(book: Rulebook) -> RulebookSyntax:
    return parse(SourceText(book.name, book.text))[0]


def decided(book: Rulebook, facts: list[Facts]) -> list[list[Decision | str]]:
    """Give what each engine that runs the rules decides; errors without their places."""
    running = [engine for engine in ENGINES if not book.engines[engine]]
    return [
        [made if isinstance(made, Decision) else type(made).__name__ for made in book.decide_many(facts, engine=engine)]
        for engine in running
    ]


def books() -> list[tuple[str, Rulebook, list[Facts]]]:
    """The shipped rulebook, random ones with absent inputs, and random ones of which some need forward chaining."""
    random = Random(11)
    found = [("purchasing", PURCHASING, [random_product(random) for _ in range(150)])]
    for at in range(5):
        found.append((f"optional {at}", random_book(random)[0], [dict(random_facts(random)) for _ in range(25)]))
    while len(found) < 12:
        try:
            book = one(random_text(random))
        except RuleError:
            continue
        facts: list[Facts] = [{"x": x, "y": y, "go": go} for x in (0, 3, 6) for y in (1, 5) for go in (True, False)]
        found.append((f"random {len(found)}", book, facts))
    return found


@pytest.fixture(scope="module", params=books(), ids=lambda param: param[0])
def given(request: pytest.FixtureRequest) -> tuple[Rulebook, list[Facts]]:
    return request.param[1:]  # type: ignore[no-any-return]


def test_other_names_decide_the_same(given: tuple[Rulebook, list[Facts]]) -> None:
    book, facts = given
    fields = {name: f"ñ_{at}" for at, name in enumerate(sorted(book.program.fields(), reverse=True))}
    rules = {rule.name: f"Q{at}" for at, rule in enumerate(book.program.rules)}
    renamed = one(_with_names(print_rulebook(syntax_of(book)), fields | rules))

    def back(made: Decision | str) -> object:
        if isinstance(made, str):
            return made
        return (
            {fields[name]: value for name, value in made.outputs.items()},
            {fields[name]: value for name, value in made.facts.items()},
            tuple(rules[name] for name in made.fired),
        )

    other = [{fields.get(name, name): value for name, value in row.items()} for row in facts]
    for before, after in zip(decided(book, facts), decided(renamed, other), strict=True):
        expected = [back(made) for made in before]
        assert [made if isinstance(made, str) else (made.outputs, made.facts, made.fired) for made in after] == expected


def _with_names(text: str, names: Mapping[str, str]) -> str:
    """Write other names, and leave texts in quotes as they are."""
    lines = text.split("\n")
    for token in reversed(Lexer(SourceText("x", text)).tokens()):
        if token.kind == "name" and token.text in names:
            line, at = lines[token.place.line - 1], token.place.column - 1
            lines[token.place.line - 1] = line[:at] + names[token.text] + line[at + len(token.text) :]
    return "\n".join(lines)


def test_another_order_in_the_text_decides_the_same(given: tuple[Rulebook, list[Facts]]) -> None:
    """Declarations may stand anywhere; so may rules, as long as those of one salience keep their order."""
    book, facts = given
    syntax, random = syntax_of(book), Random(5)
    declarations = random.sample(syntax.declarations, len(syntax.declarations))
    saliences = random.sample(sorted({rule.salience for rule in syntax.rules}), len({r.salience for r in syntax.rules}))
    rules = [rule for salience in saliences for rule in syntax.rules if rule.salience == salience]
    parts = [print_declaration(one) for one in declarations]
    modules = [f";; MODULE: {rule.module}\n{print_rule(rule)}" for rule in rules]
    assert _by_name(decided(one("\n".join([*parts, *modules])), facts)) == _by_name(decided(book, facts))


def _by_name(made: list[list[Decision | str]]) -> list[list[object]]:
    return [[one if isinstance(one, str) else (one.outputs, one.facts, one.fired) for one in rows] for rows in made]


REWRITTEN: dict[str, Callable[[str], str]] = {
    "in parentheses": lambda test: f"((({test})))",
    "denied twice": lambda test: f"!(!({test}))",
    "and true": lambda test: f"true && ({test})",
    "or false": lambda test: f"({test}) || false",
    "with itself": lambda test: f"({test}) && ({test})",
}


@pytest.mark.parametrize("way", REWRITTEN)
def test_a_condition_written_otherwise_decides_the_same(given: tuple[Rulebook, list[Facts]], way: str) -> None:
    book, facts = given
    text = print_rulebook(syntax_of(book))
    for rule in syntax_of(book).rules:
        written = print_expression(rule.condition)
        assert f"when\n        {written}\n" in text
        text = text.replace(f"when\n        {written}\n", f"when\n        {REWRITTEN[way](written)}\n", 1)
    again = one(text)
    before = book.decide_many(facts, engine="reference")
    after = again.decide_many(facts, engine="reference")
    for one_, other in zip(before, after, strict=True):
        assert type(one_) is type(other)
        if isinstance(one_, Decision) and isinstance(other, Decision):
            assert one_ == other
    if not again.engines["row"]:
        assert again.decide_many(facts, engine="row") == after


CASES = read_cases((RULEBOOKS / "purchasing.cases.yaml").read_text("utf-8"), "purchasing.cases.yaml")
NUMBERS = [
    match
    for match in re.finditer(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", PURCHASING_TEXT)
    if re.match(r"\s*(?!//|input|output|assume|invariant|rule|;)", PURCHASING_TEXT[: match.start()].rpartition("\n")[2])
    and re.search(r"[<>=*+(-]\s*$", PURCHASING_TEXT[: match.start()])
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda found: f"{found.group()} at {found.start()}")
def test_another_threshold_breaks_a_case_or_an_invariant(number: re.Match[str]) -> None:
    pytest.importorskip("z3")
    from restock.engine.rules.proof.difference import compare
    from restock.engine.rules.proof.invariants import prove

    text = PURCHASING_TEXT
    changed = f"{text[: number.start()]}{Decimal(number.group()) + 1}{text[number.end() :]}"
    try:
        book = Rulebook.parse(changed, "purchasing.grl")
    except RestockError:
        return  # noticed when it loads
    if book.engines["row"]:
        return  # one pass does not decide it any more
    if any(result.problems for result in run_cases(book, CASES).results):
        return
    if any(proof.fails for proof in prove(book)):
        return
    assert compare(PURCHASING, book).outcome == "same", "nothing notices that it decides otherwise"
