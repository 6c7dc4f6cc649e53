"""Two rulebooks compared for all inputs at once: proved the same, or an example on which both decide otherwise.

They are compared where both accept the inputs, on the outputs that both have. An error of one and a decision of the other
is a difference too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from restock.core.errors import InvalidInput
from restock.engine.rules.absence import only_given
from restock.engine.rules.errors import RuleError
from restock.engine.rules.ir import Field, Program, Value
from restock.engine.rules.proof.encoding import Encoded, encode
from restock.engine.rules.proof.invariants import require_one_pass
from restock.engine.rules.proof.plainer import plainest
from restock.engine.rules.proof.solver import ATTEMPTS, TIMEOUT_SECONDS, Query, Term, z3
from restock.engine.rules.replay import claimed_inputs
from restock.engine.rules.rulebook import Rulebook

Facts = dict[str, Value]


@dataclass(frozen=True)
class Difference:
    """Whether two rulebooks decide the same; if not, facts with what each makes of them (or its error).

    `rules` are the names of the rules that were added, taken out or changed; `notes` say what was not compared.
    """

    outcome: Literal["same", "differs", "unknown", "disagreement"]
    facts: Facts = field(default_factory=dict)
    first: Facts = field(default_factory=dict)
    second: Facts = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare(first: Rulebook, second: Rulebook, seconds: int = TIMEOUT_SECONDS) -> Difference:
    """Compare two rulebooks. Raises InvalidInput when one pass does not decide one of them."""
    for book in (first, second):
        require_one_pass(book)
    notes = tuple(_notes(first, second))
    rules = tuple(_changed(first.program, second.program))
    pair = _Pair(first, second, seconds)
    for position in range(pair.questions):
        outcome, example = pair.asked(position)
        if example is not None:
            return _shown(first, second, example, rules, notes)
        if outcome != "same":
            return Difference(outcome, rules=rules, notes=notes)
    return Difference("same", rules=rules, notes=notes)


class _Pair:
    """Two rulebooks, asked error by error and output by output: what is proved the same helps with what follows from it."""

    def __init__(self, first: Rulebook, second: Rulebook, seconds: int) -> None:
        self._books = first, second
        self._seconds = seconds
        self._encoded = {grid: _encoded(first, second, grid) for grid in (False, True)}
        self._queries = {
            grid: Query([*one.assumed, *other.assumed, *one.terms.numbers.axioms, *one.terms.numbers.lemmas])
            for grid, (one, other) in self._encoded.items()
        }
        self._differ = {grid: _questions(*encoded) for grid, encoded in self._encoded.items()}
        self.questions = len(self._differ[False])

    def asked(self, position: int) -> tuple[Literal["same", "unknown", "disagreement"], Facts | None]:
        """Ask one question; give an example on which the rulebooks differ, or that none is known."""
        for grid, seconds in ATTEMPTS:
            one, other = self._encoded[grid]
            query, question = self._queries[grid], self._differ[grid][position]
            verdict, model = query.ask(question, milliseconds=min(seconds, self._seconds) * 1000)
            if verdict == "unsat":
                for also in (False, True):
                    self._queries[also].add(z3.Not(self._differ[also][position]))
                return "same", None
            if verdict == "sat":
                for found in query.examples(model, question, *one.ordinary()):
                    example = _example(one, other, found)
                    if example is not None and _different(*self._books, example):
                        return "same", example
                if grid:
                    return ("unknown" if one.terms.open or other.terms.open else "disagreement"), None
        return "unknown", None


def _encoded(first: Rulebook, second: Rulebook, grid: bool) -> tuple[Encoded, Encoded]:
    one = encode(_common(first.program, second.program), grid=grid)
    other = encode(second.program, grid=grid, beside=one)
    for this, that in ((one, other), (other, one)):
        this.assumed += [this.inputs[name] for name in _absent_here_only(this.program, that.program).values()]
    return one, other


def _absent_here_only(program: Program, other: Program) -> dict[str, str]:
    """Give the inputs of both that may be absent in the first only, each with the bool that says it is there."""
    known = {one.name for one in other.inputs}
    bools = {one.presence_of: one.name for one in program.inputs if one.presence_of}
    return {name: bool_name for name, bool_name in bools.items() if name in known and bool_name not in known}


def _questions(one: Encoded, other: Encoded) -> list[Term]:
    """Give what would be a difference: an error of one only, then each output."""
    both = [z3.And(*encoded.terms.defined) for encoded in (one, other)]
    questions = [both[0] != both[1]]
    for output in _in_order(one.program, other.program):
        same = one.terms.same(one.final[output.name], other.final[output.name])
        questions.append(z3.And(*both, z3.Not(same)))
    return questions


def _in_order(first: Program, second: Program) -> list[Field]:
    """Give the common outputs in the order in which rules set them."""
    written = [target for rule in first.rules for target in rule.targets]
    known = {name: position for position, name in reversed(list(enumerate(written)))}
    return sorted(_outputs(first, second), key=lambda output: known.get(output.name, len(written)))


def _outputs(first: Program, second: Program) -> list[Field]:
    kinds = {output.name: output.kind for output in second.outputs}
    return [output for output in first.outputs if kinds.get(output.name) == output.kind]


def _common(first: Program, second: Program) -> Program:
    """Give the first program on the inputs that both accept."""
    others = {one.name: one for one in second.inputs}
    return replace(first, inputs=tuple(_narrower(one, others.get(one.name)) for one in first.inputs))


def _narrower(one: Field, other: Field | None) -> Field:
    if other is None:
        return one
    if one.kind != other.kind:
        raise InvalidInput(f"The input '{one.name}' is a {one.kind} in one and a {other.kind} in the other.")
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return one
    low, high = max(one.low, other.low), min(one.high, other.high)
    return replace(one, decimals=min(one.decimals, other.decimals), low=low, high=high)


def _example(one: Encoded, other: Encoded, model: Term) -> Facts | None:
    found, more = one.example(model), other.example(model)
    return None if found is None or more is None else more | found


def _decided(book: Rulebook, facts: Facts) -> Facts | None:
    """Decide; give the error instead of outputs, and None for facts that the rulebook does not accept."""
    try:
        return book.decide(facts).outputs
    except RuleError as error:
        return {"error": error.message}
    except InvalidInput:
        return None


def _different(first: Rulebook, second: Rulebook, facts: Facts) -> bool:
    one, other = _decided(first, facts), _decided(second, facts)
    if one is None or other is None:
        return False
    if "error" in one or "error" in other:
        return ("error" in one) != ("error" in other)
    return any(one[output.name] != other[output.name] for output in _outputs(first.program, second.program))


def _shown(
    first: Rulebook, second: Rulebook, facts: Facts, rules: tuple[str, ...], notes: tuple[str, ...]
) -> Difference:
    fields = {one.name: one for book in (second, first) for one in claimed_inputs(book.program)}
    found = plainest(tuple(fields.values()), facts, lambda tried: _different(first, second, tried))
    one, other = _decided(first, found), _decided(second, found)
    assert one is not None and other is not None, "the example was decided before"
    return Difference("differs", only_given(found), one, other, rules, notes)


def _changed(first: Program, second: Program) -> Iterator[str]:
    one, other = ({rule.name: rule for rule in program.rules} for program in (first, second))
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield name


def _notes(first: Rulebook, second: Rulebook) -> Iterator[str]:
    for one, other in ((first, second), (second, first)):
        for role, fields in (("input", one.inputs), ("output", one.outputs)):
            known = {field.name for field in (other.inputs if role == "input" else other.outputs)}
            missing = [field.name for field in fields if field.name not in known and not field.presence_of]
            if missing:
                yield f"only {one.name} has the {role}{'s' * (len(missing) > 1)} {', '.join(missing)}"
        for name in _absent_here_only(one.program, other.program):
            yield f"'{name}' may be absent in {one.name} only; compared where it is given"
    others = {field.name: field for field in second.inputs}
    for field_ in first.inputs:
        twin = others.get(field_.name)
        if twin is not None and (field_.low, field_.high, field_.decimals) != (twin.low, twin.high, twin.decimals):
            yield f"'{field_.name}' has another range or other decimals; compared where both accept it"
        absent = field_.absent or (twin is not None and twin.absent)
        if twin is not None and not absent and (field_.default, field_.derived) != (twin.default, twin.derived):
            yield f"'{field_.name}' has another default; compared with the value given"
