"""What can hardly be meant in rules over facts: a rule that counts up what it asks for, and so may never come to rest.

Little else can be said without the facts: what rules reach depends on which there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from restock.engine.rules.fact_rulebook import FactRulebook
from restock.engine.rules.finding import Finding
from restock.engine.rules.ir import fields_read
from restock.engine.rules.ir_patterns import AppendTo, FactProgram, FactRule, SetField, place_of_read, reads_of
from restock.engine.rules.syntax import Statement


def fact_lint(book: FactRulebook) -> list[Finding]:
    """Look through rules over facts."""
    return [*unproved(book), *_loops(book.program)]


def unproved(book: FactRulebook) -> list[Finding]:
    """Say of each assumption and invariant that nobody holds it: what is proved is one set of fields."""
    remedy = "Take it out, or put it into a rulebook over one set of fields."
    claims = [one for one in book.syntax.declarations if isinstance(one, Statement)]
    return [
        Finding(
            "warning", "promise", "", one.place, f"The {one.word} is not proved: these are rules over facts.", remedy
        )
        for one in claims
    ]


def _loops(program: FactProgram) -> Iterator[Finding]:
    for rule in program.rules:
        if rule.no_loop:
            continue
        read = reads_of(rule)
        for action in rule.actions:
            if isinstance(action, SetField | AppendTo) and _feeds_itself(rule, action, read):
                kind = rule.types.get(action.variable, "")
                name = f"{kind}.{action.path}" if kind else action.path
                message = f"It sets {name} from itself and its condition reads it, so it fires again for each value."
                remedy = "Make it no-loop, or see that the condition ends it."
                yield Finding("warning", "loop", rule.name, action.place, message, remedy)
                break


def _feeds_itself(rule: FactRule, action: SetField | AppendTo, read: set[tuple[str, str]]) -> bool:
    target = (rule.types.get(action.variable, ""), action.path)
    again = isinstance(action, AppendTo) or target in {place_of_read(x, rule.types) for x in fields_read(action.value)}
    return again and target in read
