"""Boundary vectors: facts that put each condition exactly on its threshold, just below and just above.

A condition without a threshold (a flag, a text) gets facts that make it true and false. The rest of the rule's condition
holds where it can, so that the boundary decides; every vector is looked at on the reference engine before it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from restock.core.errors import RestockError
from restock.engine.rules.absence import only_given
from restock.engine.rules.case_run import turns
from restock.engine.rules.ir import Compare, Expr, RuleIR, Value, conjuncts, kind_of
from restock.engine.rules.proof.encoding import Encoded, encode
from restock.engine.rules.proof.invariants import require_one_pass
from restock.engine.rules.proof.solver import Query, Term, z3
from restock.engine.rules.reference import Undefined, evaluate
from restock.engine.rules.replay import claimed_inputs
from restock.engine.rules.rulebook import Rulebook

SECONDS: Final = 2
"""Longest time for one vector: there are hundreds, and none is a proof."""


@dataclass(frozen=True)
class Vector:
    """Facts for one side of one condition. `reached` is no where no input gets there, and unknown where nobody can say."""

    rule: str
    test: str
    side: str
    reached: str
    facts: dict[str, Value]


def boundaries(book: Rulebook) -> list[Vector]:
    """Give the vectors of every condition, in firing order. Raises InvalidInput when one pass does not decide."""
    require_one_pass(book)
    return list(_Maker(book).vectors())


class _Maker:
    """Asks for vectors on the decimal grid."""

    def __init__(self, book: Rulebook) -> None:
        self._book = book
        self._encoded: Encoded = encode(book.program, grid=True)
        claimed = claimed_inputs(book.program)
        self._names = {one.name for one in claimed} | {one.presence_of for one in claimed}
        self._wanted = [self._of_rule(at, rule) for at, rule in enumerate(book.program.rules)]
        self._query: Query = Query(self._encoded.facts(), SECONDS)
        self._ordinary = self._encoded.ordinary()

    def vectors(self) -> Iterator[Vector]:
        for rule, wanted in zip(self._book.program.rules, self._wanted, strict=True):
            for at, (side, terms, others) in wanted:
                yield self._vector(rule, at, side, terms, others)

    def _of_rule(self, at: int, rule: RuleIR) -> list[tuple[int, tuple[str, list[Term], list[Term]]]]:
        """Give each side of each part of a condition: what it wants, from strict to loose, and the other parts."""
        terms = self._encoded.terms
        terms.state = self._encoded.before[at]
        tests = conjuncts(rule.condition)
        before = len(terms.defined)
        holds = [terms.plain(test) for test in tests]
        found = []
        for position, test in enumerate(tests):
            others = [*holds[:position], *holds[position + 1 :]]
            found += [(position, (side, wanted, others)) for side, wanted in self._sides(test, holds[position])]
        del terms.defined[before:]
        return found

    def _sides(self, test: Expr, holds: Term) -> list[tuple[str, list[Term]]]:
        if not isinstance(test, Compare) or kind_of(test.left) != "number":
            return [("true", [holds]), ("false", [z3.Not(holds)])]
        terms = self._encoded.terms
        (left, right), _ = terms.numbers.same(terms.number(test.left), terms.number(test.right))
        return [
            ("below", [left == right - 1, left < right]),
            ("at", [left == right]),
            ("above", [left == right + 1, left > right]),
        ]

    def _vector(self, rule: RuleIR, at: int, side: str, wanted: list[Term], others: list[Term]) -> Vector:
        """Ask for the strictest that can be: next to the threshold, the rule otherwise true, ordinary numbers."""
        reached = "no"
        for rest in (others, others[:at]):
            for term in wanted:
                verdict, model = self._query.ask(term, *rest)
                if verdict == "unknown":
                    reached = "unknown"
                elif verdict == "sat":
                    for found in self._query.examples(model, term, *rest, *self._ordinary):
                        facts = self._encoded.example(found)
                        if facts is not None and self._shows(rule, at, side, facts):
                            known = only_given(facts)
                            kept = {name: value for name, value in known.items() if name in self._names}
                            return Vector(rule.name, rule.tests[at], side, "yes", kept)
                    reached = "unknown"
        return Vector(rule.name, rule.tests[at], side, reached, {})

    def _shows(self, rule: RuleIR, at: int, side: str, facts: dict[str, Value]) -> bool:
        try:
            explanation = self._book.explain(facts)
        except RestockError:
            return False
        test = conjuncts(rule.condition)[at]
        for other, values in turns(self._book.program, explanation.facts, explanation.fired):
            if other.name == rule.name:
                try:
                    return _side(test, values) == side
                except Undefined:
                    return False
        return False


def _side(test: Expr, values: Mapping[str, Value]) -> str:
    if not isinstance(test, Compare) or kind_of(test.left) != "number":
        return "true" if evaluate(test, values) else "false"
    for side, operator in (("below", "<"), ("at", "==")):
        if evaluate(Compare(operator, test.left, test.right), values):
            return side
    return "above"
