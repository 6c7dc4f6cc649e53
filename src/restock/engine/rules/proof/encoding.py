"""A program that one pass decides, as terms: each field after each rule is a choice between what stood and what is written.

The solver then knows every run at once. It is the same straight line that the row engine runs; `agreement` of the two is
tested, and every counterexample is replayed, so a slip here shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from restock.core.quantity import plain
from restock.engine.rules.ir import Claim, Const, Expr, Program, RuleIR, Value, walk
from restock.engine.rules.proof.expressions import Held, State, Terms
from restock.engine.rules.proof.numbers import Number, Numbers
from restock.engine.rules.proof.solver import Model, Query, Term, z3
from restock.engine.rules.proof.texts import Codes

ORDINARY: Final = 100_000
"""The largest of the whole numbers that an example is first looked for with."""


@dataclass
class Encoded:
    """A program in terms. `fires[i]` says that rule i fires, `before[i]` is the state when its turn comes."""

    program: Program
    terms: Terms
    inputs: State
    final: State = field(default_factory=dict)
    fires: list[Term] = field(default_factory=list)
    before: list[State] = field(default_factory=list)
    assumed: list[Term] = field(default_factory=list)

    def facts(self) -> list[Term]:
        """Give what holds in every run without error: ranges, assumptions, roundings, no error."""
        return [*self.assumed, *self.terms.numbers.axioms, *self.terms.defined]

    def query(self) -> Query:
        """Ask about all runs."""
        return Query(self.facts())

    def ordinary(self) -> list[Term]:
        """Ask for defaults and whole numbers of an ordinary size, which people read more easily than what a solver likes."""
        wanted: list[Term] = []
        for one in self.program.inputs:
            held = self.inputs[one.name]
            if one.default is not None:
                wanted.append(self.terms.same(held, self.terms.held(one, Const(one.kind, one.default))))
            elif isinstance(held, Number):
                whole = z3.FreshInt("whole")
                (left, right), _ = self.terms.numbers.same(held, self.terms.numbers.whole(whole))
                wanted += [left == right, whole >= 0, whole <= ORDINARY]
        return wanted

    def value(self, held: Held, kind: str, model: Model) -> Value | None:
        """Read a value from a model."""
        if isinstance(held, Number):
            return self.terms.numbers.value(held, model)
        found = model.eval(held, model_completion=True)
        return bool(z3.is_true(found)) if kind == "bool" else self.terms.codes.text(found.as_long())

    def example(self, model: Model) -> dict[str, Value] | None:
        """Read the inputs of a model as facts; None where a number is not on the decimal grid."""
        facts: dict[str, Value] = {}
        for one in self.program.inputs:
            value = self.value(self.inputs[one.name], one.kind, model)
            if value is None:
                return None
            facts[one.name] = plain(value) if isinstance(value, Decimal) else value
        return facts


def encode(program: Program, *, grid: bool, beside: Encoded | None = None) -> Encoded:
    """Encode a program, as scaled integers or as reals.

    `beside` another one it takes the same inputs, texts and roundings, so that the two can be compared.
    """
    numbers = Numbers(grid=grid) if beside is None else beside.terms.numbers
    codes = Codes() if beside is None else beside.terms.codes
    terms = Terms(numbers, codes, program.fields())
    for text in _texts(program):
        codes.code(text)
    state: State = {}
    for one in program.inputs:
        known = None if beside is None else beside.inputs.get(one.name)
        state[one.name] = terms.variable(one, one.name) if known is None else known
    encoded = Encoded(program, terms, dict(state))
    for one in program.inputs:
        encoded.assumed += terms.limits(one, state[one.name])
    terms.state = state
    for output in program.outputs:
        assert output.default is not None, "every output has a default"
        state[output.name] = terms.held(output, Const(output.kind, output.default))
    for rule in program.rules:
        _rule(encoded, rule, state)
    encoded.final = state
    encoded.assumed += [claimed(encoded, claim) for claim in program.assumptions]
    return encoded


def claimed(encoded: Encoded, claim: Claim) -> Term:
    """Say that a claim can be evaluated after the run and holds."""
    before = len(encoded.terms.defined)
    encoded.terms.state = encoded.final
    condition = encoded.terms.plain(claim.condition)
    possible = encoded.terms.defined[before:]
    del encoded.terms.defined[before:]
    return z3.And(*possible, condition) if possible else condition


def _rule(encoded: Encoded, rule: RuleIR, state: State) -> None:
    terms = encoded.terms
    encoded.before.append(dict(state))
    fires = terms.plain(rule.condition)
    encoded.fires.append(fires)
    with terms.given(fires):
        for write in rule.writes:
            one = terms.fields[write.target]
            value = terms.held(one, write.value)
            if one.checked or (one.values and not isinstance(write.value, Const)):
                for limit in terms.limits(one, value):
                    terms.require(limit)
            state[write.target] = chosen(fires, value, state[write.target])


def chosen(test: Term, then: Held, other: Held) -> Held:
    """Give one value or another."""
    if isinstance(then, Number):
        return Number(z3.If(test, then.term, other.term), then.decimals)
    return z3.If(test, then, other)


def _texts(program: Program) -> Iterable[str]:
    """Give the texts that a program mentions, so that each has a code before any function of texts is tabulated."""
    from_fields = [text for one in program.fields().values() for text in one.values]
    defaults = [one.default for one in program.outputs if isinstance(one.default, str)]
    nodes: list[Expr] = [claim.condition for claim in (*program.assumptions, *program.invariants)]
    for rule in program.rules:
        nodes += [rule.condition, *(write.value for write in rule.writes)]
    constants = [part.value for node in nodes for part in walk(node) if isinstance(part, Const)]
    return [*from_fields, *defaults, *(value for value in constants if isinstance(value, str))]
