"""How `restock decide` asks rules over facts, and the network, which also runs rules of one set of fields.

A line is then a document: flat fields by name and facts by type, `{"Supplier": [{…}], "Line": [{…}], "limit": 5}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from restock.core.errors import InvalidInput, RestockError
from restock.engine.rules import ENGINES, Decision, FactRulebook, Rulebook
from restock.engine.rules.absence import only_given
from restock.engine.rules.errors import meant
from restock.engine.rules.fact_rulebook import AGENDA, NETWORK, SQL, FactDecision
from restock.engine.rules.facts_by_sql import FactEngine
from restock.engine.rules.network import decide as decide_on_network
from restock.engine.rules.network import reason_against_increments

ALL_ENGINES = (*ENGINES, AGENDA, NETWORK)
"""Every engine by the name that people use; the last two run rules over facts."""


class Made(NamedTuple):
    """What a line came to; `answer` is what a query says beside its outputs."""

    outputs: Mapping[str, object]
    fired: tuple[str, ...]
    facts: Mapping[str, object]
    answer: Mapping[str, object] | None = None


class Way(NamedTuple):
    """How lines are decided: the engine's name, and the function that decides several."""

    engine: str
    decide_many: Callable[[Iterable[Mapping[str, object]]], Iterable[Decision | Made | RestockError]]


def fact_engines(book: Rulebook | FactRulebook, facts: FactRulebook) -> dict[str, str]:
    """Say for agenda and network why they do not run a text; empty where they do."""
    if isinstance(book, Rulebook):
        return {AGENDA: "the reference engine is the agenda of such rules", NETWORK: ""}
    return facts.engines


def how_kept(facts: FactRulebook) -> str:
    """Say how the network follows changes of facts."""
    reason = reason_against_increments(facts.program)
    return f"from scratch at each change: {reason}" if reason else "by increments"


def way_of(book: Rulebook | FactRulebook, facts: FactRulebook, engine: str | None, module: str) -> Way:
    """Give how to decide with rules over facts, or on the network. Raises InvalidInput when that cannot be."""
    if module:
        raise InvalidInput("Agenda and network run whole rulebooks.", field="module", remedy="Leave --module out.")
    chosen = engine or AGENDA
    reason = fact_engines(book, facts)[chosen]
    if reason:
        raise InvalidInput(f"The {chosen} engine cannot run {facts.name}: {reason}.", remedy="Leave --engine out.")
    if isinstance(book, Rulebook):
        order = {rule.name: place for place, rule in enumerate(book.rules)}
        chains = reason_against_increments(facts.program)  # then the agenda fires, in the order that the reference has

        def one(document: Mapping[str, object]) -> Made:
            used = only_given(book.facts(document))
            made = decide_on_network(facts, document)
            fired = made.fired if chains else sorted(made.fired, key=lambda name: order[name])
            return Made(made.outputs, tuple(fired), used)
    else:
        decide = _deciding(facts, chosen)

        def one(document: Mapping[str, object]) -> Made:
            made = decide(document)
            return Made(made.outputs, made.fired, made.facts)

    return Way(chosen, lambda documents: map(_told(one), documents))


def _deciding(facts: FactRulebook, engine: str) -> Callable[[Mapping[str, object]], FactDecision]:
    if engine == NETWORK:
        return lambda document: decide_on_network(facts, document)
    return FactEngine(facts).decide if engine == SQL else facts.decide


def no_query(name: str, query: str, queries: Sequence[str]) -> InvalidInput:
    """Say that a rulebook has no query of a name, and which is near."""
    remedy = meant(query, queries) if queries else 'Write one: query "name" { goal: condition }.'
    return InvalidInput(f"{name} has no query {query!r}.", field="query", remedy=remedy)


def way_to_ask(book: FactRulebook, query: str) -> Way:
    """Give how to answer a query of a rulebook. Raises InvalidInput with the nearest name when it has none of that name."""
    queries = [one.name for one in book.program.queries]
    if query not in queries:
        raise no_query(book.name, query, queries)

    def one(document: Mapping[str, object]) -> Made:
        found = book.ask(query, document)
        said = {"proved": found.proved, "solutions": list(found.solutions), "missing": found.missing, "cut": found.cut}
        return Made(found.outputs, found.fired, {}, said)

    return Way("backward", lambda documents: map(_told(one), documents))


def _told(one: Callable[[Mapping[str, object]], Made]) -> Callable[[Mapping[str, object]], Made | RestockError]:
    def told(document: Mapping[str, object]) -> Made | RestockError:
        try:
            return one(document)
        except RestockError as error:
            return error

    return told
