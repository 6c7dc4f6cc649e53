"""A rulebook over facts: everything the language can say, run on the agenda or on the network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from restock.core.errors import InvalidInput
from restock.engine.rules.agenda import Agenda
from restock.engine.rules.backward import Answer, ask
from restock.engine.rules.beyond import RUNS_ELSEWHERE, first_beyond
from restock.engine.rules.dates import FORMS, read_date
from restock.engine.rules.engines import ENGINES
from restock.engine.rules.errors import Problems, SourceText, meant
from restock.engine.rules.explain import Explanation
from restock.engine.rules.fact_explain import Explainer
from restock.engine.rules.fact_memory import Memory, flat_reader
from restock.engine.rules.ir import Field, Value
from restock.engine.rules.ir_patterns import FactProgram
from restock.engine.rules.parser import parse
from restock.engine.rules.printer import print_rulebook
from restock.engine.rules.reference import plain_values
from restock.engine.rules.resolve_facts import resolve_facts
from restock.engine.rules.sql import SqlRefused, fact_sql
from restock.engine.rules.syntax import RulebookSyntax

SQL, AGENDA, NETWORK = "sql", "agenda", "network"
"""The engines that run rules over facts, by the name that people use."""

CLOCKS = ("today", "now")
"""Declared text inputs that may hold the moment for rules with dates."""


@dataclass(frozen=True, slots=True)
class FactDecision:
    """What rules made of facts: flat outputs, all facts by type with what rules set, the rules that fired in order."""

    outputs: dict[str, Value]
    facts: dict[str, list[dict[str, object]]]
    fired: tuple[str, ...]


class FactRulebook:
    """Build with `FactRulebook.parse`. Runs every text that loads, scalar ones too. Immutable."""

    def __init__(self, source: SourceText, syntax: RulebookSyntax, program: FactProgram) -> None:
        self.source = source
        self.syntax = syntax
        self._reader = flat_reader(program)
        self.program = program
        self.name = source.name
        self.version = hashlib.sha256(repr(program).encode()).hexdigest()

    @classmethod
    def parse(cls, text: str, name: str) -> FactRulebook:
        """Read and check a text. Raises RuleError for the first thing wrong; nothing half loads."""
        source = SourceText(name, text)
        syntax, errors = parse(source)
        if errors:
            raise errors[0]
        return cls.of(source, syntax)

    @classmethod
    def of(cls, source: SourceText, syntax: RulebookSyntax) -> FactRulebook:
        """Check a text that has been read without an error. Raises RuleError for the first thing wrong."""
        try:
            return cls(source, syntax, resolve_facts(source, syntax))
        except Problems as problems:
            raise problems.errors[0] from None

    @property
    def rules(self) -> tuple[str, ...]:
        """Give the names of the rules, each once, in firing order."""
        return tuple(dict.fromkeys(rule.name for rule in self.program.rules))

    @property
    def inputs(self) -> tuple[Field, ...]:
        """The flat fields a caller gives."""
        return tuple(one for one in self.program.inputs if not one.presence_of)

    def summary(self) -> str:
        """Say in one line what loaded: how many rules, types and queries, and which engines run them."""
        types, queries = len(self.program.types), len(self.program.queries)
        counts = f"{len(self.rules)} rules over {types} types of facts, {queries} queries"
        return f"{self.name}: {counts}; engines: {'network' if self.program.windows else 'agenda, network'}"

    @property
    def empty(self) -> bool:
        """Whether there is nothing to decide and nothing to ask."""
        return not self.program.rules and not self.program.queries

    @property
    def text(self) -> str:
        """The text that was read; of rules in JSON what they became."""
        return self.source.text

    @property
    def engines(self) -> dict[str, str]:
        """For each engine the reason why it cannot run this rulebook; empty when it can."""
        streams = "these rules look at streams in time; run them from Python (Network, Streams)"
        elsewhere = {AGENDA: streams if self.program.windows else "", NETWORK: streams if self.program.windows else ""}
        beyond = first_beyond(self.source, self.syntax)
        why = (
            beyond.message.removesuffix(f"; {RUNS_ELSEWHERE}.").removesuffix(".")
            if beyond
            else "it has rules over facts"
        )
        return dict.fromkeys(ENGINES, why) | {SQL: streams if self.program.windows else self._against_sql()} | elsewhere

    def _against_sql(self) -> str:
        try:
            fact_sql(self)
        except SqlRefused as refusal:
            return refusal.reason(self.name)
        return ""

    def print(self) -> str:
        """Give the canonical text: it parses to the same rules."""
        return print_rulebook(self.syntax)

    def flat(self, document: Mapping[str, object]) -> dict[str, Value]:
        """Complete and check the flat inputs. Raises InvalidInput that names the field."""
        return self._reader.complete(document)

    def decide(self, document: Mapping[str, object], *, at: datetime | None = None) -> FactDecision:
        """Decide on the agenda. `document` holds flat fields by name and facts by type: `{"Order": [{...}], "limit": 5}`.

        `at` is the moment for rules with dates. Raises InvalidInput that names the field, RuleError where a rule cannot be
        evaluated or the rules never settle.
        """
        agenda = self._agenda(document, at)
        fired, memory = agenda.run(), agenda.memory
        outputs = plain_values({one.name: memory.flat[one.name] for one in self.program.outputs})
        return FactDecision(outputs, memory.document(), fired)

    def explain(self, document: Mapping[str, object], *, at: datetime | None = None) -> Explanation:
        """Decide on the agenda and tell why. Facts are named by type and number: `Order 2.total`. Raises as `decide`."""
        agenda = self._agenda(document, at)
        explainer = Explainer(self.program, agenda)
        agenda.run()
        return explainer.explanation()

    def ask(self, query: str, document: Mapping[str, object], *, at: datetime | None = None) -> Answer:
        """Answer a query of the text. Raises what `decide` raises, and InvalidInput when there is no such query."""
        found = {one.name: one for one in self.program.queries}
        if query not in found:
            raise InvalidInput(f"{self.name} has no query {query!r}.", remedy=meant(query, found))
        moment = self.moment(document, at)
        return ask(self.source, self.program, found[query], document, moment)

    def _agenda(self, document: Mapping[str, object], at: datetime | None) -> Agenda:
        if self.program.windows:
            raise InvalidInput(
                "These rules look at streams in time.", remedy="Run them on the network: Network(rulebook)."
            )
        memory = Memory(self.program)
        memory.flat |= self.flat(document)
        memory.load(document)
        return Agenda(self.source, self.program, memory, self.moment(document, at))

    def moment(self, document: Mapping[str, object], at: datetime | None) -> datetime | None:
        """Give the moment for rules with dates: from the caller, or from a declared input. Raises InvalidInput."""
        if at is not None or not self.program.dated:
            return at
        for one in self.program.inputs:
            given = document.get(one.name)
            if one.name in CLOCKS and one.kind == "text" and isinstance(given, str):
                found = read_date(given)
                if found is None:
                    raise InvalidInput(f"{given!r} is no date.", field=one.name, remedy=f"Write {FORMS}.")
                return found
        remedy = "Give the moment (at), or declare an input: input today: text;"
        raise InvalidInput("Rules of this text have dates, and no rule asks a clock.", remedy=remedy)
