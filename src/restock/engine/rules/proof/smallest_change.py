"""The smallest change of inputs that gives another output: one input alone where that is enough, else two, else all.

Distances are shrunk question by question on the decimal grid until nothing nearer exists; each answer is decided again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import Final

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules.absence import only_given
from restock.engine.rules.errors import meant
from restock.engine.rules.ir import Const, Field, Value
from restock.engine.rules.proof.encoding import Encoded, encode
from restock.engine.rules.proof.invariants import require_one_pass
from restock.engine.rules.proof.numbers import Number
from restock.engine.rules.proof.solver import Model, Query, Term, z3
from restock.engine.rules.rulebook import Rulebook

SECONDS: Final = 2
"""Longest time for one question: a person waits for the answer."""

MAX_TOGETHER: Final = 2
"""Most inputs that are tried together before all of them are."""

MAX_STEPS: Final = 80
"""Most questions for one change: halving the widest range of an int64 takes 63."""


@dataclass(frozen=True)
class Change:
    """Inputs with their values before and after (None: absent), and what is then decided."""

    inputs: dict[str, tuple[Value | None, Value | None]]
    outputs: dict[str, Value]

    @property
    def size(self) -> Decimal:
        """How large the change is: the sum of the changes, each in parts of the value before; for sorting only."""
        return sum((_share(before, after) for before, after in self.inputs.values()), Decimal(0))


def smallest_changes(
    book: Rulebook, facts: Mapping[str, object], output: str, wanted: Value | None = None
) -> list[Change]:
    """Give, smallest first, a change for each input (or pair) that can make an output as wanted, or other than it is.

    Raises what `decide` raises, and InvalidInput for an unknown output or when one pass does not decide the rules.
    """
    require_one_pass(book)
    decision = book.decide(facts)
    if output not in decision.outputs:
        raise InvalidInput(
            f"{book.name} has no output '{output}'.", field="output", remedy=meant(output, decision.outputs)
        )
    if decision.outputs[output] == wanted:
        return []
    return sorted(_Search(book, book.facts(facts), output, wanted).changes(), key=lambda change: change.size)


def _share(before: Value | None, after: Value | None) -> Decimal:
    if isinstance(before, Decimal) and isinstance(after, Decimal):
        return abs(after - before) / max(abs(before), Decimal(1))
    return Decimal(1)


class _Search:
    """One search; the encoding is made once."""

    def __init__(self, book: Rulebook, facts: dict[str, Value], output: str, wanted: Value | None) -> None:
        self._book = book
        self._facts = facts
        self._output = output
        self._now = book.decide(facts).outputs[output]
        self._wanted = wanted
        self._encoded: Encoded = encode(book.program, grid=True)
        self._fields = [one for one in book.program.inputs if one.name in facts]
        self._goal = self._goal_term()
        self._query = Query([*self._encoded.facts(), self._goal], SECONDS)

    def _goal_term(self) -> Term:
        field = self._book.program.field(self._output)
        value = self._now if self._wanted is None else self._wanted
        same = self._encoded.terms.same(self._encoded.final[field.name], self._constant(field, value))
        return z3.Not(same) if self._wanted is None else same

    def _constant(self, field: Field, value: Value) -> Number | Term:
        return self._encoded.terms.held(field, Const(field.kind, value))

    def changes(self) -> Iterator[Change]:
        for count in range(1, MAX_TOGETHER + 1):
            found = [change for group in combinations(self._fields, count) if (change := self._moved(group))]
            if found:
                yield from found
                return
        everything = self._moved(self._fields)
        if everything:
            yield everything

    def _moved(self, moving: Sequence[Field]) -> Change | None:
        """Find the nearest values of some inputs, all others as they are."""
        names = {one.name for one in moving}
        fixed = [self._same(one) for one in self._fields if one.name not in names]
        distance = z3.Sum(*(self._distance(one) for one in moving)) if moving else z3.IntVal(0)
        verdict, model = self._query.ask(*fixed)
        if verdict != "sat":
            return None
        best, least = model, 0
        for _ in range(MAX_STEPS):
            most = _whole(best, distance)
            if most - least <= 1:
                break
            middle = (least + most) // 2
            verdict, model = self._query.ask(*fixed, distance <= middle)
            best, least = (model, least) if verdict == "sat" else (best, middle)
        return self._change(best)

    def _same(self, one: Field) -> Term:
        return self._encoded.terms.same(self._encoded.inputs[one.name], self._constant(one, self._facts[one.name]))

    def _distance(self, one: Field) -> Term:
        held = self._encoded.inputs[one.name]
        if not isinstance(held, Number):
            return z3.If(self._same(one), 0, 1)
        before = self._constant(one, self._facts[one.name])
        assert isinstance(before, Number), "numbers stay numbers"
        away = held.term - before.term
        return z3.If(away >= 0, away, -away)

    def _change(self, model: Model) -> Change | None:
        """Decide with the new values; nothing when the program does not confirm them."""
        after = self._encoded.example(model)
        if after is None:
            return None
        moved = only_given(self._facts | {name: after[name] for name in self._facts})
        known = only_given(self._facts)
        names = [name for name in self._facts if known.get(name) != moved.get(name)]
        changed = {name: (known.get(name), moved.get(name)) for name in names}
        try:
            outputs = self._book.decide(moved).outputs
        except RestockError:
            return None
        right = outputs[self._output] != self._now if self._wanted is None else outputs[self._output] == self._wanted
        return Change(changed, outputs) if right else None


def _whole(model: Model, term: Term) -> int:
    return int(model.eval(term, model_completion=True).as_long())
