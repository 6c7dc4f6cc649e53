"""Claims asked of one real run: what a case and every counterexample of the solver must pass through.

The quickest engine and the reference both decide, and must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from restock.engine.rules.decision import Decision
from restock.engine.rules.facts import Facts, read_value
from restock.engine.rules.ir import Claim, Field, Program, Value, fields_read
from restock.engine.rules.reference import Undefined, evaluate
from restock.engine.rules.rulebook import Rulebook


class Replay(NamedTuple):
    """A decision with every field's value: the inputs that rules or claims read, and the outputs."""

    decision: Decision
    values: dict[str, Value]

    def breaks(self, claim: Claim) -> str:
        """Say why a claim does not hold; empty when it does."""
        try:
            if evaluate(claim.condition, self.values):
                return ""
        except Undefined as undefined:
            return f"it cannot be evaluated: {undefined}"
        return "it is false"


def replay(book: Rulebook, facts: Facts) -> Replay:
    """Decide by every engine that runs the rulebook. Raises what `decide` raises, and AssertionError if they differ."""
    decision = book.decide(facts)
    assert decision == book.decide(facts, engine="reference"), "the engines agree"
    values = dict(decision.facts)
    for one in claimed_inputs(book.program):
        if one.presence_of:
            values[one.name] = facts.get(one.name) is not False and facts.get(one.presence_of) is not None
        elif one.name not in values:
            given = facts.get(one.name, one.default)
            values[one.name] = read_value(one, given if given is not None else zero(one))
    return Replay(decision, values | decision.outputs)


def claimed_inputs(program: Program) -> tuple[Field, ...]:
    """Give the inputs that rules, assumptions or invariants read, in order of declaration."""
    nodes = [claim.condition for claim in (*program.assumptions, *program.invariants)]
    for rule in program.rules:
        nodes += [rule.condition, *(write.value for write in rule.writes)]
    read = set(fields_read(*nodes))
    return tuple(one for one in program.inputs if one.name in read)


def zero(one: Field) -> Value:
    """Give a plain value that a field allows, the one nearest to nothing."""
    if one.kind == "bool":
        return False
    if one.kind == "text":
        return one.values[0] if one.values else ""
    low, high = one.low or Decimal(0), one.high or Decimal(0)
    return min(max(Decimal(0), low), max(high, low))


def allowed(book: Rulebook, values: Mapping[str, Value]) -> bool:
    """Tell whether facts are within the assumptions of a rulebook."""
    try:
        return all(evaluate(claim.condition, values) for claim in book.program.assumptions)
    except Undefined:
        return False
