"""What a new version would change: the same facts decided by it and by the version in force, counted and added up.

The facts are those of decisions that are kept: of the newest plan, which stands for the catalogue, and of all that were made
with this rulebook. Nothing is stored and nothing acts.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal

from restock.core.errors import RestockError
from restock.decisions import store
from restock.decisions.model import ChangedDecision, Impact, Known, Money, Shadow
from restock.decisions.port import StoredDecision
from restock.engine.database import Database
from restock.engine.rules import Decision, FactRulebook, Rulebook
from restock.engine.rules.case_file import Case
from restock.engine.rules.fact_cases import document_of

MONEY = ("grand_total", "final_amount", "total_amount")
"""The outputs that say what a decision costs, the one that is paid first."""

EXAMPLES = 5
"""Decisions that are shown of those that change: enough to see the kind, few enough to be read."""

PAST_LIMIT = 200_000
"""Kept decisions that are looked at, the newest: some seconds of work, and more show nothing new."""

UNKNOWN = ""
"""The currency of a decision of which nobody knows it."""

_NOTHING: Mapping[str, object] = {}


async def shadow(database: Database, name: str, new: Rulebook, old: Rulebook | None, known: Known) -> Shadow:
    """Compare a version with the one in force."""
    if old is None:
        nothing = _Sums(new, None).impact()
        return Shadow("", nothing, nothing)
    catalogue, past = _Sums(new, old), _Sums(new, old)
    async for page in _planned(database, known.planned):
        catalogue.add([one for one in page if one.rulebook == name], known.currencies)
        await asyncio.sleep(0)
    async for page in store.newest(database, name, PAST_LIMIT):
        past.add(page, known.currencies)
        await asyncio.sleep(0)  # a server answers others between two pages
    return Shadow(old.version, catalogue.impact(), past.impact())


def cases_shadow(new: FactRulebook, old: Rulebook | FactRulebook | None, cases: Sequence[Case]) -> Shadow:
    """Compare a version of rules over facts with the one in force on the documents of its cases: no others are kept."""
    sums = _Sums(new, None)
    nothing = sums.impact()
    if not isinstance(old, FactRulebook):
        return Shadow("", nothing, nothing)
    for case in cases:
        was, becomes = (_case_outputs(book, case) for book in (old, new))
        sums.changed(case.name, case.name, was, becomes, refused="error" in becomes and not case.error)
    return Shadow(old.version, nothing, nothing, sums.impact())


def _case_outputs(book: FactRulebook, case: Case) -> Mapping[str, object]:
    """Give what is decided, or the error: the outputs, and each field of a fact by its name."""
    try:
        made = book.decide(document_of(case))
    except RestockError as error:
        return {"error": str(error)}
    fields = {
        f"{kind} {at}.{name}": value
        for kind, facts in made.facts.items()
        for at, fact in enumerate(facts, 1)
        for name, value in fact.items()
    }
    return {**made.outputs, **fields}


async def _planned(database: Database, identifiers: Sequence[str]) -> AsyncIterator[list[StoredDecision]]:
    for start in range(0, len(identifiers), store.PAGE):
        yield await store.several(database, identifiers[start : start + store.PAGE])


class _Sums:
    """Counts and sums over decisions."""

    def __init__(self, new: Rulebook | FactRulebook, old: Rulebook | None) -> None:
        self._new, self._old = new, old
        numbers = {one.name for one in new.program.outputs if one.kind == "number"}
        self._field = next((name for name in MONEY if name in numbers), "")
        self._decisions = self._changed = self._refused = 0
        self._money: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
        self._examples: list[ChangedDecision] = []

    def add(self, decisions: Sequence[StoredDecision], currencies: Mapping[str, str]) -> None:
        """Decide kept facts by both versions."""
        assert self._old is not None and isinstance(self._new, Rulebook), "there is something to compare with"
        by_module: dict[str, list[StoredDecision]] = defaultdict(list)
        for one in decisions:
            by_module[one.module].append(one)
        for module, group in by_module.items():
            before = decided(self._old, module, [one.facts for one in group])
            after = decided(self._new, module, [one.facts for one in group])
            for one, old, new in zip(group, before, after, strict=True):
                self._count(one, old, new, currencies.get(one.decision_id, str(one.facts.get("currency", UNKNOWN))))

    def _count(
        self, one: StoredDecision, old: Decision | RestockError, new: Decision | RestockError, currency: str
    ) -> None:
        was, becomes = _outputs(old), _outputs(new)
        if self._field:
            sums = self._money[one.module, currency]
            sums[0] += _amount(was, self._field)
            sums[1] += _amount(becomes, self._field)
        self.changed(one.decision_id, one.subject, was, becomes, refused=isinstance(new, RestockError))

    def changed(
        self, key: str, subject: str, was: Mapping[str, object], becomes: Mapping[str, object], *, refused: bool
    ) -> None:
        """Count one more, and keep it as an example where it differs."""
        self._decisions += 1
        if was == becomes:
            return
        self._changed += 1
        self._refused += refused
        if len(self._examples) < EXAMPLES:
            names = [name for name in {**was, **becomes} if was.get(name) != becomes.get(name)]
            self._examples.append(
                ChangedDecision(
                    key,
                    subject,
                    {name: was[name] for name in names if name in was},
                    {name: becomes[name] for name in names if name in becomes},
                )
            )

    def impact(self) -> Impact:
        """Give what was found."""
        money = [Money(*key, *sums) for key, sums in sorted(self._money.items())]
        return Impact(self._decisions, self._changed, self._refused, self._field, money, self._examples)


def decided(
    rulebook: Rulebook, module: str, facts: Sequence[Mapping[str, object]]
) -> Sequence[Decision | RestockError]:
    """Decide by the quickest engine; a version without the module refuses each."""
    try:
        return rulebook.decide_many(facts, module=module)
    except RestockError as error:
        return [error] * len(facts)


def _outputs(one: Decision | RestockError) -> Mapping[str, object]:
    return {"error": str(one)} if isinstance(one, RestockError) else one.outputs


def _amount(outputs: Mapping[str, object], name: str) -> Decimal:
    found = outputs.get(name, 0)
    return found if isinstance(found, Decimal) else Decimal(str(found))
