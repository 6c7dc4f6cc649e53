"""Keeps the promise of the decisions port: rulebooks from a library, decisions kept in decisions_db."""

from __future__ import annotations

from collections.abc import Sequence

from restock.core.clock import Clock, timestamp
from restock.core.errors import RestockError
from restock.core.frame import batches
from restock.core.ids import Ids
from restock.decisions import store
from restock.decisions.library import Library
from restock.decisions.life import Life
from restock.decisions.model import Advanced, Replayed, Replays, Version, VersionInfo, effective_moment
from restock.decisions.port import (
    Decided,
    DecideRequest,
    Decision,
    DecisionRequest,
    Explanation,
    FiredRule,
    MoveRequest,
    ReplaysRequest,
    RollbackRequest,
    RulebookInfo,
    RulebookRequest,
    RulebooksRequest,
    SilentRule,
    StoredDecision,
    SubmitRequest,
    VersionRequest,
    VersionsRequest,
)
from restock.decisions.replaying import replayed
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
        self._books: dict[str, Rulebook] = {}  # by version, all that decided here: a few in a process's life
        self.life = Life(database, library, clock)

    async def decide(self, request: DecideRequest) -> Decided:
        """Decide on each set of facts; recorded decisions are durable before the reply."""
        rulebook = await self._pinned(request.rulebook, request.version)
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
        await self.life.look()
        return [self._listed(name) for name in self._library.names()]

    async def rulebook(self, request: RulebookRequest) -> RulebookInfo:
        """Give one rulebook with its text."""
        await self.life.look()
        return self._info(request.name, text=True)

    async def submit(self, request: SubmitRequest) -> Version:
        """Store a version as a draft."""
        return await self.life.submit(request)

    async def versions(self, request: VersionsRequest) -> list[Version]:
        """Give the versions of a rulebook, the last moved first."""
        return await self.life.versions(request.name)

    async def version(self, request: VersionRequest) -> VersionInfo:
        """Give one version with all that happened to it."""
        return await self.life.version(request)

    async def advance(self, request: MoveRequest) -> Advanced:
        """Take a version through the gates: check, prove, shadow."""
        return await self.life.advance(request)

    async def approve(self, request: MoveRequest) -> Version:
        """Approve a version."""
        return await self.life.approve(request)

    async def activate(self, request: MoveRequest) -> Version:
        """Put an approved version in force."""
        return await self.life.activate(request)

    async def rollback(self, request: RollbackRequest) -> list[Version]:
        """Take back the version in force for the one before it."""
        return await self.life.rollback(request)

    async def withdraw(self, request: MoveRequest) -> Version:
        """Give up a version that is not yet in force."""
        return await self.life.withdraw(request)

    async def replay(self, request: DecisionRequest) -> Replayed:
        """Make a stored decision again, and say what differs."""
        return (await replayed(self._version, [await store.one(self._database, request.decision_id)]))[0]

    async def replays(self, request: ReplaysRequest) -> Replays:
        """Make a page of stored decisions again."""
        since, until = effective_moment(request.since, "since"), effective_moment(request.until, "until")
        page = await store.made(self._database, request.after, request.limit, since, until)
        again = await replayed(self._version, page)
        last = page[-1].decision_id if len(page) == request.limit else ""
        return Replays(len(page), [one for one in again if one.differences], last)

    async def count(self) -> int:
        """Give how many decisions are kept."""
        return await store.count(self._database)

    async def _version(self, stored: StoredDecision) -> Rulebook:
        """Give the rulebook as it was when it decided."""
        return await self._pinned(stored.rulebook, stored.version)

    async def _pinned(self, name: str, version: str) -> Rulebook:
        """Give the rulebook in force, or the version that work began with or that decided."""
        known = self._books.get(version)
        if known is not None:
            return known
        await self.life.look()
        if not version:
            book = self._library.rulebook(name)
            self._books[book.version] = book
            return book
        name, text = await self.life.text(version)
        book = Rulebook.parse(text, name)
        self._books[version] = self._books[book.version] = book  # two names for it where an update counts otherwise
        return book

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
        unknown = {one.version: one.rulebook for one in decisions if one.version not in self._kept_versions}
        for version, name in unknown.items():
            await self._keep_version(await self._pinned(name, version))  # what decided, whatever is in force by now
        for batch in batches(list(zip(identifiers, decisions, subjects, strict=True))):

            async def unit(tx: Transaction, batch: list[tuple[str, Decision, str]] = batch) -> None:
                await store.add(tx, batch, module, timestamp(self._clock.now()))

            await self._database.write("decide", unit)

    def _listed(self, name: str) -> RulebookInfo:
        """Give what a list shows of a rulebook; a text that was never right hides none of the others."""
        try:
            return self._info(name, text=False)
        except RestockError as error:
            return RulebookInfo(name, "", self._library.origin(name), [], [], [], problem=str(error))

    def _info(self, name: str, *, text: bool) -> RulebookInfo:
        rulebook = self._library.loaded(name)
        if isinstance(rulebook, Rulebook):
            self._books[rulebook.version] = rulebook
        problem = self._library.problem(name)
        if problem is not None and text:
            raise problem
        return RulebookInfo(
            name=name,
            version=rulebook.version,
            source=self._library.origin(name),
            rules=list(dict.fromkeys(rule.name for rule in rulebook.program.rules)),
            inputs=[one.name for one in rulebook.inputs],
            outputs=[one.name for one in rulebook.program.outputs],
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
