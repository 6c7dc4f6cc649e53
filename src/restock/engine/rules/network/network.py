"""Facts that change, rules that follow: the state after any sequence of changes is that of an evaluation from scratch.

Where `strata` proves it, only what a change touches is looked at again. Other rulebooks run too, from scratch at each
`fire_all`; `reason` says why. Where a rule has no value (division by zero), the agenda decides, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from restock.core.errors import InvalidInput, NotFound
from restock.engine.rules.agenda import Agenda
from restock.engine.rules.errors import RuleError
from restock.engine.rules.fact_memory import (
    MAX_FACTS,
    Memory,
    facts_in,
    plain_fact,
    read_fact,
    read_field,
    start_of,
    type_of,
)
from restock.engine.rules.fact_rulebook import FactDecision, FactRulebook
from restock.engine.rules.ir import Value
from restock.engine.rules.ir_patterns import FactProgram, FactType
from restock.engine.rules.limits import MAX_FIRINGS
from restock.engine.rules.network.build import FLAT
from restock.engine.rules.network.engine import FAILURES, Engine
from restock.engine.rules.network.nodes import Fact, TooMuch
from restock.engine.rules.network.strata import reason_against_increments
from restock.engine.rules.reference import plain_values

State = tuple[dict[str, Value], dict[int, dict[str, Any]]]
"""The flat outputs, and the values of each fact by its handle."""


class Network:
    """A rulebook over facts with a memory that changes. One writer at a time.

    `flat` are the flat inputs, `at` is the moment for rules with dates. `insert`, `update` and `retract` change facts by
    handle, `fire_all` brings what rules derive up to date. Raises InvalidInput that names the field.
    """

    def __init__(
        self, book: FactRulebook, flat: Mapping[str, object] | None = None, *, at: datetime | None = None
    ) -> None:
        self.book = book
        self._given: dict[str, object] = dict(flat or {})
        self._at = book.moment(self._given, at)
        self._program = _in_time(book.program, self._at)
        self._types = {one.name: one for one in book.program.types}
        self._fields = {one.name: {field.name: field for field in one.fields} for one in book.program.types}
        self._facts: dict[int, Fact] = {}
        self._next = 1
        self.reason = reason_against_increments(self._program)
        """Why each `fire_all` starts from scratch; empty when it does not."""
        starts = {one.name: start_of(one) for one in self._program.outputs}
        self._flat = Fact(FLAT, 0, {**starts, **book.flat(self._given)}, None)
        self._engine: Engine | None = None
        self._removed: set[int] = set()
        self._changed = True
        self._build()

    def _build(self) -> None:
        """Build the nodes and let every fact in."""
        if self.reason:
            return
        self._engine = Engine(self._program)
        self._guarded(lambda engine: [engine.insert(fact) for fact in (self._flat, *self._facts.values())])

    def _guarded(self, change: Any) -> Any:
        """Let a change through the nodes; where a rule has no value, leave increments alone from now on."""
        self._changed = True
        if self._engine is None:
            return None
        try:
            return change(self._engine)
        except FAILURES as failure:
            self._leave(failure)
            return None
        except TooMuch as found:
            raise self._too_much(found) from None

    def _too_much(self, found: TooMuch) -> RuleError:
        """Leave increments alone, whose nodes are half changed; the agenda has a bound of its own."""
        self._leave(found)
        return self.book.source.error(found.place, f"The rules {found} here; join patterns by equal fields.")

    def _leave(self, failure: Exception) -> None:
        """Leave increments alone from now on: the agenda says which rule has no value."""
        self._engine = None
        what = "facts met in too many ways" if isinstance(failure, TooMuch) else "a rule had no value"
        self.reason = f"{what} ({type(failure).__name__})"
        for fact in (self._flat, *self._facts.values()):
            fact.writes.clear()
            fact.update(fact.base)

    def insert(self, kind: str, given: Mapping[str, object]) -> int:
        """Add a fact, and give its handle."""
        values = read_fact(type_of(self._types, kind), given)
        handle = self._next
        self._next += 1
        fact = Fact(kind, handle, values, given)
        self._facts[handle] = fact
        self._guarded(lambda engine: engine.insert(fact))
        return handle

    def update(self, handle: int, changes: Mapping[str, object]) -> None:
        """Give a fact new values; fields that are not named stay."""
        fact = self._fact(handle)
        fields = self._fields[fact.kind]
        kind = self._types[fact.kind]
        values = {path: read_field(kind, fields[path], changes) for path in changes if path in fields}
        fact.given = {**fact.given, **changes}
        for path, value in values.items():
            self._set(fact, path, value)

    def _set(self, fact: Fact, path: str, value: Any) -> None:
        """Give a fact a value from outside."""
        self._changed = True
        if self._engine is not None:
            try:
                self._engine.update(fact, path, value)
            except FAILURES as failure:
                self._leave(failure)
            except TooMuch as found:
                fact.base[path] = fact[path] = value
                raise self._too_much(found) from None
        if self._engine is None:
            fact.base[path] = fact[path] = value

    def retract(self, handle: int) -> None:
        """Take a fact away, and everything that rests on it at the next `fire_all`."""
        fact = self._fact(handle)
        del self._facts[handle]
        fact.handle = -1
        self._guarded(lambda engine: engine.remove(fact))

    def set_flat(self, changes: Mapping[str, object]) -> None:
        """Give new flat inputs; those that are not named stay."""
        self._given |= changes
        for path, value in self.book.flat(self._given).items():
            self._set(self._flat, path, value)

    def fire_all(self, most: int = MAX_FIRINGS) -> tuple[str, ...]:
        """Bring derived values up to date, and name what fired, in order.

        Raises RuleError where a rule has no value or, from scratch, the rules do not settle. With increments at most
        `most` rules fire; call again while `waiting`.
        """
        if self._engine is not None:
            try:
                fired = self._engine.fire(most)
                self._changed = self._engine.waiting
                return tuple([name for name, _ in fired])
            except FAILURES as failure:
                self._leave(failure)
            except TooMuch as found:
                raise self._too_much(found) from None
        return self._from_scratch() if self._changed else ()

    @property
    def waiting(self) -> bool:
        """Whether `fire_all` has something to do."""
        return self._changed if self._engine is None else self._engine.waiting

    def _from_scratch(self) -> tuple[str, ...]:
        memory, fired = self.scratch()
        self._flat.update(memory.flat)
        self._removed = set(self._facts)
        for _, handle, values in memory.all():
            self._facts[handle].update(values)
            self._removed.discard(handle)
        self._changed = False
        return fired

    def scratch(self) -> tuple[Memory, tuple[str, ...]]:
        """Evaluate the present facts from scratch on the agenda, and change nothing. Raises RuleError."""
        memory = Memory(self._program)
        memory.flat |= self._flat.base
        for handle, fact in self._facts.items():
            memory.facts[fact.kind][handle] = dict(fact.base)
            memory.given[handle] = fact.given
        return memory, Agenda(self.book.source, self._program, memory, self._at).run()

    def state(self) -> State:
        """Give the flat outputs and the values of each fact that rules have not retracted, as of the last `fire_all`."""
        flat = plain_values({one.name: self._flat[one.name] for one in self._program.outputs})
        return flat, {handle: _shown(fact) for handle, fact in self._facts.items() if handle not in self._removed}

    def types(self) -> tuple[FactType, ...]:
        """Give the types of facts that rules look at."""
        return tuple(self._types.values())

    def fact(self, handle: int) -> dict[str, Any]:
        """Give the present values of a fact."""
        return _shown(self._fact(handle))

    def matches(self) -> set[tuple[str, tuple[int, ...]]]:
        """Give rule and handles of everything that holds. Raises InvalidInput when the network runs from scratch."""
        if self._engine is None:
            raise InvalidInput(f"This network runs from scratch: {self.reason}.", remedy="Ask fire_all what fired.")
        return {
            (name, tuple(one.handle for one in token if isinstance(one, Fact) and one.kind != FLAT))
            for name, token in self._engine.matches()
        }

    def _fact(self, handle: int) -> Fact:
        found = self._facts.get(handle)
        if found is None:
            raise NotFound(f"There is no fact {handle}.", remedy="Use the handle that insert gave.")
        return found


def decide(book: FactRulebook, document: Mapping[str, object], *, at: datetime | None = None) -> FactDecision:
    """Decide a document once on a network: what `FactRulebook.decide` gives, in another order of firing at most.

    Raises what it raises. Streams need a `Network` and time.
    """
    network = Network(book, document, at=at)
    given: dict[int, tuple[str, Mapping[str, object]]] = {}
    kinds = {one.name: one for one in network.types()}
    for kind, fact in facts_in(kinds, document):
        given[network.insert(kind, fact)] = (kind, fact)
    fired: tuple[str, ...] = ()
    while network.waiting:
        fired += network.fire_all()
        if len(fired) > MAX_FACTS:
            raise InvalidInput(f"More than {MAX_FACTS} matches fire.", remedy="Decide in parts.")
    outputs, values = network.state()
    facts: dict[str, list[dict[str, object]]] = {kind: [] for kind in kinds}
    for handle, (kind, fact) in given.items():
        if handle in values:
            facts[kind].append({**fact, **values[handle]})
    return FactDecision(outputs, facts, fired)


def _shown(fact: Fact) -> dict[str, Any]:
    """Give the values of a fact without the entries that only nodes read."""
    return plain_fact({path: fact[path] for path in fact.base})


def _in_time(program: FactProgram, at: datetime | None) -> FactProgram:
    """Leave out the rules that do not hold at a moment."""
    if at is None:
        return program
    rules = [
        rule for rule in program.rules if (rule.effective or at) <= at and (rule.expires is None or at < rule.expires)
    ]
    return replace(program, rules=tuple(rules))
