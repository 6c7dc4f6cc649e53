"""What only the solver finds in a right rulebook: rules and tests that no input decides, assignments that nobody sees.

Each question is about all runs at once, so a finding is a proof; where the solver gives no answer nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from restock.engine.rules.disjoint import exclusive
from restock.engine.rules.finding import Finding, about
from restock.engine.rules.ir import Const, Program, RuleIR, Write, conjuncts, fields_read
from restock.engine.rules.proof.encoding import Encoded, encode
from restock.engine.rules.proof.invariants import require_one_pass
from restock.engine.rules.proof.solver import Query, Term, z3
from restock.engine.rules.rulebook import Rulebook

SECONDS: Final = 1
"""Longest time for one question: there are thousands, and none decides a gate."""

MAX_EARLIER: Final = 100
"""Most earlier rules that one is compared with."""

MAX_TESTED: Final = 300
"""Most rules that are looked at this way; the core looks at all."""


def deep_lint(book: Rulebook) -> list[Finding]:
    """Give what the solver proves, in the order of the text. Raises InvalidInput when one pass does not decide."""
    require_one_pass(book)
    return sorted(_Linter(book.program).findings(), key=lambda one: one.place)


class _Linter:
    """Asks about one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._encoded: Encoded = encode(program, grid=False)
        self._tests = [self._of(at, rule) for at, rule in enumerate(program.rules)]
        self._query = Query([*self._encoded.facts(), *self._encoded.terms.numbers.lemmas], SECONDS)

    def _of(self, at: int, rule: RuleIR) -> list[Term]:
        """Translate the parts of a condition as they stand at the rule's turn."""
        terms = self._encoded.terms
        terms.state = self._encoded.before[at]
        before = len(terms.defined)
        found = [terms.plain(test) for test in conjuncts(rule.condition)]
        del terms.defined[before:]
        return found

    def findings(self) -> Iterator[Finding]:
        for at, rule in enumerate(self._program.rules[:MAX_TESTED]):
            if self._never(self._encoded.fires[at]):
                message = "never fires: no input makes its condition true."
                yield about(rule, rule.place, "dead rule", message, "Correct the condition, or take the rule out.")
                continue
            yield from self._always(at, rule)
            for write in rule.writes:
                yield from self._unseen(at, rule, write)
            yield from self._overlapping(at, rule)

    def _overlapping(self, at: int, rule: RuleIR) -> Iterator[Finding]:
        """Look for earlier rules that can set the same field in the same decision."""
        for earlier in range(max(0, at - MAX_EARLIER), at):
            other = self._program.rules[earlier]
            shared = [name for name in rule.targets if name in other.targets]
            if not shared or exclusive(rule.condition, other.condition):
                continue
            if self._query.ask(self._encoded.fires[earlier], self._encoded.fires[at])[0] == "sat":
                where = f"{other.name} (line {other.place.line})"
                message = f"it and {where} can both set {', '.join(shared)} in one decision; this one wins."
                yield about(
                    rule, rule.place, "overlap", message, "Make the conditions exclude one another, or mean it.", "note"
                )

    def _always(self, at: int, rule: RuleIR) -> Iterator[Finding]:
        tests = self._tests[at]
        for position, (part, text) in enumerate(zip(conjuncts(rule.condition), rule.tests, strict=True)):
            others = [*tests[:position], *tests[position + 1 :]]
            if not isinstance(part, Const) and self._never(z3.And(*others, z3.Not(tests[position]))):
                message = f"{text} is always true where the rest of the condition is."
                yield about(rule, part.place, "always true", message, "Leave it out, or correct it.", "note")

    def _unseen(self, at: int, rule: RuleIR, write: Write) -> Iterator[Finding]:
        """Look for an assignment that is made again before anybody reads it, or that changes nothing."""
        fires, target = self._encoded.fires[at], write.target
        rest = rule.writes[rule.writes.index(write) + 1 :]
        touched = {*fields_read(*(other.value for other in rest)), *(other.target for other in rest)}
        if target not in touched and self._never(z3.And(fires, self._seen(at, target))):
            message = f"what it sets {target} to never counts: it is always set again before it is read."
            yield about(rule, write.place, "dead write", message, "Leave it out, or correct a condition.", "note")
            return
        if isinstance(write.value, Const) and rule.targets.count(target) == 1:
            before = self._encoded.before[at][target]
            written = self._encoded.terms.held(self._program.field(target), write.value)
            if self._never(z3.And(fires, z3.Not(self._encoded.terms.same(before, written)))):
                message = f"{target} is always this already."
                yield about(rule, write.place, "dead write", message, "Leave the assignment out.", "note")

    def _seen(self, at: int, target: str) -> Term:
        """Say when the value of a field after a rule is read by a later rule, or stands at the end."""
        kept: list[Term] = []
        seen: list[Term] = []
        for later in range(at + 1, len(self._program.rules)):
            rule, fires = self._program.rules[later], self._encoded.fires[later]
            if target in rule.condition_reads:
                seen.append(z3.And(*kept))
            elif target in fields_read(*(write.value for write in rule.writes)):
                seen.append(z3.And(*kept, fires))
            if target in rule.targets:
                kept.append(z3.Not(fires))
        return z3.Or(*seen, z3.And(*kept))

    def _never(self, wanted: Term) -> bool:
        return self._query.ask(wanted)[0] == "unsat"
