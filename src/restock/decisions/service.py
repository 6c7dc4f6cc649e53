"""Keeps the promise of the decisions port: rulebooks from a library, decisions kept in decisions_db."""

from __future__ import annotations

from collections.abc import Sequence

from restock.core.clock import Clock, timestamp
from restock.core.errors import RestockError
from restock.core.frame import batches
from restock.core.ids import Ids
from restock.decisions import store
from restock.decisions.library import Library
from restock.decisions.port import (
    Decided,
    DecideRequest,
    Decision,
    DecisionRequest,
    Explanation,
    FiredRule,
    RulebookInfo,
    RulebookRequest,
    RulebooksRequest,
    SilentRule,
    StoredDecision,
)
from restock.engine.database import Database, Transaction
from restock.engine.rules import Rulebook


class DecisionsService:
    """The decisions context over decisions_db and a library of rulebooks."""

    def __init__(self, database: Database, library: Library, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._library = library
        self._clock = clock
        self._ids = ids
        self._kept_versions: set[str] = set()

    async def decide(self, request: DecideRequest) -> Decided:
        """Decide on each set of facts; recorded decisions are durable before the reply."""
        rulebook = self._library.rulebook(request.rulebook)
        names = {field.name for field in rulebook.inputs}
        decided = rulebook.decide_many(request.facts, engine=request.engine, module=request.module)
        results: list[Decision | RestockError] = []
        identifiers = self._ids.many(len(decided)) if request.record else [""] * len(decided)
        for given, one, identifier in zip(request.facts, decided, identifiers, strict=True):
            if isinstance(one, RestockError):
                results.append(one)
                continue
            # What the rules used, and beside it what it was derived from: an explanation starts from there.
            facts = {name: value for name, value in given.items() if name in names} | one.facts
            results.append(Decision(identifier, request.rulebook, rulebook.version, one.outputs, one.fired, facts))
        if request.record:
            made = [one for one in results if isinstance(one, Decision)]
            subjects = request.subjects or [""] * len(results)
            about = [about for one, about in zip(results, subjects, strict=True) if isinstance(one, Decision)]
            await self._store(made, [one.decision_id for one in made], about, request.module)
        return Decided(results)

    async def keep(self, decisions: Sequence[Decision], subjects: Sequence[str]) -> list[str]:
        """Keep decisions that were made without being recorded; give the identifiers they get."""
        identifiers = self._ids.many(len(decisions))
        await self._store(decisions, identifiers, subjects, "")
        return identifiers

    async def decision(self, request: DecisionRequest) -> StoredDecision:
        """Give a stored decision."""
        return await store.one(self._database, request.decision_id)

    async def explain(self, request: DecisionRequest) -> Explanation:
        """Run a stored decision again and say which rules fired, and why the others did not."""
        stored = await store.one(self._database, request.decision_id)
        return explained(await self._version(stored), stored)

    async def rulebooks(self, request: RulebooksRequest) -> list[RulebookInfo]:
        """Give the rulebooks, without their text."""
        return [self._info(name, text=False) for name in self._library.names()]

    async def rulebook(self, request: RulebookRequest) -> RulebookInfo:
        """Give one rulebook with its text."""
        return self._info(request.name, text=True)

    async def count(self) -> int:
        """Give how many decisions are kept."""
        return await store.count(self._database)

    async def _version(self, stored: StoredDecision) -> Rulebook:
        """Give the rulebook as it was when it decided."""
        current = self._library.rulebook(stored.rulebook)
        if current.version == stored.version:
            return current
        name, text = await store.version_text(self._database, stored.version)
        return Rulebook.parse(text, name)

    async def _keep_version(self, rulebook: Rulebook) -> None:
        if rulebook.version in self._kept_versions:
            return

        async def unit(tx: Transaction) -> None:
            at = timestamp(self._clock.now())
            await store.keep_version(tx, rulebook.version, rulebook.name, rulebook.text, at)

        await self._database.write("rulebook_version", unit)
        self._kept_versions.add(rulebook.version)

    async def _store(
        self, decisions: Sequence[Decision], identifiers: Sequence[str], subjects: Sequence[str], module: str
    ) -> None:
        for name in {one.rulebook for one in decisions if one.version not in self._kept_versions}:
            await self._keep_version(self._library.rulebook(name))
        for batch in batches(list(zip(identifiers, decisions, subjects, strict=True))):

            async def unit(tx: Transaction, batch: list[tuple[str, Decision, str]] = batch) -> None:
                await store.add(tx, batch, module, timestamp(self._clock.now()))

            await self._database.write("decide", unit)

    def _info(self, name: str, *, text: bool) -> RulebookInfo:
        rulebook = self._library.rulebook(name)
        problem = self._library.problem(name)
        if problem is not None and text:
            raise problem
        return RulebookInfo(
            name=name,
            version=rulebook.version,
            source=str(self._library.source(name).name),
            rules=[rule.name for rule in rulebook.rules],
            inputs=[one.name for one in rulebook.inputs],
            outputs=[one.name for one in rulebook.outputs],
            engines=rulebook.engines,
            text=rulebook.text if text else "",
        )


def explained(rulebook: Rulebook, stored: StoredDecision) -> Explanation:
    """Explain a decision by running its facts through the rulebook once more."""
    why = rulebook.explain(stored.facts, module=stored.module)
    return Explanation(
        stored,
        [FiredRule(one.name, one.salience, dict(one.reads), dict(one.writes)) for one in why.fired],
        [
            SilentRule(one.name, one.test, dict(one.values), one.threshold.sentence if one.threshold else "")
            for one in why.not_fired
        ],
    )
